import type { AccountId } from "../claims/account.ts";
import type { Evidence, LeafConnection, ServerFacts } from "../observation/observation.ts";
import type { JsonObject } from "../time/json.ts";
import { type EpochMillis, isoTime } from "../time/time.ts";

/**
 * The health of an account or a part of it. `dead`: a probe proved that something necessary does not work.
 * `unknown`: a probe failed; never treated as healthy. `degraded`: it works, but not as it should.
 */
export type Health = "healthy" | "degraded" | "dead" | "unknown";

/** The depth of a check: `system` from the system account only, `account` also as the account. */
export type Depth = "system" | "account";

/** All finding codes and their meanings. docs/reference.md lists them; a test enforces it. */
export const FINDINGS = {
  "account.expired": "The account's claims have expired: the servers refuse its clients.",
  "server.restart_panics":
    "If a server of this version starts while the account is expired, it panics at the next election of the meta leader.",
  "account.deleted":
    "Somebody deleted the account: servers refuse its clients although its claims are valid, or Relight received the deletion request.",
  "account.gone":
    "The account existed and its claims are still valid, but no server or resolver has it any more: it was deleted or lost.",
  "account.not_deleted":
    "The operator ordered the account's deletion, but servers still have it: they may not delete, or can't write their folder.",
  "account.not_found": "Neither the resolver nor any server knows the account.",
  "account.not_in_resolver":
    "The account runs, but the resolver no longer holds its JWT, or has only a part of it, because its disk was full during a push.",
  "account.not_loaded":
    "No server has the account loaded, although it had streams when it was last healthy, so its JetStream can't be checked.",
  "claims.drift": "A server runs different claims than the resolver holds, or without one, than another server.",
  "claims.overwritten":
    "Somebody pushed an older JWT over one that Relight pushed, or one made from an older copy: a renewal or change is undone.",
  "claims.no_start":
    "The claims give JetStream to the system account: running servers continue, but none could start again.",
  "claims.unreadable":
    "A server or the resolver has claims of the account that servers accept but Relight can't read. Relight does nothing to the account.",
  "claims.uncountable":
    "The claims' `exp` is more than 292 years ahead, which is too large for servers: they compute an arbitrary time, or treat the claims as expired.",
  "claims.untrusted":
    "The resolver holds, or a server reports, a JWT that no trusted issuer signed for the account. Relight never signs it again.",
  "source.missing_account": "The source of truth has the account, but no server or resolver has it.",
  "source.differs": "The source of truth and the cluster have different claims of the account.",
  "source.unknown_account": "The account runs, but the source of truth lacks it.",
  "source.unavailable": "The source of truth can't be read, or only in part.",
  "server.clock_skew": "A server's clock and Relight's differ by more than a minute: one of the two is wrong.",
  "jetstream.not_enabled": "The claims give the account JetStream, but a server does not.",
  "stream.deaf": "JetStream does not listen on the stream's subjects: publishing gets 503 no responders.",
  "stream.runs_twice":
    "A server runs the stream twice over the same files, because it was created while JetStream was turned off and on for the account: each message is acknowledged twice, until the server restarts.",
  "stream.failing": "The stream exists, but the account gets no answer about it.",
  "stream.unlisted": "A server runs the stream, but the account's API does not list it.",
  "stream.direct_deaf":
    "No server answers direct gets of the stream: every get on a KV bucket fails, and so does reading an object store.",
  "stream.direct_partly_deaf": "Some replicas do not answer direct gets of the stream: fewer servers share the load.",
  "stream.direct_stray":
    "A server still receives direct gets of the stream for a replica that it no longer runs, and does not answer them until it restarts.",
  "mirror.direct_deaf":
    "A mirror no longer answers direct gets of its origin, or only some. The origin's servers still answer.",
  "consumer.deaf": "JetStream does not listen for the consumer: fetching gets 503 no responders.",
  "stream.node_missing":
    "A server has the stream without its Raft node, because it restarted while the account was expired.",
  "consumer.node_missing":
    "A server has the consumer without its Raft node, because it restarted while the account was expired.",
  "consumer.forgotten":
    "A server has a durable consumer that the cluster has forgotten, because it restarted while the account was expired.",
  "stream.unheld":
    "The cluster or the journal knows the stream, but no responding server has it: its server must come back.",
  "consumer.unheld":
    "The cluster or the journal knows the consumer, but no responding server has it: fetching gets 503 no responders.",
  "stream.no_majority":
    "Too few servers with a replica of the stream answer: nothing can be published until more are back.",
  "consumer.no_majority":
    "Too few servers with a replica of the consumer answer: nothing can be fetched until more are back.",
  "stream.no_leader": "The stream's replicas have not elected a leader yet.",
  "consumer.no_leader": "The consumer's replicas have not elected a leader yet.",
  "stream.replica_away": "A server with a replica of the stream does not answer, or the stream lacks a replica.",
  "consumer.replica_away": "A server with a replica of the consumer does not answer.",
  "stream.replica_behind": "A replica of the stream has not caught up with its leader.",
  "stream.replicas_differ":
    "A replica counts as current and holds other messages than its leader, so what is read depends on who answers. It happens to streams in memory when most of their servers stop at once.",
  "consumer.replica_behind": "A replica of the consumer has not caught up with its leader.",
  "server.away":
    "A server of the cluster does not answer, and it is uncertain which of the account's streams exist only there.",
  "stream.stalled":
    "A mirror or source receives nothing from its origin, or only the heartbeats that come every second.",
  "domain.silent": "A JetStream domain that the account needs does not answer.",
  "domain.disabled": "The account has no JetStream in a domain where it needs it.",
  "leaf.missing": "An expected leafnode is not connected.",
  "leaf.wrong_account":
    "A leafnode is bound to a different account than expected, so nothing of this account crosses it.",
  "remedy.unfinished":
    "A remedy began and did not finish: the account has no JetStream, or a stream's configuration is still changed.",
  "stream.ahead_of_origin":
    "A mirror has messages beyond its origin's last one: it receives nothing until the origin has passed it.",
  "asset.lost":
    "A stream, a durable consumer or messages have been missing since a remedy, or since the account was last healthy, and nobody has acknowledged the loss.",
  "journal.unproved":
    "The journal has an entry that Relight would act on, but without a valid proof. Relight does not act on it.",
  "limit.storage": "The account's storage limit is used up: servers refuse messages (10002).",
  "limit.no_tier": "The account's limits have no tier for existing streams: servers refuse their messages (10120).",
  "limit.outside_tiers":
    "Streams were created under flat limits and count in none of the tiers: servers refuse their messages (10120, nats-server #2971).",
  "limit.tiers_unproven":
    "Limits by tier are in force, and nothing proves that each stream counts in one: servers may refuse messages (10120, nats-server #2971).",
  "limit.server_storage": "A server's own JetStream storage is used up: it refuses every message (10023).",
  "limit.connections":
    "All connections that the claims allow are in use: servers refuse further clients, including Relight.",
  "limit.locked": "The account's claims let nobody connect (`conn` 0).",
  "import.deaf": "A stream takes nothing of an import that is newer than the server's last start (nats-server #6498).",
  "probe.failed": "A probe failed, so this part of the account is unknown.",
} as const;

export type FindingCode = keyof typeof FINDINGS;

/** All warning codes and their meanings: everything works, but may not for long. docs/reference.md lists them. */
export const WARNINGS = {
  "limit.near": "Nine tenths of a limit are in use.",
  "limit.reached": "A limit is reached, but only prevents new streams or consumers.",
  "account.idle": "No server has the account loaded, and it never had streams: nobody uses it, so nothing is checked.",
  "consumer.abandoned":
    "JetStream does not listen for an ephemeral consumer whose client has left it: nobody misses it, and it ends by itself.",
  "account.kept_out":
    "The account's claims keep Relight's own users out (auth callout, a scoped key), so it is checked only as the system account.",
  "stream.emptied_by_restart":
    "A server would empty a stream when it starts again (nats-server #6753). Relight restarts no such server, and turns no such account's JetStream off and on.",
  "import.unproved":
    "A stream listens on an imported subject, on a version that may not deliver it (nats-server #6498), and whether it does could not be seen.",
  "resolver.not_kept":
    "A server with a MEMORY or URL resolver runs a JWT that it may not have after a restart, because nobody put it where the resolver takes it from.",
  "stream.full": "A stream has reached its own limit and refuses new messages, as configured (`discard: new`).",
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
  /** A JetStream domain, or a leafnode's server name. */
  readonly domain?: string;
  readonly leafnode?: string;
}

export interface Finding {
  readonly code: FindingCode;
  /** The account's health because of this finding. */
  readonly health: Exclude<Health, "healthy">;
  readonly subject: Subject;
  /** What is wrong, and the advice. */
  readonly message: string;
  /** What to do about it; absent if that depends on more than this finding. */
  readonly advice?: string;
  readonly evidence: Evidence;
}

/** The result of checking an account. Only the verify use case writes one. */
export interface Verdict {
  readonly account: AccountId;
  readonly health: Health;
  readonly depth: Depth;
  /** ISO 8601, UTC. */
  readonly observedAt: string;
  readonly servers: readonly Pick<ServerFacts, "name" | "version" | "topology" | "domain" | "resolver">[];
  /** The leafnode connections that are bound to the account. */
  readonly leafnodes: readonly LeafConnection[];
  readonly streams: number;
  readonly consumers: number;
  readonly findings: readonly Finding[];
  /** Problems that do not change the verdict. */
  readonly warnings: readonly Warning[];
  /** Known causes, for instance a server defect that explains the findings. */
  readonly diagnosis: readonly string[];
}

/** The verdict for the journal, pages, events and `--json`, where the health is called `verdict`. */
export function verdictJson({ account, health: verdict, ...rest }: Verdict): JsonObject {
  return { account, verdict, ...rest } as unknown as JsonObject;
}

const WORST_FIRST: readonly Health[] = ["dead", "unknown", "degraded", "healthy"];

/** The worst of `healths`; healthy if there are none. Unknown outranks degraded, because it may hide a dead part. */
export function worst(healths: readonly Health[]): Health {
  return WORST_FIRST.find((health) => healths.includes(health)) ?? "healthy";
}

export const observedAt = (at: EpochMillis): string => isoTime(at);

/** `ORDERS`, `ORDERS > worker` or the account itself, for people. */
export function describeSubject({ server, stream, consumer, domain, leafnode }: Subject): string {
  const asset = [stream, consumer].filter((part) => part !== undefined).join(" > ");
  const beyond = [domain && `domain ${domain}`, leafnode && `leafnode ${leafnode}`];
  return [asset, ...beyond, server === undefined ? "" : `on ${server}`].filter(Boolean).join(" ") || "the account";
}

/** Findings that no remedy fixes. */
const BEYOND_REMEDIES: ReadonlySet<FindingCode> = new Set([
  ...(["asset.lost", "limit.storage", "limit.no_tier", "limit.server_storage"] as const),
  ...(["limit.tiers_unproven"] as const),
  ...(["limit.connections", "limit.locked", "claims.overwritten"] as const),
]);

/** Whether only findings remain that no remedy fixes: unacknowledged losses, limits, and what others pushed. */
export function isRevived({ findings }: Pick<Verdict, "findings">): boolean {
  return findings.every(({ code }) => BEYOND_REMEDIES.has(code));
}

export function hasFinding({ findings }: Pick<Verdict, "findings">, code: FindingCode): boolean {
  return findings.some((finding) => finding.code === code);
}
