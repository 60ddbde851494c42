import type { ForgottenConsumer } from "../../../lib/domain/observation/observation.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import type { EpochMillis } from "../../../lib/domain/time/time.ts";
import { isoTime } from "../../../lib/domain/time/time.ts";
import { RaftGroup, type Surroundings } from "./raft-group.ts";
import { keepsParity, panicsAtUpdate, togglesDirectGets, touchRevives } from "./versions.ts";

/** Streams and consumers as a cluster has them. */

export interface VirtualConsumer {
  readonly name: string;
  config: JsonObject;
  readonly durable: boolean;
  readonly storage: "file" | "memory";
  readonly created: string;
  readonly group: RaftGroup;
  ackFloor: number;
}

/** Where streams are placed. */
export interface Home extends Surroundings {
  /** Servers with JetStream, including those that are away. */
  hosts(): readonly { readonly name: string; readonly version: string; readonly tags: readonly string[] }[];
  /** Whether they are in a cluster; standalone ones have no Raft groups. */
  readonly isClustered: boolean;
  /** The tier of the account's claims for so many replicas; undefined: none, `flat`: they have no tiers. */
  tierOf(replicas: number): string | undefined;
  /** Crashes a server. */
  panic(server: string): void;
}

const FIRST_SEQ = 1;

export class VirtualStream {
  readonly name: string;
  config: JsonObject;
  readonly storage: "file" | "memory";
  readonly created: string;
  readonly group: RaftGroup;
  readonly consumers = new Map<string, VirtualConsumer>();
  forgotten: readonly ForgottenConsumer[] = [];
  /** Servers that answer its direct gets. */
  readonly direct: Set<string>;
  /** When its last message came; ISO 8601, UTC. */
  lastAt = "0001-01-01T00:00:00Z";
  /** The tier in which it counts on each member, assigned when it is created, updated or recovered there. */
  readonly #tiers = new Map<string, string | undefined>();
  messages = 0;
  firstSeq = FIRST_SEQ;
  lastSeq = 0;
  /** What its mirror or source last heard and received from its origin. */
  heardOrigin: number;
  readonly #home: Home;

  constructor(home: Home, config: JsonObject, lastSeq = 0) {
    this.#home = home;
    this.name = String(config["name"]);
    this.storage = config["storage"] === "memory" ? "memory" : "file";
    this.config = { retention: "limits", storage: this.storage, num_replicas: 1, ...config };
    this.created = isoTime(home.timeline.now() as EpochMillis);
    this.group = new RaftGroup(home, this.#place(this.replicas));
    this.direct = new Set(this.allowsDirect ? this.group.members : []);
    this.#enterTier(this.group.members);
    this.firstSeq = lastSeq + FIRST_SEQ;
    this.lastSeq = lastSeq;
    this.heardOrigin = home.timeline.now();
  }

  get replicas(): number {
    return Number(this.config["num_replicas"]);
  }

  /** The tier in which it counts; undefined if it counts in none on any member. */
  get tier(): string | undefined {
    const [first, ...others] = this.group.members.map((member) => this.#tiers.get(member));
    return others.every((tier) => tier === first) ? first : undefined;
  }

  #enterTier(members: readonly string[]): void {
    for (const member of members) this.#tiers.set(member, this.#home.tierOf(this.replicas));
  }

  get allowsDirect(): boolean {
    return this.config["allow_direct"] === true;
  }

  get bytes(): number {
    return this.messages * 100;
  }

  /** All subscriptions for it and its consumers. */
  get groups(): readonly RaftGroup[] {
    return [this.group, ...[...this.consumers.values()].map(({ group }) => group)];
  }

  /** Takes the least used servers first, as far as tests can see: those whose names come first. */
  #place(replicas: number, beside: readonly string[] = []): readonly string[] {
    const { placement } = this.config as { readonly placement?: { readonly tags?: readonly string[] } };
    const fitting = this.#home
      .hosts()
      .filter(({ name, tags }) => !beside.includes(name) && (placement?.tags ?? []).every((tag) => tags.includes(tag)));
    return fitting.map(({ name }) => name).slice(0, replicas - beside.length);
  }

  addConsumer(config: JsonObject, ackFloor = 0): VirtualConsumer {
    const name = String(config["durable_name"] ?? config["name"]);
    const whole = { num_replicas: 0, ...config, name };
    const durable = config["durable_name"] !== undefined;
    const storage = config["mem_storage"] === true ? "memory" : this.storage;
    const members = this.#membersFor(this.#replicasOf(whole, durable));
    const group = new RaftGroup(this.#home, members);
    const created = isoTime(this.#home.timeline.now() as EpochMillis);
    const consumer = { name, config: whole, durable, storage, created, group, ackFloor } as const;
    this.consumers.set(name, { ...consumer });
    return this.consumers.get(name) as VirtualConsumer;
  }

  #membersFor(replicas: number): readonly string[] {
    const { leader, members } = this.group;
    const first = leader === undefined ? [] : [leader];
    return [...first, ...members.filter((member) => member !== leader)].slice(0, replicas);
  }

  /** As nats-server's `ConsumerConfig.replicas`. */
  #replicasOf({ num_replicas: own }: JsonObject, durable: boolean): number {
    if (this.config["retention"] !== "limits" && this.#versions().every(keepsParity)) return this.replicas;
    if (Number(own) > 0) return Number(own);
    return durable || this.config["retention"] !== "limits" ? this.replicas : 1;
  }

  #versions(): readonly string[] {
    return this.#home.hosts().map(({ version }) => version);
  }

  /** Why servers would refuse the configuration; undefined if they accept it. */
  refusal(config: JsonObject): string | undefined {
    const replicas = Number(config["num_replicas"] ?? 1);
    if (replicas > 1 && !this.#home.isClustered) return "replicas > 1 not supported in non-clustered mode";
    const hosts = this.#home.hosts().filter(({ name }) => this.#home.isUp(name));
    if (replicas > hosts.length) return "no suitable peers for placement";
    return this.#home.tierOf(replicas) === undefined
      ? "no JetStream default or applicable tiered limit present"
      : undefined;
  }

  /** An update that the servers accepted; it becomes visible a moment later. */
  update(config: JsonObject): void {
    const before = this.config;
    this.config = { retention: "limits", storage: this.storage, num_replicas: 1, ...config };
    this.#resize(this.group, this.replicas);
    this.#enterTier(this.group.members);
    for (const consumer of this.consumers.values())
      this.#resize(consumer.group, this.#replicasOf(consumer.config, consumer.durable));
    this.#touch(this.group);
    this.#switchDirect(before["allow_direct"] === true);
  }

  updateConsumer(name: string, config: JsonObject): void {
    const consumer = this.consumers.get(name);
    if (consumer === undefined) return;
    consumer.config = { num_replicas: 0, ...config, name };
    this.#resize(consumer.group, this.#replicasOf(consumer.config, consumer.durable));
    this.#touch(consumer.group);
  }

  #resize(group: RaftGroup, wanted: number): void {
    const size = Math.min(wanted, this.#home.hosts().length);
    if (group.members.length < size) {
      const beside = group.members;
      const isOwn = group === this.group;
      const more = isOwn
        ? this.#place(size, beside)
        : this.group.members.filter((one) => !beside.includes(one)).slice(0, size - beside.length);
      group.grow(more, this.bytes);
      if (isOwn && this.allowsDirect) for (const server of more) this.direct.add(server);
      return;
    }
    if (group.members.length === size) return;
    const isCut = group.shrink(size);
    if (group !== this.group) return;
    for (const server of this.direct) if (!group.members.includes(server)) this.direct.delete(server);
    // The remaining members had not copied everything yet.
    if (isCut) this.lose();
  }

  /** What an update does to servers that lost their node: it restores the node, or crashes them. */
  #touch(group: RaftGroup): void {
    for (const member of group.members) {
      const version = this.#home.hosts().find(({ name }) => name === member)?.version ?? "";
      if (group.nodes.has(member) || !this.#home.isUp(member)) continue;
      if (panicsAtUpdate(version)) this.#home.panic(member);
      else if (touchRevives(version))
        this.#home.timeline.after(this.#home.timing.catchUp, () => this.revive(group, member));
    }
  }

  /** A server runs its node of the group again, and listens if it leads. */
  revive(group: RaftGroup, server: string): void {
    if (!this.#home.isUp(server) || !group.members.includes(server)) return;
    group.join(server, this.bytes);
    if (group === this.group) this.#enterTier([server]);
    if (group === this.group && this.allowsDirect) this.direct.add(server);
  }

  #switchDirect(before: boolean): void {
    if (before === this.allowsDirect) return;
    const able = this.replicas === 1 || this.#versions().every(togglesDirectGets);
    if (!able) return;
    if (!this.allowsDirect) this.direct.clear();
    else for (const member of this.group.members) if (this.group.nodes.has(member)) this.direct.add(member);
  }

  publish(count: number): void {
    this.lastAt = isoTime(this.#home.timeline.now() as EpochMillis);
    this.messages += count;
    this.lastSeq += count;
  }

  /** A mirror or source hears its origin, and receives its messages. */
  copyFrom({ messages, firstSeq, lastSeq }: VirtualStream): void {
    this.heardOrigin = this.#home.timeline.now();
    Object.assign(this, { messages, firstSeq, lastSeq });
  }

  /** It lost all its messages. */
  lose(): void {
    this.messages = 0;
    this.firstSeq = FIRST_SEQ;
    this.lastSeq = 0;
    for (const consumer of this.consumers.values()) consumer.ackFloor = 0;
  }
}
