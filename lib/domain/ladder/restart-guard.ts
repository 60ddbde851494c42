import type { AccountId } from "../claims/account.ts";
import { type MetaGroup, quorumProblems } from "../observation/meta-group.ts";
import type { HostedStream, Probe, ServerFacts } from "../observation/observation.ts";
import { isYoung } from "../observation/still-there.ts";
import type { EpochMillis } from "../time/time.ts";
import { describeVersions, PANICS_AT_ELECTION } from "../verdict/defects.ts";
import { survivesElection } from "./tried/tried.ts";

/** Everything that must be known before a server restart. */
export interface RestartEvidence {
  /** When it was gathered. */
  readonly at: EpochMillis;
  readonly servers: readonly ServerFacts[];
  /** Undefined for a standalone server. */
  readonly meta: Probe<MetaGroup | undefined>;
  readonly hosted: Probe<readonly HostedStream[]>;
  readonly atRisk: Probe<{
    /** Expired accounts that have, or may have, streams. */
    readonly expired: readonly AccountId[];
    /** Accounts that servers run, but the resolver does not hold. */
    readonly notStored: readonly AccountId[];
  }>;
}

/** A requested restart. */
export interface RestartOrder {
  readonly server: string;
  /** The account that it should revive. Its own damaged streams are no objection. */
  readonly account: AccountId;
  readonly allowMemoryLoss: boolean;
  /** The other servers to restart. */
  readonly others?: readonly string[];
}

/**
 * The orders in the best sequence: the meta leader last, because its restart causes an election. The leader may change,
 * so this is computed again before each restart.
 */
export function inOrder(orders: readonly RestartOrder[], { meta }: RestartEvidence): readonly RestartOrder[] {
  const leader = meta.ok ? meta.value?.leader : undefined;
  return orders.toSorted((one, other) => Number(one.server === leader) - Number(other.server === leader));
}

/** Why the server must not be restarted now; empty if that is safe. Anything unknown is an objection. */
export function objectionsTo(order: RestartOrder, evidence: RestartEvidence): readonly string[] {
  const losses = (streams: readonly HostedStream[]) => memoryLost(order, streams);
  const { meta, hosted } = evidence;
  return [
    ...restartBlockers(order, evidence),
    ...known("the streams in memory", hosted, losses),
    ...(hosted.ok ? emptiedAtStart(order, hosted.value) : []),
    // Failed probes are objections already.
    ...(meta.ok && hosted.ok ? panics(order, evidence.servers, meta.value, hosted.value) : []),
  ];
}

/** Damaged servers that would panic at an election must be restarted before the meta leader. */
function panics(
  { server, others = [] }: RestartOrder,
  servers: readonly ServerFacts[],
  group: MetaGroup | undefined,
  hosted: readonly HostedStream[],
): readonly string[] {
  if (group?.leader !== server) return [];
  const damaged = new Set([...others, ...hosted.flatMap((it) => (it.nodeMissing ? [it.server] : []))]);
  const delicate = servers.filter(
    ({ name, version }) => name !== server && damaged.has(name) && !survivesElection(version),
  );
  if (delicate.length === 0) return [];
  return [
    `${server} leads the meta group, and ${describeVersions(delicate)} would panic at the election (nats-server ${PANICS_AT_ELECTION}): restart those first`,
  ];
}

/** What must clear before a server is restarted, and again before the next one. */
export function restartBlockers(
  { server, account }: Pick<RestartOrder, "server" | "account">,
  { at, servers, meta, hosted, atRisk }: RestartEvidence,
): readonly string[] {
  // Ignore young streams: if clients create streams all the time, there is always one that is not complete.
  const isOld = ({ created }: HostedStream): boolean => !isYoung(created, at, servers);
  return [
    ...(servers.some(({ name }) => name === server) ? [] : [`${server} does not answer`]),
    ...known("the meta group", meta, (group) => [
      ...metaProblems(server, group),
      ...unanswered(servers, group)
        .filter((name) => name !== server)
        .map((name) => `${name} does not answer`),
    ]),
    ...known("which accounts a restart would harm", atRisk, ({ expired, notStored }) => [
      ...expired.map(damagedByStart),
      ...notStored.map(unknownAfterStart),
    ]),
    ...known("the streams of other accounts", hosted, (streams) =>
      replicasBehind(account, inDomainOf(server, servers, streams).filter(isOld)),
    ),
  ];
}

function known<T>(what: string, probe: Probe<T>, judge: (value: T) => readonly string[]): readonly string[] {
  return probe.ok ? judge(probe.value) : [`${what} could not be checked: ${probe.message}`];
}

/** Members that do not answer, because their streams are unknown. A server that just started may briefly see only itself. */
function unanswered(servers: readonly ServerFacts[], group: MetaGroup | undefined): readonly string[] {
  const seen = new Set(servers.map(({ name }) => name));
  const members = [group?.leader, ...(group?.peers ?? []).map(({ name }) => name)];
  return members.flatMap((name) => (name === undefined || seen.has(name) ? [] : [name]));
}

/** All other servers must be current; the server itself need not. */
function metaProblems(server: string, group: MetaGroup | undefined): readonly string[] {
  if (group === undefined) return [];
  const excused = group.peers.map((peer) =>
    peer.name === server ? { name: server, current: true, offline: false } : peer,
  );
  const disagreeing = (group.disagreeing ?? []).filter((view) => view.server !== server);
  return quorumProblems({ ...group, peers: excused, disagreeing });
}

/** On every version, a server that starts while an account is expired loses the Raft nodes of its streams. */
const damagedByStart = (account: AccountId): string =>
  `account ${account} has expired: a server that starts now would damage its streams`;

const unknownAfterStart = (account: AccountId): string =>
  `the resolver lacks the JWT of account ${account}: a server that starts now would refuse its clients; push it again first (relight heal ${account})`;

/** Without streams of other domains, which do not matter and may have the same names. */
function inDomainOf(
  name: string,
  servers: readonly ServerFacts[],
  streams: readonly HostedStream[],
): readonly HostedStream[] {
  const domains = new Map(servers.map((server) => [server.name, server.domain]));
  return streams.filter(({ server }) => domains.get(server) === domains.get(name));
}

/** Streams that could lose their majority while the server restarts, because other replicas are behind or away. */
function replicasBehind(account: AccountId, streams: readonly HostedStream[]): readonly string[] {
  const others = streams.filter((stream) => stream.account !== account && stream.replicas > 1);
  const names = new Set(others.map(nameOf));
  return [...names].flatMap((name) => {
    const reports = others.filter((stream) => nameOf(stream) === name);
    const leader = reports.find(({ server, leader }) => leader === server);
    if (leader === undefined) return [`stream ${name} has no leader`];
    const behind = leader.peers.filter(({ current }) => !current).map((peer) => peer.name);
    const away = leader.replicas - 1 - leader.peers.length;
    if (behind.length > 0) return [`stream ${name} has replicas that are behind: ${behind.join(", ")}`];
    return away > 0 ? [`stream ${name} lacks ${away} of its ${leader.replicas} replicas`] : [];
  });
}

function memoryLost({ server, account, allowMemoryLoss }: RestartOrder, streams: readonly HostedStream[]) {
  return streams
    .filter((stream) => stream.server === server && stream.storage === "memory" && stream.replicas === 1)
    .filter(({ messages }) => messages > 0)
    .filter((stream) => stream.account !== account || !allowMemoryLoss)
    .map((stream) => `memory stream ${nameOf(stream)} exists only on ${server} and would be lost`);
}

/** No policy allows this: it would lose messages on file. */
function emptiedAtStart({ server }: RestartOrder, streams: readonly HostedStream[]): readonly string[] {
  return streams
    .filter((stream) => stream.server === server && stream.emptiedByLoad)
    .map((stream) => `${server} would empty stream ${nameOf(stream)} when it starts again (nats-server #6753)`);
}

const nameOf = ({ account, name }: HostedStream): string => `${account} > ${name}`;
