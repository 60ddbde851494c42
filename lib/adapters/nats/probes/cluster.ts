import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Operator } from "../../../domain/claims/operator.ts";
import { isAway } from "../../../domain/observation/meta-group.ts";
import { type EpochMillis, type Millis, millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Cluster } from "../../../ports/cluster.ts";
import { read, type ServerInfo, type Statsz, statsz } from "../connection/answers.ts";
import { gather, isNoResponders, readJson } from "../connection/asking.ts";
import { openConnection } from "../connection/connection.ts";
import type { Servers } from "../connection/tls.ts";
import { listenForDeletions } from "../events/deletions.ts";
import { jwtCodec } from "../jwt/jwt-codec.ts";
import { natsResolver } from "../jwt/resolver.ts";
import { resolverKinds } from "../jwt/resolver-kinds.ts";
import { natsAssets } from "../streams/assets.ts";
import { peerOf } from "./meta-group.ts";
import { natsProbes } from "./probes.ts";

export interface ClusterSettings {
  readonly servers: Servers;
  /** The text of the system user's credentials file. */
  readonly systemCredentials: string;
  readonly timeout: Millis;
  readonly clock: Clock;
  readonly operator: Operator;
}

/**
 * Opens the one connection of a run, as the system account.
 * @throws RelightError `nats.no_tls`, `nats.tls_failed`, `nats.unreachable`, `nats.unauthorized`,
 * `nats.not_system_account`, `secret.malformed`.
 */
export async function openCluster(settings: ClusterSettings): Promise<Cluster> {
  let current = await connectCluster(settings);
  const listener = listenForDeletions(current.connection);
  return {
    resolver: {
      list: () => current.resolver.list(),
      lookup: (account) => current.resolver.lookup(account),
      running: (account) => current.resolver.running(account),
      push: (token) => current.resolver.push(token),
    },
    probes: {
      servers: () => current.probes.servers(),
      meta: (domain) => current.probes.meta(domain),
      health: () => current.probes.health(),
      accounts: () => current.probes.accounts(),
      hosted: (withConsumers) => current.probes.hosted(withConsumers),
      capacity: () => current.probes.capacity(),
      checkup: () => current.probes.checkup(),
      trust: () => current.probes.trust(),
      observe: (...order) => current.probes.observe(...order),
      deletions: (account) => listener.listen(account),
    },
    assets: {
      recreate: (...order) => current.assets.recreate(...order),
      stepDown: (...order) => current.assets.stepDown(...order),
      configure: (...order) => current.assets.configure(...order),
      forbidden: (...order) => current.assets.forbidden(...order),
    },
    reopen: async () => {
      const next = await connectCluster(settings);
      await listener.move(next.connection);
      await current.close();
      current = next;
    },
    [Symbol.asyncDispose]: () => current.close(),
  };
}

/** A connection and the ports that use it. {@link openCluster} replaces it when it reconnects. */
interface Connected extends Pick<Cluster, "resolver" | "assets"> {
  readonly connection: NatsConnection;
  readonly probes: Omit<Cluster["probes"], "deletions">;
  close(): Promise<void>;
}

async function connectCluster(settings: ClusterSettings): Promise<Connected> {
  const { servers: addresses, systemCredentials: credentials, timeout, clock, operator } = settings;
  const connection = await openConnection({ servers: addresses, credentials, timeout, name: "relight" });
  let found: Promise<readonly ServerInfo[]> | undefined;
  const servers = (): Promise<readonly ServerInfo[]> => {
    found ??= discover(connection, timeout, clock);
    return found;
  };
  try {
    await servers();
  } catch (error) {
    await connection.close();
    throw error;
  }
  const strict = operator.strictSigningKeyUsage;
  const asAccount = { servers: addresses, timeout, clock, strict };
  const kindOf = resolverKinds({ connection, timeout, systemAccount: operator.systemAccount });
  const resolver = natsResolver({ connection, codec: jwtCodec, timeout, servers, kindOf });
  return {
    connection,
    resolver,
    probes: natsProbes({ connection, timeout, clock, resolver, asAccount, servers, kindOf }),
    assets: natsAssets({ ...asAccount, resolver }),
    close: () => connection.close(),
  };
}

/**
 * The responding servers. Waits for as many answers as the servers count. They count a crashed server for two and a half
 * minutes, but if the meta leader reports it as silent, this does not wait for it.
 * @throws RelightError `nats.not_system_account`, `nats.timeout`.
 */
export async function discover(
  connection: NatsConnection,
  timeout: Millis,
  clock?: Clock,
): Promise<readonly ServerInfo[]> {
  const asked = clock?.now();
  const subject = "$SYS.REQ.SERVER.PING.STATSZ";
  const answers = await gather(connection, subject, "", { timeout, enough: allAlive, unlessMore }).catch(
    notSystemAccount,
  );
  if (answers.length === 0)
    throw new RelightError("nats.timeout", `no server answered ${subject} within ${timeout} ms`);
  const infos = statszIn(answers).map(({ server }) => server);
  if (clock === undefined || asked === undefined) return infos;
  const heard = clock.now();
  return infos.map((info) => ({ ...info, ...skewOf(info.time, asked, heard) }));
}

/** The server answered between `asked` and `heard`, so only a time outside of that is certain skew. */
function skewOf(time: string | undefined, asked: EpochMillis, heard: EpochMillis): { clockSkew?: Millis } {
  const sent = Date.parse(time ?? "");
  if (Number.isNaN(sent)) return {};
  return { clockSkew: millis(sent > heard ? sent - heard : Math.min(0, sent - asked)) };
}

const statszIn = (replies: readonly Msg[]): readonly Statsz[] =>
  replies.map((reply) => read(statsz, readJson(reply), "STATSZ"));

const counted = (answers: readonly Statsz[]): number =>
  Math.max(...answers.map((answer) => answer.statsz.active_servers));

function allAlive(replies: readonly Msg[]): boolean {
  return replies.length > 0 && replies.length >= counted(statszIn(replies));
}

/** Long enough for a repeated request, because servers do not reveal whether they still count a silent server. */
const unlessMore = { enough: allButSilent, pause: millis(1_500) };

/** Whether all servers answered except those that the meta leader no longer hears, which account for the rest. */
function allButSilent(replies: readonly Msg[]): boolean {
  const answers = statszIn(replies);
  const names = new Set(answers.map(({ server }) => server.name));
  const metas = answers.flatMap(({ server, statsz: { jetstream } }) => {
    return jetstream?.meta?.leader === server.name ? (jetstream.meta.replicas ?? []) : [];
  });
  const silent = new Set(metas.filter((peer) => isAway(peerOf(peer))).map(({ name }) => name));
  const routed = answers.flatMap(({ statsz: { routes } }) => (routes ?? []).map(({ name }) => name ?? ""));
  const named = [...metas.map(({ name }) => name), ...routed].filter((name) => name !== "");
  const missing = new Set([...silent].filter((name) => !names.has(name)));
  return (
    missing.size > 0 &&
    named.every((name) => names.has(name) || silent.has(name)) &&
    answers.length + missing.size >= counted(answers)
  );
}

/** Only the system account gets statistics; for other accounts the request has no responders. */
function notSystemAccount(error: unknown): never {
  if (!isNoResponders(error)) throw error;
  const message = "systemCredentials do not belong to the system account: no server answers this user";
  throw new RelightError("nats.not_system_account", message, { cause: error });
}
