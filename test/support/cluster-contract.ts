import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { UNLIMITED as UNTIERED } from "../../lab/claims.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, renewByHand, restartEach, restartWhileExpired } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { Group } from "../../lib/domain/ladder/step-down.ts";
import type { Observation } from "../../lib/domain/observation/observation.ts";
import type { Json } from "../../lib/domain/time/json.ts";
import { accountKeyOf, type Context } from "../../lib/usecases/context/context.ts";
import type { Remediation } from "../../lib/usecases/remediate/remediation.ts";
import { openWorldApp, runJobOn } from "./context.ts";
import { UNLIMITED } from "./virtual/claims.ts";
import * as virtual from "./virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld } from "./virtual/world.ts";

/** The same account on real servers and on virtual ones, and the same events on both. */

const FILE = "file" as const;
/** One stream of each kind that remedies distinguish; in a cluster those of `most` replicas have three. */
const STREAMS = [
  { name: "ORDERS", subjects: ["orders.*"], storage: FILE, isLarge: true },
  { name: "JOBS", subjects: ["jobs.>"], storage: FILE, isLarge: false, retention: "workqueue" },
  { name: "CACHE", subjects: ["cache.>"], storage: "memory", isLarge: false },
  { name: "KV_B", subjects: ["$KV.B.>"], storage: FILE, isLarge: true, allow_direct: true },
] as const;
const CONSUMERS = [
  { stream: "ORDERS", config: { durable_name: "shipping", ack_policy: "explicit" } },
  { stream: "CACHE", config: { durable_name: "reader", ack_policy: "explicit" } },
] as const;
const MESSAGES = [
  ["orders.1", 20],
  ["jobs.1", 1],
  ["cache.1", 2],
  ["$KV.B.1", 3],
] as const;

const streamConfigs = (size: number) =>
  STREAMS.map(({ isLarge, ...config }) => ({ ...config, num_replicas: isLarge ? size : 1 }));

const TIER = { mem_storage: 2 ** 26, disk_storage: 2 ** 28, streams: -1, consumer: -1 };
const tiersOf = (size: number) => ({ R1: TIER, ...(size > 1 ? { R3: TIER } : {}) });

export interface Situation {
  readonly version: string;
  readonly size: 1 | 3;
}

/** An account, and what may happen to it. */
export interface Subject extends AsyncDisposable {
  verify(): Promise<Remediation>;
  heal(): Promise<Remediation>;
  /** A heal whose process crashes after it has changed configurations for the first time. */
  healHalfway(): Promise<unknown>;
  observe(): Promise<Observation>;
  expire(): Promise<void>;
  renew(): Promise<void>;
  /** Every server restarts while the account is expired; then it is renewed. */
  restartWhileExpired(): Promise<void>;
  /** Somebody replaces the flat limits with tiers for the streams' replicas. */
  enterTiers(): Promise<void>;
  /** Every server restarts, one after the other. */
  restartEach(): Promise<void>;
  stepDown(group: Group): Promise<void>;
  /** The server that leads the stream is killed. Returns a function that starts it again. */
  killLeaderOf(stream: string): Promise<() => Promise<void>>;
}

/** Parts of a context whose process crashes after configurations were changed. */
function dying({ assets, journal }: Context): Partial<Context> {
  let isDead = false;
  const assertAlive = (): void => {
    if (isDead) throw new Error("the process died");
  };
  const configure: typeof assets.configure = async (...asked) => {
    await assets.configure(...asked);
    isDead = true;
    throw new Error("the process died");
  };
  const append: typeof journal.append = async (entry) => {
    assertAlive();
    return journal.append(entry);
  };
  return { assets: { ...assets, configure }, journal: { ...journal, append } };
}

export async function virtualSubject({ version, size }: Situation): Promise<Subject> {
  const world: VirtualWorld = virtualWorld({ servers: size, version, allowMemoryLoss: true });
  const { machines } = world;
  for (const config of streamConfigs(size)) machines.addStream(APP.id, config);
  for (const { stream, config } of CONSUMERS) machines.streamsOf(APP.id).get(stream)?.addConsumer(config);
  for (const [subject, count] of MESSAGES) {
    const [stream] = STREAMS.filter(({ subjects }) => subjects[0].startsWith(subject.split(".")[0] ?? ""));
    machines
      .streamsOf(APP.id)
      .get(stream?.name ?? "")
      ?.publish(count);
  }
  world.advance(60_000);
  return {
    verify: () => world.run("verify"),
    heal: () => world.run("heal"),
    healHalfway: () => world.run("heal", {}, dying(world.newContext())).catch((thrown: unknown) => thrown),
    observe: () => world.newContext().probes.observe(APP.id, APP.key.seed),
    expire: async () => virtual.expire(world),
    renew: async () => virtual.renewByHand(world),
    restartWhileExpired: async () => virtual.restartWhileExpired(world),
    enterTiers: async () => {
      machines.force(world.issue(APP, { limits: { ...UNLIMITED, tiered_limits: tiersOf(size) } }));
      world.advance(3_000);
    },
    restartEach: async () => virtual.restartEach(world),
    stepDown: async (group) => {
      await world.newContext().assets.stepDown(APP.id, APP.key.seed, [group]);
      world.advance(3_000);
    },
    killLeaderOf: async (stream) => {
      const name = machines.streamsOf(APP.id).get(stream)?.group.leader ?? "";
      machines.kill(name);
      world.advance(10_000);
      return async () => {
        machines.boot(name);
        world.advance(10_000);
      };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Adds the account to relight.yaml. */
const LOSS = "    allowMemoryLoss: true\n";

export async function realSubject({ version, size }: Situation): Promise<Subject> {
  const world = await createWorld({ binary: (await serverBinary(version)).path, size, yaml: LOSS });
  await fill(world, size);
  const account = world.accountId as AccountId;
  return {
    verify: () => runJobOn(world, "verify"),
    heal: () => runJobOn(world, "heal"),
    healHalfway: () => runJobOn(world, "heal", dying).catch((thrown: unknown) => thrown),
    observe: async () => {
      await using app = await openWorldApp(world);
      const context = await app.context();
      return await context.probes.observe(account, await accountKeyOf(context, account));
    },
    expire: () => expire(world),
    renew: () => renewByHand(world),
    restartWhileExpired: () => restartWhileExpired(world),
    enterTiers: async () => {
      const claims = world.claims({ iat: nowSeconds() + 1 });
      const limits = { ...UNTIERED, tiered_limits: tiersOf(size) };
      await world.push(world.sign({ ...claims, nats: { ...claims.nats, limits } }));
    },
    restartEach: () => restartEach(world),
    stepDown: async (group) => {
      await using app = await openWorldApp(world);
      const context = await app.context();
      await context.assets.stepDown(account, (await accountKeyOf(context, account)) ?? "", [group]);
    },
    killLeaderOf: async (stream) => {
      await using app = await openWorldApp(world);
      const { streams } = await (await app.context()).probes.observe(account);
      const leader = streams.ok ? streams.value.find(({ name }) => name === stream)?.leader : undefined;
      const server = world.servers[Number(leader?.replace("lab-", "")) - 1];
      if (server === undefined) throw new Error(`nobody leads ${stream}`);
      await server.kill();
      return () => server.start();
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
}

/** On another server than its leader's, a new stream is heard a moment later. */
const NEW_STREAM = { retries: 20 };

async function fill(world: World, size: number): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
    for (const config of streamConfigs(size))
      await retry(`stream ${config.name}`, () => manager.streams.add(config as never), 110_000);
    for (const { stream, config } of CONSUMERS) await manager.consumers.add(stream, config as never);
    for (const [subject, count] of MESSAGES)
      for (let index = 0; index < count; index++) await jetstream(connection).publish(subject, "message", NEW_STREAM);
  } finally {
    await connection.close();
  }
}

/** A verdict without the names of servers, which differ from run to run. */
export function summaryOf({ verdict }: Remediation): readonly string[] {
  const findings = verdict.findings.map(({ code, health, subject: { stream, consumer } }) =>
    [code, health, stream, consumer].filter((part) => part !== undefined).join(" "),
  );
  return [verdict.health, ...[...new Set(findings)].sort()];
}

/** Values that describe themselves, in varying words. */
const FREE = new Set(["config", "decoded", "claims", "document", "limits", "message"]);

/** The names and types of everything in an observation; lists by their first entry. */
export function shapeOf(value: unknown, key = ""): Json {
  if (FREE.has(key)) return typeof value;
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return typeof value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, shapeOf(inner, name)]));
}
