import type { AccountId } from "../claims/account.ts";
import type { Evidence, LeafConnection, ServerFacts } from "../observation/observation.ts";
import { type EpochMillis, isoTime } from "../time/time.ts";

/**
 * How an account, or a part of it, is. `dead`: a probe proved that something which must work does not.
 * `unknown`: a probe failed, and unknown is never healthy. `degraded`: it works, but not as it should.
 */
export type Health = "healthy" | "degraded" | "dead" | "unknown";

/** How deep the look went: `system` from the system account alone, `account` also as the account sees. */
export type Depth = "system" | "account";

/** What a finding can say. Each is explained in docs/reference.md, and a test keeps it so. */
export const FINDINGS = {
  "account.expired": "The account's claims have expired: the servers refuse its clients.",
  "server.restart_panics":
    "A server of this version that starts while the account is expired panics at an election of the meta leader.",
  "account.deleted":
    "Somebody deleted the account: servers refuse its clients although its claims are valid, or its deletion was heard.",
  "account.gone":
    "The account was here, its claims are still valid, and no server and no resolver has it any more: deleted, or lost.",
  "account.not_found": "Neither the resolver nor any server knows the account.",
  "account.not_in_resolver": "The account runs, but the resolver no longer holds its JWT.",
  "account.not_loaded": "No server has the account loaded, so its JetStream can't be looked at.",
  "claims.drift": "A server runs other claims than the resolver holds.",
  "claims.no_start":
    "The claims give JetStream to the system account: servers that run go on, and none that is restarted would start again.",
  "claims.unreadable":
    "A server runs, or the resolver holds, claims of the account that servers take and Relight can't read: nothing is done to it.",
  "claims.uncountable":
    "The claims end later than servers can count (292 years): servers take that for over, or for any other time.",
  "claims.untrusted":
    "The resolver holds, or a server is said to run, a JWT that no trusted issuer signed for the account: it is never signed anew.",
  "source.missing_account": "The source of truth has the account, and no server and no resolver does.",
  "source.differs": "The source of truth and the cluster have other claims of the account.",
  "source.unknown_account": "The account runs, and the source of truth does not know it.",
  "source.unavailable": "The source of truth can't be read, or not all of it.",
  "server.clock_skew": "A server's clock is off Relight's by more than a minute: one of the two is wrong.",
  "jetstream.not_enabled": "The claims give the account JetStream, a server does not.",
  "stream.deaf": "JetStream does not listen on the stream's subjects: publishing gets 503 no responders.",
  "stream.failing": "The stream exists, but the account gets no answer about it.",
  "stream.unlisted": "The server runs the stream, but the account's API does not list it.",
  "stream.direct_deaf":
    "No server answers direct gets of the stream: every get of a KV bucket fails, and reading an object store.",
  "stream.direct_partly_deaf":
    "A replica does not answer direct gets of the stream, and others do: its clients ask fewer servers.",
  "stream.direct_stray":
    "On a server what is left of a stopped replica takes direct gets of the stream and answers none, until it restarts.",
  "mirror.direct_deaf":
    "A mirror answers direct gets of its origin no longer, or only in part; the origin's servers answer them still.",
  "consumer.deaf": "JetStream does not listen for the consumer: fetching gets 503 no responders.",
  "stream.node_missing":
    "A server holds the stream without a node of its Raft group: it restarted while the account was expired.",
  "consumer.node_missing":
    "A server holds the consumer without a node of its Raft group: it restarted while the account was expired.",
  "consumer.forgotten":
    "A server holds a durable consumer that the cluster has forgotten: it restarted while the account was expired.",
  "stream.unheld":
    "The cluster, or the journal, knows the stream, and no server that answers holds it: the one that does must come back.",
  "consumer.unheld":
    "The cluster, or the journal, knows the consumer, and no server that answers holds it: fetching gets 503 no responders.",
  "stream.no_majority":
    "Too few of the servers that hold the stream answer: nothing can be published until one of the others is back.",
  "consumer.no_majority":
    "Too few of the servers that hold the consumer answer: nothing can be fetched until one of the others is back.",
  "stream.no_leader": "The servers that hold the stream have not elected a leader yet.",
  "consumer.no_leader": "The servers that hold the consumer have not elected a leader yet.",
  "stream.replica_away":
    "A server with a replica of the stream does not answer, or the stream lacks a replica.",
  "consumer.replica_away": "A server with a replica of the consumer does not answer.",
  "stream.replica_behind": "A replica of the stream has not caught up with its leader.",
  "consumer.replica_behind": "A replica of the consumer has not caught up with its leader.",
  "server.away":
    "A server of the cluster does not answer, and nobody can tell for certain what of the account it alone holds.",
  "stream.stalled":
    "A mirror or source receives nothing from its origin, not even the heartbeats that come every second, or only those.",
  "domain.silent": "A JetStream domain that the account needs does not answer.",
  "domain.disabled": "The account has no JetStream in a domain where it needs it.",
  "leaf.missing": "A leafnode that is expected is not connected.",
  "leaf.wrong_account":
    "A leafnode is bound to another account than expected, so nothing of this one crosses it.",
  "remedy.unfinished":
    "A remedy was begun and not finished: the account is without JetStream, or a stream's configuration is changed.",
  "stream.ahead_of_origin":
    "A mirror has messages beyond its origin's last: it takes nothing until the origin has passed it.",
  "asset.lost":
    "A stream, a durable consumer or messages are missing since a remedy, or were set back since the account was last seen well, and nobody has acknowledged the loss.",
  "journal.unproved":
    "The journal holds an entry that a run would act on and nobody can prove to be Relight's: nothing is done by it.",
  "limit.storage":
    "What the account's limits allow it to store is used up: servers refuse messages (10002), whatever else is well.",
  "limit.no_tier":
    "The account's limits have no tier for streams that are there: servers refuse their messages (10120).",
  "limit.outside_tiers":
    "Streams were made under flat limits and count against none of the tiers: servers refuse their messages (10120, nats-server #2971).",
  "limit.server_storage": "A server's own JetStream storage is used up: it refuses every message (10023).",
  "limit.connections":
    "As many clients are connected as the claims allow: every other one is refused, Relight included.",
  "limit.locked": "The account's claims let nobody connect (`conn` 0).",
  "probe.failed": "A probe failed, so this part of the account is unknown.",
} as const;

export type FindingCode = keyof typeof FINDINGS;

/** What a warning can say: all of it works, and may not for long. In docs/reference.md as well. */
export const WARNINGS = {
  "limit.near": "Nine tenths of a limit are used.",
  "limit.reached": "A limit is reached that refuses nothing to what exists: only more streams or consumers.",
  "stream.full":
    "A stream is at its own limit and discards what is new, as it is configured to: it takes no message.",
} as const;

export interface Warning {
  readonly code: keyof typeof WARNINGS;
  readonly subject: Subject;
  readonly message: string;
}

/** What a finding is about. */
export interface Subject {
  readonly server?: string;
  readonly stream?: string;
  readonly consumer?: string;
  /** A JetStream domain, or the name of a leafnode's server. */
  readonly domain?: string;
  readonly leafnode?: string;
}

export interface Finding {
  readonly code: FindingCode;
  /** What this finding makes of the account. */
  readonly health: Exclude<Health, "healthy">;
  readonly subject: Subject;
  readonly message: string;
  readonly evidence: Evidence;
}

/** The outcome of one look at an account. Only the verify use case makes one. */
export interface Verdict {
  readonly account: AccountId;
  readonly verdict: Health;
  readonly depth: Depth;
  /** ISO 8601, UTC. */
  readonly observedAt: string;
  readonly servers: readonly Pick<ServerFacts, "name" | "version" | "topology" | "domain">[];
  /** The leafnode connections that are bound to the account. */
  readonly leafnodes: readonly LeafConnection[];
  readonly streams: number;
  readonly consumers: number;
  readonly findings: readonly Finding[];
  /** What makes nothing of the account yet. */
  readonly warnings: readonly Warning[];
  /** What is known about the cause, for instance the server defect that explains the findings. */
  readonly diagnosis: readonly string[];
}

const WORST_FIRST: readonly Health[] = ["dead", "unknown", "degraded", "healthy"];

/** The worst of `healths`; healthy if there is none. Unknown outranks degraded: it may hide a death. */
export function worst(healths: readonly Health[]): Health {
  return WORST_FIRST.find((health) => healths.includes(health)) ?? "healthy";
}

export const observedAt = (at: EpochMillis): string => isoTime(at);

/** `ORDERS`, `ORDERS > worker` or the account itself, for people. */
export function describeSubject({ server, stream, consumer, domain, leafnode }: Subject): string {
  const asset = [stream, consumer].filter((part) => part !== undefined).join(" > ");
  const beyond = [domain && `domain ${domain}`, leafnode && `leafnode ${leafnode}`];
  return (
    [asset, ...beyond, server === undefined ? "" : `on ${server}`].filter(Boolean).join(" ") || "the account"
  );
}

/** What no remedy of Relight's changes. */
const BEYOND_REMEDIES: ReadonlySet<FindingCode> = new Set([
  ...(["asset.lost", "limit.storage", "limit.no_tier", "limit.server_storage"] as const),
  ...(["limit.connections", "limit.locked"] as const),
]);

/** Whether all is well but for what no remedy mends: losses that nobody acknowledged, and limits. */
export function isRevived({ findings }: Pick<Verdict, "findings">): boolean {
  return findings.every(({ code }) => BEYOND_REMEDIES.has(code));
}

export function hasFinding({ findings }: Pick<Verdict, "findings">, code: FindingCode): boolean {
  return findings.some((finding) => finding.code === code);
}
