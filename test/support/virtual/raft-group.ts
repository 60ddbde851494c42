import type { Peer } from "../../../lib/domain/observation/observation.ts";
import type { Timeline } from "./timeline.ts";

/** How long a cluster's actions take; milliseconds. Tests may set longer times. */
export const TIMING = {
  /** Until one request is answered. */
  answer: 10,
  /** Until a new leader leads after a step-down, and after the leader went away. */
  stepDown: 600,
  leaderGone: 5_000,
  /** Until a leader without a majority gives up. */
  quorumLost: 10_000,
  /** Until a new member has everything that the leader has, not counting the time for the bytes. */
  catchUp: 1_000,
  /** Until an update of a configuration is visible. */
  update: 150,
  /** Until a restarted server is back. */
  restart: 4_000,
  /** Until a server switches an account's JetStream. */
  jetstream: 800,
};
export type Timing = { -readonly [what in keyof typeof TIMING]: number };

/** What a group knows about its environment. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly timing: Timing;
  isUp(server: string): boolean;
}

/** A group as servers report it: what `StreamFacts` and `ConsumerFacts` have in common. */
export interface ReportedGroup {
  readonly server: string;
  readonly leader?: string;
  readonly reportedBy: string;
  readonly peers: readonly Peer[];
  readonly nodeMissingOn: readonly string[];
}

/**
 * The Raft group of a stream, of a consumer, or of the servers themselves. JetStream listens on the leader, unless its
 * subscriptions there are dead (`deaf`).
 */
export class RaftGroup {
  leader: string | undefined;
  /** Since when that one leads; the clock's beginning for the first. Milliseconds. */
  ledSince = 0;
  members: readonly string[];
  /** Members that run a node of the group. */
  readonly nodes: Set<string>;
  /** Servers on which its subscriptions are dead. */
  readonly deaf = new Set<string>();
  /** Members that keep it, with or without a node: all do if it is on file. */
  readonly holders: Set<string>;
  /** Called whenever the leader changes. */
  onElected: () => void = () => undefined;
  readonly #here: Surroundings;
  readonly #currentFrom = new Map<string, number>();
  /** The awaited election: earlier ones are void. */
  #term = 0;

  constructor(here: Surroundings, members: readonly string[]) {
    this.#here = here;
    this.members = members;
    this.nodes = new Set(members);
    this.holders = new Set(members);
    this.leader = members[0];
  }

  get isHeard(): boolean {
    return this.isLed && !this.deaf.has(String(this.leader));
  }

  /** Whether its leader is up. The others name one that went away until they elect another. */
  get isLed(): boolean {
    return this.leader !== undefined && this.#runs(this.leader);
  }

  /** Whether a member has everything that the leader has, and could take over. */
  isCurrent(server: string): boolean {
    return this.#runs(server) && (this.#currentFrom.get(server) ?? 0) <= this.#here.timeline.now();
  }

  get hasMajority(): boolean {
    return this.members.filter((member) => this.#runs(member)).length > this.members.length / 2;
  }

  #runs(server: string): boolean {
    return this.#here.isUp(server) && this.nodes.has(server);
  }

  /** Lets another member lead, if there is one. */
  stepDown(): void {
    const before = this.leader;
    if (before === undefined || !this.isLed || this.members.length === 1) return;
    this.leader = undefined;
    this.#elect(this.#here.timing.stepDown, before);
  }

  /** A server, or its node, is gone. */
  leave(server: string): void {
    this.nodes.delete(server);
    this.deaf.delete(server);
    if (this.leader === server) this.#elect(this.#here.timing.leaderGone, server);
    else if (!this.hasMajority) {
      const term = ++this.#term;
      this.#here.timeline.after(this.#here.timing.quorumLost, () => {
        if (term === this.#term && !this.hasMajority) this.leader = undefined;
      });
    }
  }

  /** A member runs a node again, or for the first time, and copies from the others. */
  join(server: string, bytes = 0): void {
    const { timeline, timing } = this.#here;
    const isFirst = this.members.length === 1 || this.nodes.size === 0;
    this.nodes.add(server);
    this.holders.add(server);
    this.#currentFrom.set(server, isFirst ? 0 : timeline.now() + timing.catchUp + bytes / 5_000);
    if (this.isLed) return;
    // There are no other voters.
    if (this.members.length === 1) this.#led(server);
    else this.#elect(timing.stepDown);
  }

  /** Adds members, which copy the existing data. */
  grow(servers: readonly string[], bytes: number): void {
    this.members = [...this.members, ...servers];
    for (const server of servers) this.join(server, bytes);
  }

  /**
   * Keeps so many members: the leader first, then current ones. @returns whether no remaining member has everything.
   */
  shrink(size: number): boolean {
    const rank = (member: string): number =>
      member === this.leader ? 0 : this.isCurrent(member) ? 1 : this.#runs(member) ? 2 : 3;
    // Without a leader it is unknown who has everything: any of them stays.
    const order = this.isLed ? [...this.members].sort((a, b) => rank(a) - rank(b)) : [...this.members];
    const stay = order.slice(0, size);
    const wasWhole = stay.some((member) => this.isCurrent(member));
    for (const member of this.members.filter((one) => !stay.includes(one))) {
      this.nodes.delete(member);
      this.holders.delete(member);
      this.deaf.delete(member);
    }
    this.members = stay;
    for (const member of stay) this.#currentFrom.set(member, 0);
    if (!this.isLed || !stay.includes(String(this.leader))) {
      this.leader = undefined;
      this.#elect(this.#here.timing.stepDown);
    }
    return !wasWhole;
  }

  #elect(delay: number, except?: string): void {
    const term = ++this.#term;
    this.#here.timeline.after(delay, () => this.#decide(term, except));
  }

  #decide(term: number, except?: string): void {
    if (term !== this.#term || this.isLed) return;
    this.leader = undefined;
    if (!this.hasMajority) return;
    const able = this.members.filter((member) => this.isCurrent(member));
    const next = able.find((member) => member !== except) ?? able[0];
    if (next === undefined) {
      this.#here.timeline.after(this.#here.timing.stepDown, () => this.#decide(term, except));
      return;
    }
    // A former leader subscribes again if it leads again.
    if (except !== undefined && next !== except) this.deaf.delete(except);
    this.#led(next);
    this.onElected();
  }

  #led(server: string): void {
    this.leader = server;
    this.ledSince = this.#here.timeline.now();
  }

  /**
   * As servers report it; undefined if no running server has it. A server that lost its node calls itself leader.
   * @param asked servers that were asked.
   */
  report(asked: readonly string[]): ReportedGroup | undefined {
    const up = this.members.filter((member) => asked.includes(member) && this.#here.isUp(member));
    const holding = up.filter((member) => this.holders.has(member));
    const missing = up.filter((member) => !this.nodes.has(member)).sort();
    const [first] = holding;
    if (first === undefined) return undefined;
    const withNode = holding.filter((member) => this.nodes.has(member));
    const reportedBy = withNode.find((member) => member === this.leader) ?? withNode[0] ?? first;
    if (withNode.length === 0)
      return { server: first, leader: first, reportedBy: first, peers: [], nodeMissingOn: missing };
    const peers = this.members
      .filter((member) => member !== reportedBy)
      .map((name) => ({ name, current: this.isCurrent(name) }));
    return {
      server: this.leader ?? reportedBy,
      ...(this.leader === undefined ? {} : { leader: this.leader }),
      reportedBy,
      peers,
      nodeMissingOn: missing,
    };
  }
}
