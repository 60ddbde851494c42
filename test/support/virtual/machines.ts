import { jwtCodec } from "../../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { isTrusted } from "../../../lib/domain/claims/claims-source.ts";
import type { Operator } from "../../../lib/domain/claims/operator.ts";
import type { Group } from "../../../lib/domain/ladder/step-down.ts";
import { nameOfGroup } from "../../../lib/domain/ladder/step-down.ts";
import { enablesJetStream, limitsOf } from "../../../lib/domain/limits/jetstream-limits.ts";
import { tiersOf } from "../../../lib/domain/limits/limit-changes.ts";
import type { ServerCapacity } from "../../../lib/domain/limits/server-use.ts";
import { type EpochMillis, epochMillis, type Millis, millis, toMillis } from "../../../lib/domain/time/time.ts";
import type { Clock } from "../../../lib/ports/clock.ts";
import type { DecodedJwt } from "../../../lib/ports/keys.ts";
import { type Faults, noFaults } from "./faults.ts";
import { RaftGroup, TIMING, type Timing } from "./raft-group.ts";
import { type Home, VirtualStream } from "./stream.ts";
import { type Timeline, timeline } from "./timeline.ts";
import { deafens, forgetsConsumers, panicsAtElection } from "./versions.ts";

/** How long a mirror or source takes until it hears an origin that works again. */
const RESUMES_AFTER = 10_000;
/** A full resolver deletes an expired account's JWT within a minute (tested on every version). */
const FORGETS_AFTER = 60_000;
const ROOM = 2 ** 30;

export interface ServerSpec {
  readonly name: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  readonly jetstream?: boolean;
  /** How far its clock is ahead. */
  readonly skew?: Millis;
  /** What it may give to JetStream; bytes of each kind. */
  readonly room?: number;
}

export interface VirtualServer extends Required<Omit<ServerSpec, "skew">> {
  skew: Millis;
  id: string;
  isUp: boolean;
  /** When it last went away or came back. */
  since: number;
  readonly accounts: Map<AccountId, LoadedAccount>;
}

/** An account as a server has it loaded. */
interface LoadedAccount {
  jwt: DecodedJwt;
  /** `CLAIMS.DELETE` arrived: its clients are refused, whatever the claims say. */
  refused: boolean;
  jetstream: boolean;
  /** When it began to run the JWT, by its own clock. */
  appliedAt: number;
}

export interface MachinesSettings {
  readonly clock: Clock;
  readonly operator: Operator;
  readonly servers: readonly ServerSpec[];
  /** Whether the servers are a cluster; by default, if there are several. */
  readonly isClustered?: boolean;
}

/** The servers of a virtual cluster, what they run and hold, and what happens to them. */
export class Machines {
  readonly servers: readonly VirtualServer[];
  readonly isClustered: boolean;
  readonly operator: Operator;
  readonly timeline: Timeline;
  readonly timing: Timing = { ...TIMING };
  readonly faults: Faults = noFaults();
  /** The group of all servers with JetStream; undefined for a standalone one. */
  readonly meta: RaftGroup | undefined;
  /** Servers that panicked, in order. */
  readonly panics: string[] = [];
  /** Servers that were restarted through the restarter, in order. */
  readonly restarts: string[] = [];
  readonly pushes: { readonly at: EpochMillis; readonly jwt: DecodedJwt }[] = [];
  readonly #held = new Map<AccountId, DecodedJwt>();
  readonly #streams = new Map<AccountId, Map<string, VirtualStream>>();
  readonly #listeners = new Set<(account: AccountId, group: Group) => void>();
  #starts = 0;

  constructor({ clock, operator, servers, isClustered = servers.length > 1 }: MachinesSettings) {
    this.operator = operator;
    this.isClustered = isClustered;
    this.timeline = timeline(clock);
    this.servers = servers.map((spec) => ({
      version: "2.15.1",
      tags: [],
      jetstream: true,
      skew: millis(0),
      room: ROOM,
      ...spec,
      id: this.#newId(spec.name),
      isUp: true,
      since: clock.now(),
      accounts: new Map(),
    }));
    if (!isClustered) return;
    const hosts = this.servers.filter(({ jetstream }) => jetstream).map(({ name }) => name);
    this.meta = new RaftGroup(this.#surroundings(), hosts);
    this.meta.onElected = () => this.#metaElected();
  }

  #newId(name: string): string {
    this.#starts += 1;
    return `N-${name}-${this.#starts}`;
  }

  #surroundings() {
    const { timeline, timing } = this;
    return { timeline, timing, isUp: (name: string) => this.server(name).isUp };
  }

  server(name: string): VirtualServer {
    const found = this.servers.find((server) => server.name === name);
    if (found === undefined) throw new Error(`there is no server ${name}`);
    return found;
  }

  /** The account's streams by name. */
  streamsOf(account: AccountId): Map<string, VirtualStream> {
    const found = this.#streams.get(account) ?? new Map<string, VirtualStream>();
    this.#streams.set(account, found);
    return found;
  }

  accountsWithStreams(): readonly AccountId[] {
    return [...this.#streams].filter(([, streams]) => streams.size > 0).map(([account]) => account);
  }

  addStream(account: AccountId, config: object, lastSeq?: number): VirtualStream {
    const stream = new VirtualStream(this.#homeOf(account), { ...config } as never, lastSeq);
    this.streamsOf(account).set(stream.name, stream);
    for (const server of this.servers) this.#awaitEnd(server, account);
    return stream;
  }

  #homeOf(account: AccountId): Home {
    return {
      ...this.#surroundings(),
      isClustered: this.isClustered,
      hosts: () => this.servers.filter(({ jetstream }) => jetstream),
      tierOf: (replicas) => this.#tierOf(account, replicas),
      panic: (name) => this.panic(name),
    };
  }

  #tierOf(account: AccountId, replicas: number): string | undefined {
    const loaded = this.servers.flatMap(({ accounts }) => accounts.get(account) ?? [])[0];
    const tiers = loaded && tiersOf(limitsOf(loaded.jwt.document.claims));
    if (tiers === undefined || Object.keys(tiers).length === 0) return "flat";
    return tiers[`R${replicas}`] === undefined ? undefined : `R${replicas}`;
  }

  /** Servers that apply flat limits to the account. */
  flatOn(account: AccountId): readonly string[] {
    return this.servers.flatMap(({ name, accounts }) => {
      const claims = accounts.get(account)?.jwt.document.claims;
      return claims !== undefined && Object.keys(tiersOf(limitsOf(claims))).length === 0 ? [name] : [];
    });
  }

  /** The resolver's JWT of an account. */
  stored(account: AccountId): DecodedJwt | undefined {
    const jwt = this.#held.get(account);
    const exp = jwt?.document.claims.exp;
    if (exp === undefined || toMillis(exp) + FORGETS_AFTER > this.timeline.now()) return jwt;
    this.#held.delete(account);
    return undefined;
  }

  storedAccounts(): readonly AccountId[] {
    return [...this.#held.keys()].filter((account) => this.stored(account) !== undefined);
  }

  isExpired({ skew }: VirtualServer, { jwt, refused }: LoadedAccount): boolean {
    const { exp } = jwt.document.claims;
    return refused || (exp !== undefined && toMillis(exp) <= this.timeline.now() + skew);
  }

  /** Puts a JWT into the resolver, whatever its content, as a push does. */
  store(jwt: DecodedJwt): void {
    this.#held.set(jwt.document.claims.sub, jwt);
  }

  /** The resolver loses an account. */
  forget(account: AccountId): void {
    this.#held.delete(account);
  }

  /** Puts a JWT in force at once on every server that is up, as somebody else's push would. */
  force(token: string): void {
    const jwt = jwtCodec.decode(token);
    this.store(jwt);
    for (const server of this.servers) if (server.isUp) this.load(server, jwt);
  }

  /** Like `CLAIMS.DELETE`: the resolver no longer has it, and every server refuses its clients. */
  deleteAccount(account: AccountId): void {
    this.#held.delete(account);
    for (const server of this.servers) {
      const loaded = server.accounts.get(account);
      if (loaded === undefined) continue;
      loaded.refused = true;
      this.#closeClients(server, account);
    }
  }

  /** A server runs a JWT from now on, unless it distrusts it or it has expired: then nothing changes. */
  load(server: VirtualServer, jwt: DecodedJwt): void {
    const now = this.timeline.now() + server.skew;
    const isOver = this.isExpired(server, { jwt, refused: false, jetstream: false, appliedAt: now });
    if (isOver || !isTrusted(jwt, this.operator)) return;
    const account = jwt.document.claims.sub;
    const before = server.accounts.get(account);
    const wasOver = before === undefined || this.isExpired(server, before);
    const wanted = this.#mayHaveJetStream(server, jwt);
    const appliedAt = before?.jwt === jwt ? before.appliedAt : now;
    server.accounts.set(account, { jwt, refused: false, jetstream: before?.jetstream ?? false, appliedAt });
    this.#awaitEnd(server, account);
    if (wanted !== (before?.jetstream ?? false))
      this.timeline.after(this.timing.jetstream, () => this.#switchJetStream(server, account));
    // A standalone server that started while the account was expired creates its streams when it learns of it again.
    if (wasOver && before !== undefined) this.#recover(server, account);
  }

  #mayHaveJetStream({ name, jetstream }: VirtualServer, { document }: DecodedJwt): boolean {
    return jetstream && enablesJetStream(document.claims) && !this.faults.withoutJetStream.has(name);
  }

  #awaitEnd(server: VirtualServer, account: AccountId): void {
    const { jwt } = server.accounts.get(account) ?? {};
    const exp = jwt?.document.claims.exp;
    if (exp === undefined || this.streamsOf(account).size === 0) return;
    const end = toMillis(exp) - server.skew;
    // A server that starts after the expiry has opened nothing that could be closed.
    if (end <= this.timeline.now()) return;
    this.timeline.at(end, () => {
      if (server.isUp && server.accounts.get(account)?.jwt === jwt) this.#closeClients(server, account);
    });
  }

  /** The expiry of the claims closes every client of the account, on some versions JetStream's own, too. */
  #closeClients(server: VirtualServer, account: AccountId): void {
    if (!deafens(server.version)) return;
    for (const stream of this.streamsOf(account).values()) {
      stream.direct.delete(server.name);
      for (const group of stream.groups) if (group.leader === server.name) group.deaf.add(server.name);
    }
  }

  #switchJetStream(server: VirtualServer, account: AccountId): void {
    const loaded = server.accounts.get(account);
    if (!server.isUp || loaded === undefined) return;
    const wanted = this.#mayHaveJetStream(server, loaded.jwt);
    if (wanted === loaded.jetstream) return;
    loaded.jetstream = wanted;
    if (wanted) this.#recover(server, account);
    else this.#stopStreams(server, account);
  }

  /** What is left of an account's JetStream after it is removed. In a cluster that destroys streams. */
  #stopStreams(server: VirtualServer, account: AccountId): void {
    for (const stream of [...this.streamsOf(account).values()]) {
      if (!stream.group.members.includes(server.name)) continue;
      if (stream.storage === "memory") this.streamsOf(account).delete(stream.name);
      for (const { name, storage, group } of [...stream.consumers.values()])
        if (storage === "memory" || (this.isClustered && group.members.length === 1)) stream.consumers.delete(name);
      stream.direct.delete(server.name);
      for (const group of stream.groups) group.leave(server.name);
    }
  }

  /** A standalone server recreates what it has of an account. In a cluster nothing changes. */
  #recover(server: VirtualServer, account: AccountId): void {
    if (this.isClustered) return;
    for (const stream of this.streamsOf(account).values()) {
      for (const group of stream.groups)
        if (group.members.includes(server.name) && !group.nodes.has(server.name)) stream.revive(group, server.name);
    }
  }

  /** A server goes away at once, as killed. */
  kill(name: string): void {
    const server = this.server(name);
    if (!server.isUp) return;
    server.isUp = false;
    server.since = this.timeline.now();
    this.meta?.leave(name);
    for (const account of this.#streams.keys()) this.#leaveStreams(server, account);
    server.accounts.clear();
  }

  #leaveStreams({ name }: VirtualServer, account: AccountId): void {
    for (const stream of this.streamsOf(account).values()) {
      const isOnlyHere = !stream.group.members.some((one) => stream.group.isCurrent(one));
      if (stream.storage === "memory" && stream.group.members.includes(name)) {
        stream.group.holders.delete(name);
        if (isOnlyHere) this.#loseMemory(account, stream);
      }
      for (const consumer of stream.consumers.values()) {
        if (consumer.storage !== "memory" || !consumer.group.members.includes(name)) continue;
        consumer.group.holders.delete(name);
        if (!consumer.group.members.some((one) => consumer.group.isCurrent(one))) consumer.ackFloor = 0;
      }
      stream.direct.delete(name);
      for (const group of stream.groups) if (group.members.includes(name)) group.leave(name);
    }
  }

  /** A standalone server forgets the stream; a cluster recreates it, empty. */
  #loseMemory(account: AccountId, stream: VirtualStream): void {
    if (this.isClustered) stream.lose();
    else this.streamsOf(account).delete(stream.name);
  }

  panic(name: string): void {
    if (!this.server(name).isUp) return;
    this.panics.push(name);
    this.kill(name);
  }

  /** A server that was away is back: its accounts' claims decide what it makes of their streams. */
  boot(name: string): void {
    const server = this.server(name);
    if (server.isUp) return;
    server.isUp = true;
    server.id = this.#newId(name);
    server.since = this.timeline.now();
    for (const account of this.storedAccounts()) {
      const jwt = this.stored(account);
      if (jwt === undefined) continue;
      const appliedAt = this.timeline.now() + server.skew;
      const jetstream = this.#mayHaveJetStream(server, jwt);
      server.accounts.set(account, { jwt, refused: false, jetstream, appliedAt });
      this.#awaitEnd(server, account);
    }
    for (const account of this.#streams.keys()) this.#startStreams(server, account);
    this.meta?.join(name);
  }

  #startStreams(server: VirtualServer, account: AccountId): void {
    const loaded = server.accounts.get(account);
    const isAlive = loaded?.jetstream === true && !this.isExpired(server, loaded);
    for (const stream of this.streamsOf(account).values()) {
      const mine = stream.groups.filter(({ members }) => members.includes(server.name));
      if (isAlive) for (const group of mine) stream.revive(group, server.name);
      else if (this.isClustered && forgetsConsumers(server.version)) this.#forget(server, stream);
    }
  }

  #forget({ name: server }: VirtualServer, stream: VirtualStream): void {
    for (const { name, durable, ackFloor, config, group } of [...stream.consumers.values()]) {
      if (group.members.length > 1 || !group.members.includes(server)) continue;
      stream.consumers.delete(name);
      stream.forgotten = [...stream.forgotten, { server, name, durable, ackFloor, config }];
    }
  }

  /** A restart as an orchestrator does it. */
  restart(name: string, isBack = true): void {
    this.kill(name);
    if (isBack) this.timeline.after(this.timing.restart, () => this.boot(name));
  }

  /** Whether a server lacks a node of anything that it should run. */
  isDamaged({ name }: VirtualServer): boolean {
    return [...this.#streams.values()].some((streams) =>
      [...streams.values()].some((stream) =>
        stream.groups.some(({ members, nodes }) => members.includes(name) && !nodes.has(name)),
      ),
    );
  }

  #metaElected(): void {
    for (const server of this.servers)
      if (server.isUp && panicsAtElection(server.version) && this.isDamaged(server)) this.panic(server.name);
  }

  /** What a client of the account asks JetStream to delete. */
  deleteAsset(account: AccountId, group: Group): void {
    const { stream, consumer } = group;
    if (consumer === undefined) this.streamsOf(account).delete(stream);
    else this.streamsOf(account).get(stream)?.consumers.delete(consumer);
    for (const hear of this.#listeners) hear(account, group);
  }

  /** How many listen to deletion requests. */
  get listening(): number {
    return this.#listeners.size;
  }

  /** Collects deletion requests of an account, until it is disposed. */
  listen(account: AccountId): { readonly asked: ReadonlySet<string>; stop(): void } {
    const asked = new Set<string>();
    const hear = (of: AccountId, group: Group): void => {
      if (of === account) asked.add(nameOfGroup(group));
    };
    this.#listeners.add(hear);
    return { asked, stop: () => void this.#listeners.delete(hear) };
  }

  capacityOf({ name, room }: VirtualServer): ServerCapacity {
    const held = [...this.#streams.values()].flatMap((streams) => [...streams.values()]);
    const here = held.filter(({ group }) => group.members.includes(name));
    const of = (storage: "file" | "memory", amount: (stream: VirtualStream) => number): number =>
      here.filter((stream) => stream.storage === storage).reduce((sum, stream) => sum + amount(stream), 0);
    const reserved = ({ config }: VirtualStream): number => Math.max(0, Number(config["max_bytes"] ?? 0));
    return {
      server: name,
      max: { memory: room, file: room },
      reserved: { memory: of("memory", reserved), file: of("file", reserved) },
      used: { memory: of("memory", ({ bytes }) => bytes), file: of("file", ({ bytes }) => bytes) },
    };
  }

  /** How long ago a copy heard its origin, as its leader reports it; milliseconds. */
  heardOriginAgo(copy: VirtualStream, origin: VirtualStream | undefined): number {
    const now = this.timeline.now();
    const isHeard = origin?.group.isHeard === true && copy.group.isLed;
    const since = Math.max(origin?.group.ledSince ?? 0, copy.group.ledSince);
    if (isHeard && now >= since + RESUMES_AFTER) copy.copyFrom(origin);
    return now - copy.heardOrigin;
  }

  notePush(jwt: DecodedJwt): void {
    this.pushes.push({ at: epochMillis(this.timeline.now()), jwt });
  }
}
