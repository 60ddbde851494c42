import type { AccountId, Expectations } from "../domain/claims/account.ts";
import type { ServerCheckup } from "../domain/doctor/vitals.ts";
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
  /** The responding servers and their topology. */
  servers(): Promise<readonly ServerFacts[]>;
  /**
   * The meta group of a JetStream domain according to its leader; undefined for a standalone server.
   * @param domain by default the only one; if there are several, the probe fails.
   */
  meta(domain?: string): Promise<Probe<MetaGroup | undefined>>;
  /** Each server's own health checks. */
  health(): Promise<ServersHealth>;
  /**
   * Observes an account once, as deeply as the credentials allow, without side effects. Failed probes are part of the
   * answer; only a lost connection throws.
   * @param accountKey seed of an account key or account signing key, to create a short-lived user.
   * @param expected what must exist, even if no server reports it.
   * @param listens whether to wait three seconds for heartbeats of mirrors and sources, if everything else is healthy.
   * Without this, none is proved to work.
   */
  observe(account: AccountId, accountKey?: string, expected?: Expectations, listens?: boolean): Promise<Observation>;
  /** The accounts that any server has loaded. Expired and deleted ones stay loaded until the server restarts. */
  accounts(): Promise<Probe<readonly AccountId[]>>;
  /** The streams of every account according to the servers; with their consumers if requested. */
  hosted(withConsumers?: boolean): Promise<Probe<readonly HostedStream[]>>;
  /**
   * Records from now on which deletions the account's own clients request, because these are no losses.
   * @throws RelightError `nats.*`
   */
  deletions(account: AccountId): Promise<Deletions>;
  /** The operators that each server trusts. @throws RelightError `nats.*` */
  trust(): Promise<readonly ServerTrust[]>;
  /** How busy each server is, and its leafnode connections. A server that does not answer is part of the answer. */
  checkup(): Promise<readonly ServerCheckup[]>;
  /** The JetStream capacity of each server, and how much is reserved. */
  capacity(): Promise<Probe<readonly ServerCapacity[]>>;
}

/** The servers' HTTP monitoring at the configured addresses. */
export interface Monitoring {
  /** Never throws: an unreachable address is a failed probe. */
  check(): Promise<readonly MonitoringHealth[]>;
}

/** The certificate that a server presents at an address; undefined if it offers no TLS. */
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
   * Reconnects to any server and discovers the servers again, because after a restart a server has another id, and the
   * connection may have been to that server. @throws RelightError `nats.*`
   */
  reopen(): Promise<void>;
}

/** The deletion requests until this is disposed. */
export interface Deletions extends AsyncDisposable {
  /** Whether somebody requested to delete it, or the stream of this consumer. */
  readonly has: (group: Group) => boolean;
}

/** The events of a cluster, received on a separate connection that reconnects by itself. */
export interface Events extends AsyncDisposable {
  /**
   * Every event from now on, in order. If too many wait, the rest become one `events-missed`. Ends when this is disposed.
   * Call it once.
   * @throws RelightError `nats.unauthorized` if the user may not subscribe, `nats.connection_lost` if reconnecting fails.
   */
  listen(): AsyncIterable<ClusterEvent>;
  /** Like {@link Resolver.running}, from the servers that respond now. */
  running(account: AccountId): Promise<readonly RunningAccount[]>;
}
