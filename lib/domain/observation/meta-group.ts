import { type Millis, millis } from "../time/time.ts";

/** One server of the meta group beside its leader, as the leader tells of it. */
export interface MetaPeer {
  readonly name: string;
  /** Whether it has all that the leader has. A server that just stopped is still called current for a while. */
  readonly current: boolean;
  readonly offline: boolean;
  /** How long ago the leader heard from it, milliseconds; absent where it never did. */
  readonly activeAgoMillis?: Millis;
}

/** The Raft group of all JetStream servers of a domain, which keeps what streams and consumers there are. */
export interface MetaGroup {
  readonly leader?: string;
  /** How many servers it counts, the leader and those that are away included. */
  readonly size: number;
  /** The members beside the leader; empty where there is no leader to tell. */
  readonly peers: readonly MetaPeer[];
  /** Servers that know no leader, or name another one; absent where all agree. */
  readonly dissenting?: readonly MetaDissent[];
}

export interface MetaDissent {
  readonly server: string;
  readonly leader?: string;
}

/**
 * A Raft leader beats every second and gives its quorum up after ten without answers (nats-server raft.go).
 * A killed server is not called offline for more than a minute (ran: 2.10.27, 2.15.1), so silence counts.
 */
const SILENT = millis(3_000);
const GIVEN_UP = millis(10_000);

/** Why nothing that needs the meta group may be done now; empty: a leader, and every peer there and current. */
export function quorumProblems(meta: MetaGroup): readonly string[] {
  if (meta.leader === undefined) return [`the meta group of ${meta.size} servers has no leader`];
  return [
    ...(hasQuorum(meta) ? [] : [lostQuorum(meta)]),
    ...meta.peers.flatMap((peer) => peerProblem(peer) ?? []),
    ...missing(meta),
    ...(meta.dissenting ?? []).map((dissent) => describeDissent(dissent, meta.leader)),
  ];
}

/** Whether a leader is known and enough servers can be heard to decide anything. */
export function hasQuorum(meta: MetaGroup): boolean {
  return meta.leader !== undefined && heard(meta) >= needed(meta);
}

const needed = ({ size }: MetaGroup): number => Math.floor(size / 2) + 1;

/** The leader and the peers that it hears. */
const heard = ({ peers }: MetaGroup): number => 1 + peers.filter(isHeard).length;

/** Whether the leader would have to hear from it by now, and does not. */
export function isAway({ offline, activeAgoMillis = millis(0) }: MetaPeer): boolean {
  return offline || activeAgoMillis > SILENT;
}

const isHeard = ({ offline, activeAgoMillis = millis(0) }: MetaPeer): boolean =>
  !offline && activeAgoMillis <= GIVEN_UP;

/** Members that do not answer, by what the meta group says of itself. */
export interface Away {
  /** Those whose names are known. Only a leader tells names. */
  readonly names: readonly string[];
  readonly unnamed: number;
}

/** Who of the meta group is not among those that `answered`. */
export function awayFrom(meta: MetaGroup, answered: ReadonlySet<string>): Away {
  const { leader, size, peers } = meta;
  const members = [...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)];
  const names = members.filter((name) => !answered.has(name)).sort();
  // Without a leader nobody is named: all that answer may be members.
  const known = leader === undefined ? answered.size : members.length;
  return { names, unnamed: Math.max(0, size - known) };
}

function lostQuorum(meta: MetaGroup): string {
  return `the meta group has no quorum: ${heard(meta)} of ${meta.size} servers, ${needed(meta)} are needed`;
}

function peerProblem(peer: MetaPeer): string | undefined {
  const { name, activeAgoMillis = 0 } = peer;
  if (peer.offline) return `${name} is offline`;
  if (activeAgoMillis > SILENT) return `${name} was last heard ${Math.round(activeAgoMillis / 1000)} s ago`;
  return peer.current ? undefined : `${name} has not caught up with the meta leader`;
}

function missing({ peers, size }: MetaGroup): string[] {
  const absent = size - 1 - peers.length;
  return absent > 0 ? [`the meta leader knows nothing of ${absent} of the group's ${size} servers`] : [];
}

function describeDissent({ server, leader: named }: MetaDissent, leader: string | undefined): string {
  return named === undefined
    ? `${server} knows no meta leader`
    : `${server} takes ${named} for the meta leader, not ${leader}`;
}
