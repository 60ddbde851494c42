import type { ClaimsDocument } from "./claims.ts";
import { describeMemoryAsset, memoryAssets } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { deafConsumerGroups, deafStreamGroups, groupsWithoutHeir } from "./step-down.ts";
import { type Millis, millis } from "./time.ts";
import type { FindingCode, Verdict } from "./verdict.ts";

export type RungId = "push-again" | "step-down-leaders" | "toggle-jetstream";

/** All that a rung looks at. */
export interface Situation {
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** The claims in force, which every rung pushes anew. */
  readonly claims: ClaimsDocument | undefined;
  /** Whether Relight has a key to sign with. */
  readonly canSign: boolean;
  /** Whether Relight has a key of the account's, with which it can ask as the account for more than a look. */
  readonly hasAccountKey: boolean;
  readonly allowMemoryLoss: boolean;
}

/** One remedy: what it is for, what must be true, what it risks, how it is undone, how long it takes. */
export interface Rung {
  readonly id: RungId;
  readonly title: string;
  readonly risk: string;
  readonly undo: string;
  /** How long its effect may take to show. */
  readonly settles: Millis;
  /** Why it would help here; undefined where it can't. */
  helps(situation: Situation): string | undefined;
  /** Why it must not be done here; undefined where it may. */
  forbids(situation: Situation): string | undefined;
}

const PUSH_AGAIN: Rung = {
  id: "push-again",
  title: "push the claims in force again as a new JWT",
  risk: "none: the claims stay as they are",
  undo: "none needed",
  settles: millis(5_000),
  helps: ({ verdict }) => {
    if (has(verdict, "claims.drift")) return "a server runs other claims than the resolver holds";
    if (has(verdict, "claims.untrusted")) return "the resolver holds a JWT that the servers don't trust";
    if (has(verdict, "account.not_in_resolver")) return "the resolver lost the account's JWT";
    // A byte-identical JWT is a no-op to the server, so it gets a new jti. It never revives deaf streams.
    if (has(verdict, "jetstream.not_enabled"))
      return "the claims allow JetStream and a server did not enable it";
    return undefined;
  },
  forbids: cannotPush,
};

const STEP_DOWN_LEADERS: Rung = {
  id: "step-down-leaders",
  title: "let the leaders of deaf streams, then of deaf consumers, step down",
  risk: "each has no leader for a moment",
  undo: "none needed",
  settles: millis(20_000),
  // Proved on 2.9.10 and 2.10.27 for streams and consumers with replicas, on file and in memory.
  helps: ({ observation }) =>
    deafStreamGroups(observation).length + deafConsumerGroups(observation).length > 0
      ? "the replica that takes over subscribes anew"
      : undefined,
  forbids: ({ observation, hasAccountKey }) => {
    if (!hasAccountKey) return "only the account may ask for it, and its signingKey is not configured";
    const groups = groupsWithoutHeir(observation);
    return groups.length === 0 ? undefined : `no replica is current in ${groups.join(", ")}`;
  },
};

const TOGGLE_JETSTREAM: Rung = {
  id: "toggle-jetstream",
  title: "take JetStream from the account and give it back, by claims",
  risk: "for a second the account has no JetStream; what is in memory only is made anew, empty",
  undo: "push the claims with JetStream again (the journal holds them before the first push)",
  settles: millis(20_000),
  helps: ({ verdict }) =>
    has(verdict, "stream.deaf") || has(verdict, "consumer.deaf")
      ? "the server then starts the account's streams and consumers anew from their files"
      : undefined,
  forbids: (situation) => {
    return cannotPush(situation) ?? notAlone(situation.observation) ?? losesMemory(situation);
  },
};

/** The ladder, cheapest rung first. */
export const LADDER: readonly Rung[] = [PUSH_AGAIN, STEP_DOWN_LEADERS, TOGGLE_JETSTREAM];

export type Step =
  | { readonly kind: "done" }
  | { readonly kind: "renew"; readonly why: string }
  | {
      readonly kind: "climb";
      readonly rung: Rung;
      readonly why: string;
      readonly refused: readonly RefusedRung[];
    }
  | { readonly kind: "stop"; readonly why: string; readonly refused: readonly RefusedRung[] };

export interface RefusedRung {
  readonly rung: RungId;
  readonly why: string;
}

/**
 * The next step up: the cheapest rung that helps, is safe here and was not tried yet.
 * An account of which something is unknown, and nothing dead, is left alone: a network fault never climbs.
 */
export function nextStep(situation: Situation, tried: ReadonlySet<RungId>): Step {
  const { verdict } = situation;
  if (verdict.verdict === "healthy") return { kind: "done" };
  if (has(verdict, "account.expired"))
    return { kind: "renew", why: "renew first: an expired account can't be revived" };
  if (verdict.verdict === "unknown")
    return { kind: "stop", why: "the account is unknown, and nothing is done on a guess", refused: [] };

  const refused: RefusedRung[] = [];
  for (const rung of LADDER.filter(({ id }) => !tried.has(id))) {
    const why = rung.helps(situation);
    if (why === undefined) continue;
    const objection = rung.forbids(situation);
    if (objection === undefined) return { kind: "climb", rung, why, refused };
    refused.push({ rung: rung.id, why: objection });
  }
  return { kind: "stop", why: whyStopped(refused, tried), refused };
}

function whyStopped(refused: readonly RefusedRung[], tried: ReadonlySet<RungId>): string {
  if (refused.length > 0) return refused.map(({ rung, why }) => `${rung} is refused: ${why}`).join("; ");
  if (tried.size > 0) return `no rung is left after ${[...tried].join(", ")}`;
  return "no rung of the ladder helps against what was found";
}

/** In a cluster the toggle destroys: R3 streams lose their leader, R1 consumers vanish (2.15.1 too). */
function notAlone({ servers }: Observation): string | undefined {
  if (servers.length !== 1)
    return `${servers.length} servers answered; in a cluster the toggle destroys streams and consumers`;
  const [server] = servers;
  if (server?.topology === "standalone") return undefined;
  return `${server?.name} is not proved to stand alone; in a cluster the toggle destroys streams and consumers`;
}

function cannotPush({ canSign, claims }: Situation): string | undefined {
  if (claims === undefined) return "the claims in force could not be read";
  return canSign ? undefined : "there is no key to sign with (operator.signingKey)";
}

function losesMemory({
  observation: { streams },
  allowMemoryLoss,
  hasAccountKey,
}: Situation): string | undefined {
  if (!streams.ok) return "the account's streams could not be read, so what it would lose is unknown";
  const inMemory = memoryAssets(streams.value).map(describeMemoryAsset).join(", ");
  if (inMemory === "") return undefined;
  if (!allowMemoryLoss)
    return `it would lose what is held in memory only: ${inMemory}; allow it with allowMemoryLoss, or save it first`;
  if (hasAccountKey) return undefined;
  return `it would remove what is held in memory only (${inMemory}), and without the account's signingKey Relight could not make it anew`;
}

function has({ findings }: Verdict, code: FindingCode): boolean {
  return findings.some((finding) => finding.code === code);
}
