import type { BucketPlan, Damage, StreamPlan, WorldPlan } from "../worlds/plan.ts";

/** What the matrix tries: a defect on a topology, and the remedies after it, one after another. */

/** A remedy as an operator carries it out by hand, or Relight itself. */
export type RungName =
  | "wait"
  | "push-again"
  | "toggle"
  | "step-down"
  | "scale-up"
  | "direct-gets"
  | "meta-step-down"
  | "touch"
  | "restarts"
  | "restarts-leader-first"
  | "relight"
  | "relight-restarts";

export type Defect = "none" | "expired" | "restarted" | "restarted-one" | "connections";
export type Topology = "single" | "cluster";

/** One kind of world. Each try builds it anew. */
export interface WorldKind {
  readonly topology: Topology;
  readonly defect: Defect;
  /** Tried one after another in the same world, as long as something is dead. */
  readonly rungs: readonly RungName[];
  /** The versions for which it is tried unless others are asked for; all if absent. */
  readonly only?: readonly string[];
}

/** `cluster/expired/relight` */
export const nameOfKind = ({ topology, defect, rungs }: Pick<WorldKind, "topology" | "defect" | "rungs">): string =>
  `${topology}/${defect}/${rungs[0] === "wait" ? "by-hand" : rungs[0]}`;

/** All servers of one release, or of two neighbors in an upgrade one by one: `2.10.27+2.10.28`. */
export const VERSIONS: readonly string[] = [
  ...["2.9.10", "2.9.25"],
  ...["2.10.0", "2.10.10", "2.10.14", "2.10.16", "2.10.20", "2.10.22", "2.10.23", "2.10.27", "2.10.28", "2.10.29"],
  ...["2.11.0", "2.11.1", "2.11.2", "2.11.9", "2.11.15"],
  ...["2.12.0", "2.12.5", "2.12.8", "2.12.14"],
  ...["2.14.0", "2.14.4", "2.14.9"],
  ...["2.15.1", "2.15.2"],
];

export const UPGRADES: readonly string[] = [
  ...["2.9.25+2.10.0", "2.10.14+2.10.16", "2.10.22+2.10.23", "2.10.27+2.10.28", "2.11.1+2.11.2", "2.12.5+2.12.8"],
  ...["2.12.14+2.14.0", "2.14.9+2.15.1"],
];

const AROUND_ELECTIONS = ["2.10.10", "2.10.14", "2.10.16", "2.10.20", "2.10.22", "2.10.23"];

/** Where Relight's own remedy is the touch, or nothing dies, there is nothing else to try. */
const UNTOUCHED = VERSIONS.slice(0, VERSIONS.indexOf("2.12.8"));

/** The most important first. */
export const KINDS: readonly WorldKind[] = [
  { topology: "cluster", defect: "restarted", rungs: ["relight", "touch"] },
  { topology: "cluster", defect: "expired", rungs: ["relight", "relight-restarts"] },
  { topology: "single", defect: "expired", rungs: ["relight"] },
  { topology: "cluster", defect: "restarted", rungs: ["relight-restarts"], only: [...UNTOUCHED, ...UPGRADES] },
  { topology: "single", defect: "expired", rungs: ["wait", "push-again", "toggle"] },
  { topology: "cluster", defect: "restarted", rungs: ["wait", "push-again", "step-down", "meta-step-down"] },
  { topology: "cluster", defect: "expired", rungs: ["wait", "push-again", "step-down", "scale-up", "direct-gets"] },
  { topology: "cluster", defect: "restarted", rungs: ["restarts"] },
  { topology: "cluster", defect: "restarted-one", rungs: ["relight", "touch"] },
  { topology: "cluster", defect: "connections", rungs: ["relight", "relight-restarts"] },
  { topology: "single", defect: "restarted", rungs: ["wait"] },
  { topology: "single", defect: "connections", rungs: ["wait", "push-again", "toggle"] },
  { topology: "cluster", defect: "restarted", rungs: ["restarts-leader-first"], only: AROUND_ELECTIONS },
  { topology: "cluster", defect: "restarted", rungs: ["touch"], only: [] },
  { topology: "cluster", defect: "none", rungs: ["toggle"] },
];

/** One try: a kind of world on these versions. */
export interface Trial {
  readonly version: string;
  readonly kind: WorldKind;
}

/** Whether a kind is meant: by its name, or by a part of it that is no other kind's name. */
function isMeant(kind: WorldKind, word: string): boolean {
  const name = nameOfKind(kind);
  return name === word || (name.includes(word) && !KINDS.some((other) => nameOfKind(other) === word));
}

/** The trials of these versions in the kinds that one of the words means, the most important kinds first. */
export function trialsOf(versions: readonly string[], words: readonly string[]): readonly Trial[] {
  return KINDS.filter((kind) => words.length === 0 || words.some((word) => isMeant(kind, word))).flatMap((kind) =>
    versions
      .filter((version) => kind.topology === "cluster" || !version.includes("+"))
      .filter((version) => kind.only === undefined || words.length > 0 || kind.only.includes(version))
      .map((version) => ({ version, kind })),
  );
}

/** The server that restarts alone while the account is expired. */
const ALONE = 1;

function damagesOf({ topology, defect }: WorldKind): readonly Damage[] {
  switch (defect) {
    case "none":
      return [];
    case "expired":
      return [{ do: "expire-renew" }];
    case "restarted":
      return [{ do: "restart-while-expired", servers: topology === "single" ? [0] : [0, 1, 2] }];
    case "restarted-one":
      return [{ do: "restart-while-expired", servers: [ALONE] }];
    case "connections":
      // Below what is in use, so the server closes JetStream's own connections, too.
      return [
        { do: "lower-conn", conn: 2 },
        { do: "lower-conn", conn: -1 },
      ];
  }
}

/** The servers' versions: of two versions, the newer one runs on the last server only. */
export function versionsOf(version: string): readonly string[] {
  const [old = version, newer] = version.split("+");
  return newer === undefined ? [old] : [old, old, newer];
}

/** What an account of an application has: replicated and not, on file and in memory, buckets, a mirror and a source. */
export function planOf({ version, kind }: Trial): WorldPlan {
  const isCluster = kind.topology === "cluster";
  const most = isCluster ? 3 : 1;
  const stream = (name: string, replicas: number, more: Partial<StreamPlan> = {}): StreamPlan => ({
    name,
    subjects: [`${name.toLowerCase()}.*`],
    replicas: Math.min(replicas, most),
    storage: "file",
    retention: "limits",
    allowDirect: false,
    messages: 10,
    consumers: [{ name: "pull", kind: "pull", ack: "explicit", acked: 2 }],
    ...more,
  });
  const copy = { subjects: [], messages: 0, consumers: [] };
  const versions = versionsOf(version);
  return {
    seed: 0,
    version: versions[0] ?? version,
    ...(versions.length > 1 ? { versions } : {}),
    topology: kind.topology,
    isSeenBefore: true,
    hasAccountKey: true,
    allowsMemoryLoss: true,
    canRestart: false,
    limits: { kind: "unlimited" },
    streams: [
      stream("R3", 3, {
        consumers: [
          { name: "pull", kind: "pull", ack: "explicit", acked: 2 },
          { name: "push", kind: "push", ack: "explicit", acked: 0 },
        ],
      }),
      stream("R1", 1),
      stream("MEMORY", 3, { storage: "memory" }),
      stream("MEMORY1", 1, { storage: "memory" }),
      stream("MIRROR", 1, { ...copy, mirrorOf: "R3" }),
      stream("SOURCE", 3, { ...copy, sourcesOf: ["R1"] }),
    ],
    buckets: bucketsOf(most),
    crossing: "none",
    damages: damagesOf(kind),
    churn: { makers: 0, publishers: 0 },
    fakes: 0,
  };
}

const bucketsOf = (replicas: number): readonly BucketPlan[] => [
  { kind: "kv", name: "keys", replicas },
  { kind: "objects", name: "files", replicas: 1 },
];
