import { type Chance, chanceOf } from "./chance.ts";
import {
  type BucketPlan,
  type ConsumerPlan,
  CROSSED,
  type Crossing,
  type Damage,
  EDGE,
  type Limits,
  type StreamPlan,
  sizeOf,
  type Topology,
  type WorldPlan,
} from "./plan.ts";
import { varied } from "./variations.ts";

/** Versions with each known kind of behavior; several of those that most clusters run. */
export const WORLD_VERSIONS = ["2.9.10", "2.9.25", "2.10.20", "2.10.27", "2.12.5", "2.15.1"];

/**
 * Names that applications use, and ones that break what builds subjects, paths, objects or texts from them. No `%`: servers
 * of 2.10 do not hear acknowledgments of such a stream.
 */
const NAMES = [
  "ORDERS",
  "jobs",
  "Größe_1",
  "日本",
  "a-b",
  "O'Brien",
  "constructor",
  "__proto__",
  "{name}",
  "L".repeat(60),
];
const CONSUMERS = ["worker", "Wörker", "audit-1", "toString", "c"];
const PATTERNS = ["$.>", "$.*", "$", "$.*.in.>", "$.größe.*"];

/** The world of a seed. The same seed gives the same world. */
export function generate(seed: number, versions: readonly string[] = WORLD_VERSIONS): WorldPlan {
  const chance = chanceOf(seed);
  const version = chance.pick(versions);
  const topology = chance.pick<Topology>(["single", "single", "cluster", "cluster", "cluster", "hub-leaf"]);
  const size = sizeOf(topology);
  const own = streamsOf(chance, version, size);
  const copies = copiesOf(chance, own, size);
  const buckets = bucketsOf(chance, version, size);
  const crossing = chance.happens(0.25) ? chance.pick<Crossing>(["import", "export"]) : "none";
  const crossed = crossedBy(crossing);
  const planned = [...own, ...copies, ...crossed];
  const damages = damagesOf(chance, planned, size);
  // Choices that came later have a chance of their own, so the others stay as they were for each seed.
  const later = chanceOf(seed + 0x1000_0000);
  const edge = topology === "hub-leaf" && later.happens(0.6) ? [edgeCopy(later)] : [];
  const streams = [...varied([...own, ...copies], later, version), ...crossed, ...edge].map((stream) =>
    changeable(stream, damages),
  );
  return {
    seed,
    version,
    topology,
    isSeenBefore: chance.happens(0.7),
    hasAccountKey: chance.happens(0.85),
    allowsMemoryLoss: chance.happens(0.3),
    canRestart: chance.happens(0.4),
    limits: limitsOf(chance, damages),
    streams,
    buckets,
    crossing,
    damages,
    churn: { makers: chance.happens(0.25) ? chance.between(1, 3) : 0, publishers: chance.happens(0.3) ? 1 : 0 },
    fakes: chance.happens(0.25) ? chance.pick([1, 3, 400]) : 0,
  };
}

function streamsOf(chance: Chance, version: string, size: number): readonly StreamPlan[] {
  const names = chance.shuffled(NAMES).slice(0, chance.between(1, 4));
  return names.map((name, index) => {
    const retention = chance.pick<StreamPlan["retention"]>(["limits", "limits", "limits", "interest", "workqueue"]);
    const first = chance.pick(PATTERNS).replace("$", `s${index}`);
    const subjects = chance.happens(0.25) ? [first, `more${index}.*`] : [first];
    const isBounded = retention === "limits" && chance.happens(0.25);
    return {
      name,
      subjects,
      replicas: size === 1 ? 1 : chance.pick([1, 3]),
      storage: chance.happens(0.25) ? "memory" : "file",
      retention,
      allowDirect: chance.happens(0.4),
      ...(isBounded ? { maxMessages: 12, isDiscardNew: chance.happens(0.5) } : {}),
      messages: chance.pick([0, 3, 10, 40]),
      consumers: consumersOf(chance, { version, retention, subjects, size }),
    };
  });
}

interface ConsumersOf {
  readonly version: string;
  readonly retention: StreamPlan["retention"];
  readonly subjects: readonly string[];
  readonly size: number;
}

function consumersOf(chance: Chance, { retention, subjects, size }: ConsumersOf): readonly ConsumerPlan[] {
  // A work queue takes several consumers only if their filters do not overlap.
  const most = retention === "workqueue" ? 1 : 3;
  const names = chance.shuffled(CONSUMERS).slice(0, chance.between(0, most));
  return names.map((name, index) => {
    const kind = chance.happens(0.3) ? "push" : "pull";
    const isPlain = retention !== "limits";
    const isEphemeral = !isPlain && chance.happens(0.12);
    const [filter] = subjects;
    return {
      name: `${name}${index}`,
      kind,
      ack: isPlain || kind === "pull" ? "explicit" : chance.pick<ConsumerPlan["ack"]>(["explicit", "all", "none"]),
      ...(kind === "push" && chance.happens(0.4) ? { queue: "group" } : {}),
      ...(filter !== undefined && chance.happens(0.3) ? { filter } : {}),
      ...(size > 1 && !isPlain && chance.happens(0.25) ? { replicas: 1 } : {}),
      ...(isEphemeral ? { isEphemeral } : {}),
      ...(!isPlain && !isEphemeral && chance.happens(0.1) ? { isInMemory: true } : {}),
      acked: chance.pick([0, 2]),
    };
  });
}

function copiesOf(chance: Chance, origins: readonly StreamPlan[], size: number): readonly StreamPlan[] {
  const limited = origins.filter(({ retention }) => retention === "limits");
  const [origin] = limited;
  if (origin === undefined || !chance.happens(0.4)) return [];
  const isMirror = chance.happens(0.5);
  return [
    {
      name: isMirror ? "MIRROR" : "COLLECTED",
      subjects: [],
      replicas: size === 1 ? 1 : chance.pick([1, 3]),
      storage: chance.happens(0.2) ? "memory" : "file",
      retention: "limits",
      allowDirect: chance.happens(0.3),
      ...(isMirror ? { mirrorOf: origin.name } : { sourcesOf: limited.slice(0, 2).map(({ name }) => name) }),
      messages: 0,
      consumers: [],
    },
  ];
}

function bucketsOf(chance: Chance, version: string, size: number): readonly BucketPlan[] {
  const kinds = chance.shuffled<BucketPlan["kind"]>(["kv", "objects"]).slice(0, chance.pick([0, 0, 1, 1, 2]));
  return kinds.map((kind) => ({
    kind,
    name: kind === "kv" ? chance.pick(["settings", "CFG-1"]) : "files",
    // On 2.9.10 nothing but a restart brings the direct gets of replicated buckets back.
    replicas: size === 1 || version === "2.9.10" ? 1 : chance.pick([1, 3]),
    ...(chance.happens(0.2) ? { isInMemory: true } : {}),
    ...(kind === "kv" && chance.happens(0.3) ? { history: 5 } : {}),
  }));
}

/** Copies a stream from beyond the leafnode. */
function edgeCopy(chance: Chance): StreamPlan {
  return {
    name: EDGE.copy,
    subjects: [],
    replicas: 1,
    storage: "file",
    retention: "limits",
    allowDirect: chance.happens(0.3),
    edgeOf: EDGE.origin,
    messages: 0,
    consumers: [],
  };
}

/** A sealed stream can't be purged, and one that confirms nothing can't be filled in time. */
function changeable(stream: StreamPlan, damages: readonly Damage[]): StreamPlan {
  const isChanged = damages.some(
    (damage) =>
      ("stream" in damage && damage.stream === stream.name) ||
      damage.do === "push-import" ||
      damage.do === "fill-storage",
  );
  if (!isChanged) return stream;
  const { isSealed: _, isNoAck: __, ...rest } = stream;
  return rest;
}

function crossedBy(crossing: Crossing): readonly StreamPlan[] {
  if (crossing === "none") return [];
  const { stream, subject } = CROSSED[crossing];
  return [
    {
      name: stream,
      subjects: [subject],
      replicas: 1,
      storage: "file",
      retention: "limits",
      allowDirect: false,
      messages: 3,
      consumers: [],
    },
  ];
}

type Make = (chance: Chance, streams: readonly StreamPlan[], size: number) => Damage | undefined;

const some = (chance: Chance, size: number): readonly number[] =>
  chance
    .shuffled(Array.from({ length: size }, (_, index) => index))
    .slice(0, chance.happens(0.5) ? size : chance.between(1, size));

/** Streams that other streams do not depend on. */
const free = (streams: readonly StreamPlan[]): readonly StreamPlan[] =>
  streams.filter(
    ({ name, mirrorOf, sourcesOf }) =>
      mirrorOf === undefined &&
      sourcesOf === undefined &&
      !streams.some((other) => other.mirrorOf === name || other.sourcesOf?.includes(name)),
  );

const onOne = (what: "delete-stream" | "recreate-stream" | "purge-stream"): Make => {
  return (chance, streams) => {
    const choices = free(streams);
    return choices.length === 0 ? undefined : { do: what, stream: chance.pick(choices).name };
  };
};

const deletedConsumer: Make = (chance, streams) => {
  const choices = streams.flatMap(({ name, consumers }) =>
    consumers.map((one) => ({ stream: name, consumer: one.name })),
  );
  return choices.length === 0 ? undefined : { do: "delete-consumer", ...chance.pick(choices) };
};

/** How often each damage is chosen, and how it is made. Those with a server need a cluster. */
const DAMAGES: readonly (readonly [weight: number, make: Make])[] = [
  [10, () => ({ do: "expire-renew" })],
  [3, () => ({ do: "expire" })],
  [4, (chance, _, size) => ({ do: "restart-while-expired", servers: some(chance, size) })],
  [3, (chance, _, size) => ({ do: "restart", servers: some(chance, size), isKilled: chance.happens(0.5) })],
  [3, (chance, _, size) => (size === 1 ? undefined : { do: "stop", server: chance.between(0, size - 1) })],
  [1, (_, __, size) => (size === 1 ? undefined : { do: "meta-step-down" })],
  [2, (_, __, size) => (size === 1 ? undefined : { do: "step-down" })],
  [2, () => ({ do: "fill-storage" })],
  [2, () => ({ do: "use-connections" })],
  [2, onOne("delete-stream")],
  [2, onOne("recreate-stream")],
  [1, onOne("purge-stream")],
  [2, deletedConsumer],
  [2, () => ({ do: "forget-jwt" })],
  [2, (chance, _, size) => (size === 1 ? undefined : { do: "peer-remove", server: chance.between(0, size - 1) })],
  [2, () => ({ do: "lower-limits" })],
  [2, (chance) => ({ do: "lower-conn", conn: chance.between(5, 9) })],
  [2, () => ({ do: "enter-tiers" })],
  [1, () => ({ do: "delete-account" })],
  [1, () => ({ do: "push-import" })],
];

/** After these nothing else can be broken. */
const LAST = ["expire", "delete-account", "use-connections"];

function damagesOf(chance: Chance, streams: readonly StreamPlan[], size: number): readonly Damage[] {
  const wanted = chance.pick([0, 1, 1, 1, 1, 2, 2, 3]);
  const all = DAMAGES.flatMap(([weight, make]) => Array.from({ length: weight }, () => make));
  const damages: Damage[] = [];
  while (damages.length < wanted) {
    const damage = chance.pick(all)(chance, streams, size);
    if (damage === undefined || damages.some((one) => one.do === damage.do || isSameStream(one, damage))) continue;
    damages.push(damage);
  }
  const isLast = (damage: Damage): boolean => LAST.includes(damage.do);
  const [last] = damages.filter(isLast);
  const others = damages.filter((damage) => !isLast(damage));
  const all_ = last === undefined ? others : [...others, last];
  // With a server away, or removed, nothing more is done to servers.
  return all_.filter(
    (damage, index) => !all_.slice(0, index).some(({ do: what }) => isAway(what)) || !onServers(damage),
  );
}

const isSameStream = (one: Damage, other: Damage): boolean =>
  "stream" in one && "stream" in other && one.stream === other.stream;

const isAway = (what: Damage["do"]): boolean => what === "stop" || what === "peer-remove";
const onServers = ({ do: what }: Damage): boolean =>
  ["restart-while-expired", "restart", "stop", "peer-remove", "step-down", "meta-step-down", "expire-renew"].includes(
    what,
  );

function limitsOf(chance: Chance, damages: readonly Damage[]): Limits {
  const has = (what: Damage["do"]): boolean => damages.some((damage) => damage.do === what);
  if (has("use-connections")) return { kind: "conn", conn: chance.between(4, 6) };
  if (["enter-tiers", "lower-limits", "lower-conn", "fill-storage"].some((what) => has(what as Damage["do"])))
    return { kind: "unlimited" };
  if (chance.happens(0.6)) return { kind: "unlimited" };
  return chance.pick<Limits>([{ kind: "tight" }, { kind: "tiered" }, { kind: "conn", conn: 8 }]);
}
