import { type Millis, millis } from "../time/time.ts";

/** A follower in the meta group, according to the leader. */
export interface MetaPeer {
  readonly name: string;
  /** Whether it has everything that the leader has. A server that just stopped is still reported as current for a while. */
  readonly current: boolean;
  readonly offline: boolean;
  /** How long ago the leader heard from it, in milliseconds; absent if never. */
  readonly activeAgoMillis?: Millis;
}

/** The Raft group of all JetStream servers of a domain, which stores the metadata of streams and consumers. */
export interface MetaGroup {
  readonly leader?: string;
  /** The number of members, including the leader and absent servers. */
  readonly size: number;
  /** The followers; empty if there is no leader to report them. */
  readonly peers: readonly MetaPeer[];
  /** Servers that know no leader or another one; absent if all agree. */
  readonly disagreeing?: readonly MetaDisagreement[];
  /** Servers that have turned their JetStream off until they restart; absent if none did, or if there is no leader. */
  readonly off?: readonly string[];
}

export interface MetaDisagreement {
  readonly server: string;
  readonly leader?: string;
}

/**
 * A Raft leader sends heartbeats every second and gives up after ten seconds without a quorum (nats-server raft.go). A
 * killed server is reported as offline only after more than a minute (tested on 2.10.27, 2.15.1), so silence counts.
 */
const SILENT = millis(3_000);
const GIVEN_UP = millis(10_000);

/** Problems of the meta group; empty if it has a leader and every peer is present and current. */
export function quorumProblems(meta: MetaGroup): readonly string[] {
  if (meta.leader === undefined) return [`the meta group of ${meta.size} servers has no leader`];
  return [
    ...(hasQuorum(meta) ? [] : [lostQuorum(meta)]),
    ...meta.peers.flatMap((peer) => peerProblem(peer) ?? []),
    ...missing(meta),
    ...(meta.disagreeing ?? []).map((view) => describeDisagreement(view, meta.leader)),
  ];
}

/** Whether there is a leader and it hears a quorum. */
export function hasQuorum(meta: MetaGroup): boolean {
  return meta.leader !== undefined && heard(meta) >= needed(meta);
}

const needed = ({ size }: MetaGroup): number => Math.floor(size / 2) + 1;

/** The number of servers that the leader hears, including itself. */
const heard = ({ peers }: MetaGroup): number => 1 + peers.filter(isHeard).length;

/** Whether the leader should have heard from the peer by now but has not. */
export function isAway({ offline, activeAgoMillis = millis(0) }: MetaPeer): boolean {
  return offline || activeAgoMillis > SILENT;
}

const isHeard = ({ offline, activeAgoMillis = millis(0) }: MetaPeer): boolean =>
  !offline && activeAgoMillis <= GIVEN_UP;

/** Members of the meta group that do not answer. */
export interface Away {
  /** Those with known names. Only a leader reports names. */
  readonly names: readonly string[];
  readonly unnamed: number;
}

/** The members of the meta group that are not among those that `answered`. */
export function awayFrom(meta: MetaGroup, answered: ReadonlySet<string>): Away {
  const { leader, size, peers } = meta;
  const members = [...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)];
  const names = members.filter((name) => !answered.has(name)).sort();
  // Without a leader no names are known: all responding servers may be members.
  const known = leader === undefined ? answered.size : members.length;
  return { names, unnamed: Math.max(0, size - known) };
}

/** Who does not answer, for people; undefined if all do. */
export function describeAway({ names, unnamed }: Away): string | undefined {
  const all = [
    ...names,
    ...(unnamed > 0 ? [`${unnamed}${names.length > 0 ? " more" : ""} of the meta group's servers`] : []),
  ];
  if (all.length === 0) return undefined;
  return `${all.join(", ")} ${names.length + unnamed === 1 ? "does" : "do"} not answer`;
}

function lostQuorum(meta: MetaGroup): string {
  return `the meta group has no quorum: the leader hears ${heard(meta)} of ${meta.size} servers and needs ${needed(meta)}`;
}

function peerProblem(peer: MetaPeer): string | undefined {
  const { name, activeAgoMillis = 0 } = peer;
  if (peer.offline) return `${name} is offline`;
  if (activeAgoMillis > SILENT) return `the meta leader last heard ${name} ${Math.round(activeAgoMillis / 1000)} s ago`;
  return peer.current ? undefined : `${name} has not caught up with the meta leader`;
}

function missing({ peers, size }: MetaGroup): string[] {
  const absent = size - 1 - peers.length;
  return absent > 0 ? [`the meta leader does not know ${absent} of the group's ${size} servers`] : [];
}

function describeDisagreement({ server, leader: named }: MetaDisagreement, leader: string | undefined): string {
  return named === undefined
    ? `${server} knows no meta leader`
    : `${server} follows the meta leader ${named}, not ${leader}`;
}
