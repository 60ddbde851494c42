import type { AccountId, Expectations } from "../domain/claims/account.ts";
import type { Sourced } from "../domain/claims/claims-source.ts";
import type { HarmLeave } from "../domain/gate/gate-harm.ts";
import type { Incident } from "../domain/incidents/incident.ts";
import type { ServerTrust } from "../domain/keys/key-rotation.ts";
import type { Group } from "../domain/ladder/step-down.ts";
import type { ServerCapacity } from "../domain/limits/server-use.ts";
import type { MetaGroup } from "../domain/observation/meta-group.ts";
import type {
  HostedStream,
  Observation,
  Probe,
  RunningAccount,
  ServerFacts,
} from "../domain/observation/observation.ts";
import type { MonitoringHealth, ServersHealth } from "../domain/observation/server-health.ts";
import type { EpochMillis, Millis } from "../domain/time/time.ts";
import type { Health } from "../domain/verdict/verdict.ts";
import type { ClusterEvent } from "../domain/watch/watch.ts";
import type { DecodedJwt } from "./keys.ts";
import type { Assets } from "./remedies.ts";

export type { Journal, JournalledAccount, JournalQuery } from "./journal.ts";
export type { DecodedJwt, JwtCodec, RemoteKey, Signer } from "./keys.ts";

/** Now. The domain never asks; it is told. */
export interface Clock {
  now(): EpochMillis;
}

/** Reads secrets by reference (`file:…`, `env:…`, `aws-sm://name#field`), each at most once per run. */
export interface Secrets {
  /** @throws RelightError `secret.*`; its text never holds the secret. */
  read(reference: string): Promise<string>;
}

/** A secret whose next version is prepared beside the one in force, as AWS Secrets Manager has it. */
export interface RotatingSecret {
  /** The labels (`AWSCURRENT`, `AWSPENDING`, …) of each version, by the version's id. @throws RelightError `secret.*` */
  describe(secret: string): Promise<{
    readonly name: string;
    readonly rotationEnabled: boolean;
    readonly stages: ReadonlyMap<string, readonly string[]>;
  }>;
  current(secret: string): Promise<string>;
  /** What the version holds while it is pending; undefined as long as nothing was put there. */
  pending(secret: string, version: string): Promise<string | undefined>;
  putPending(secret: string, version: string, text: string): Promise<void>;
  /** Puts `version` in force, in place of `before`. */
  promote(secret: string, version: string, before: string | undefined): Promise<void>;
}

/** One server's answer to a push. A 200 proves nothing: see {@link Resolver.running}. */
export interface PushReply {
  readonly server: string;
  readonly accepted: boolean;
  readonly message: string;
}

/** One entry of the resolver: a JWT, or what is wrong with what lies there instead. */
export type ListedJwt =
  | { readonly ok: true; readonly jwt: DecodedJwt }
  | { readonly ok: false; readonly account: string; readonly problem: string };

/** One entry of a source of truth: an account's JWT, or what is wrong with what lies there instead. */
export type SourceEntry =
  | { readonly ok: true; readonly place: string; readonly jwt: DecodedJwt }
  | {
      readonly ok: false;
      readonly place: string;
      readonly problem: string;
      /** The account that it seems to be of; absent where it could be of any. */
      readonly account?: AccountId;
    };

/** Where the accounts' JWTs are kept outside of the cluster: the source of truth. */
export interface ClaimsSource {
  /** The reference it was configured by. */
  readonly name: string;
  /**
   * Every entry; a bad one hides no others. What is trusted, expired or another operator's is for the caller.
   * @throws RelightError `source.unavailable` if the source itself can't be read.
   */
  accounts(): AsyncIterable<SourceEntry>;
  /** What it says of one account; everything is read once per run for all of these. @throws as {@link accounts} */
  lookup(account: AccountId): Promise<Sourced>;
}

/** The accounts' JWTs in the cluster: what the resolver holds and what the servers run. */
export interface Resolver {
  /**
   * Every entry of the resolver, once all are there; decoded one by one. @throws RelightError `nats.timeout` if the list
   * broke off, `nats.connection_lost`, `nats.no_resolver`.
   */
  list(): AsyncIterable<ListedJwt>;
  /** The JWT in the resolver; undefined where it has none (a full resolver deletes expired ones). */
  lookup(account: AccountId): Promise<DecodedJwt | undefined>;
  /** The account on each server that has it loaded. */
  running(account: AccountId): Promise<readonly RunningAccount[]>;
  /**
   * Sends the JWT to every server and waits for each to answer.
   * @throws RelightError `push.rejected`, `nats.no_resolver`, `nats.timeout`, `nats.connection_lost`.
   */
  push(token: string): Promise<readonly PushReply[]>;
}

export interface Probes {
  /** The servers that answer, and how they are joined. */
  servers(): Promise<readonly ServerFacts[]>;
  /**
   * The meta group of a JetStream domain, as its leader tells it now; undefined: the server stands alone.
   * @param domain the only one by default; where there are several, a failed probe says so.
   */
  meta(domain?: string): Promise<Probe<MetaGroup | undefined>>;
  /** What each server says of its own health. */
  health(): Promise<ServersHealth>;
  /**
   * One look at an account, as deep as the credentials at hand allow, without side effects.
   * Failed probes are part of the answer; only a lost connection throws.
   * @param accountKey seed of an account key or account signing key, to mint a user for minutes with.
   * @param expected what is to be there, and so is asked about though no server tells of it.
   * @param listens whether to wait three seconds, where all else is well, for what mirrors and sources hear; none is
   * proved without.
   */
  observe(
    account: AccountId,
    accountKey?: string,
    expected?: Expectations,
    listens?: boolean,
  ): Promise<Observation>;
  /** The accounts that any server has loaded; expired and deleted ones are, until it restarts. */
  accounts(): Promise<Probe<readonly AccountId[]>>;
  /** The streams of every account, as the servers tell of them; with their consumers only if asked. */
  hosted(withConsumers?: boolean): Promise<Probe<readonly HostedStream[]>>;
  /**
   * Hears from now on what the account's own clients ask JetStream to delete: what they delete is no loss.
   * @throws RelightError `nats.*`
   */
  deletions(account: AccountId): Promise<Deletions>;
  /** The operators that each server trusts. @throws RelightError `nats.*` */
  trust(): Promise<readonly ServerTrust[]>;
  /** What each server with JetStream may give to it, and what is reserved of that. */
  capacity(): Promise<Probe<readonly ServerCapacity[]>>;
}

/** What was asked to be deleted, until this is disposed. */
export interface Deletions extends AsyncDisposable {
  /** Whether it was, or the stream of this consumer was. */
  readonly has: (group: Group) => boolean;
}

/** The servers' HTTP monitoring; without an address configured there is nothing to ask. */
export interface Monitoring {
  /** Never throws: an address that can't be reached is a failed probe. */
  check(): Promise<readonly MonitoringHealth[]>;
}

/** The certificate that a server shows at an address; undefined: it offers no TLS there. */
export interface ServerCertificates {
  readonly address: string;
  readonly seen: Probe<
    { readonly name: string; readonly begins: EpochMillis; readonly expiresAt: EpochMillis } | undefined
  >;
}

/** One connection to a cluster as its system account, for one run. */
export interface Cluster extends AsyncDisposable {
  readonly resolver: Resolver;
  readonly probes: Probes;
  readonly assets: Assets;
  /**
   * Connects anew, to whichever server answers, and finds the servers anew: after a restart a server has
   * another id, and the connection may have been to that very one. @throws RelightError `nats.*`
   */
  reopen(): Promise<void>;
}

/** What a cluster says of itself, heard over a connection of its own that comes back by itself. */
export interface Events extends AsyncDisposable {
  /**
   * Every event from now on, in order; what is too much to be kept is told as `events-missed`. Ends when this is
   * disposed. To be called once.
   * @throws RelightError `nats.unauthorized` if the user may not listen, `nats.connection_lost` if it is over.
   */
  listen(): AsyncIterable<ClusterEvent>;
  /** As {@link Resolver.running}, asked of the servers that are alive now. */
  running(account: AccountId): Promise<readonly RunningAccount[]>;
}

/** Leases: one holder at a time per key, until released or until the time is over. */
export interface Leases {
  /** True if `holder` now has `key` (or had it already) until `lasts` from now; false if another has it. */
  acquire(key: string, holder: string, lasts: Millis): Promise<boolean>;
  /** Gives the key up if `holder` has it; otherwise nothing happens. */
  release(key: string, holder: string): Promise<void>;
}

/** What started a job. */
export type Trigger = "schedule" | "webhook" | "manual" | "event" | "resume";

/** Work on one account. A trigger says only which account and why. */
export interface Job {
  readonly account: AccountId;
  readonly trigger: Trigger;
  readonly reason: string;
  /**
   * `remediate`: whatever it needs, a due renewal included. `heal`: revive it, renew it only if it expired.
   * `renew`: renew now, whatever the window says. `push`: push `token`. `verify`: only look.
   */
  readonly action: "remediate" | "heal" | "renew" | "push" | "verify";
  /** A JWT delivered for `push`; it passes the gate like any other. */
  readonly token?: string;
  /** A person saw how `token` differs from the JWT in force with this id, and accepted it: no queue carries it. */
  readonly acceptedOver?: string;
  /** Harm that the person ordered, knowing it; no queue carries it either. */
  readonly allowed?: readonly HarmLeave[];
  /** A person wants the account back although somebody deleted it; as above, no queue carries it. */
  readonly undelete?: true;
  /** Ties together all that one trigger led to, from its log lines to the page. */
  readonly correlation?: string;
  /** Jobs of one id are one job: what a queue deduplicates by. */
  readonly id: string;
}

/** Where jobs are queued: first in, first out per account. */
export interface Jobs {
  /**
   * Queues a job once. An id that was queued lately may be dropped as a repetition (SQS remembers for five
   * minutes, even what is done), so a new order needs a new id.
   * @throws RelightError `queue.unavailable`
   */
  enqueue(job: Job): Promise<void>;
  /**
   * The same for many, in their order per account.
   * @throws RelightError `queue.unavailable`, whose `details.notTaken` says how many were not taken.
   */
  enqueueAll(jobs: readonly Job[]): Promise<void>;
  /** About how many jobs wait and are not being done. @throws RelightError `queue.unavailable` */
  waiting(): Promise<number>;
  /** Waits until jobs that run in this very process are done; nothing to wait for with a remote queue. */
  drain(): Promise<void>;
}

/** Calls people. */
export interface Escalation {
  /** Sends the incident, open or resolved, to every channel. @throws RelightError `escalation.undeliverable` if none took it. */
  send(incident: Incident): Promise<void>;
}

/** What came of a job that changed or refused something. */
export interface JobNotice {
  readonly account: AccountId;
  readonly outcome: string;
  readonly action: Job["action"];
  readonly trigger: Trigger;
  readonly correlation?: string;
  /** The class of the last verdict; absent where the job failed before there was one. */
  readonly verdict?: Health;
  /** The error's code, of one that failed. */
  readonly error?: string;
}

/** Tells programs, not people, what was done. */
export interface Announcer {
  /** @throws RelightError `events.unavailable` */
  jobFinished(notice: JobNotice): Promise<void>;
}

/** Structured logging: a constant message, data beside it; everything passes the redactor. */
export interface Log {
  info(message: string, data?: object): void;
  warn(message: string, data?: object): void;
  error(message: string, data?: object): void;
}
