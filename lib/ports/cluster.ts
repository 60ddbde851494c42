import type { AccountId, Expectations } from "../domain/claims/account.ts";
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
import type { EpochMillis } from "../domain/time/time.ts";
import type { ClusterEvent } from "../domain/watch/watch.ts";
import type { Assets } from "./remedies.ts";
import type { Resolver } from "./resolver.ts";

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

/** What was asked to be deleted, until this is disposed. */
export interface Deletions extends AsyncDisposable {
  /** Whether it was, or the stream of this consumer was. */
  readonly has: (group: Group) => boolean;
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
