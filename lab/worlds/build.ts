import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AckPolicy,
  type ConsumerConfig,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { createAccount } from "@nats-io/nkeys";
import { Objm } from "@nats-io/obj";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { isAlive } from "../alive.ts";
import { accountClaims, JETSTREAM, UNLIMITED } from "../claims.ts";
import { createDomains } from "../domains.ts";
import { type Claims, newCredentials, signClaims } from "../keys.ts";
import type { NatsServer } from "../nats-server.ts";
import { accountStates } from "../pushes.ts";
import { endServer, processIdOf } from "../restart-server.ts";
import { serverBinary } from "../server-binaries.ts";
import { retry, waitFor } from "../wait.ts";
import { createWorld, type World } from "../world.ts";
import { type Access, judge, login, type Subjects } from "./judge.ts";
import { KEPT } from "./judge-buckets.ts";
import { limited } from "./limits.ts";
import {
  type BucketPlan,
  type ConsumerPlan,
  EDGE,
  literalOf,
  type StreamPlan,
  sizeOf,
  type WorldPlan,
} from "./plan.ts";
import { settle } from "./settings.ts";

/** A plan that was carried out. */
export interface Built extends AsyncDisposable {
  readonly plan: WorldPlan;
  readonly world: World;
  /** Every server, the leafnode's too. */
  readonly servers: readonly NatsServer[];
  readonly access: Access;
  /** The id of the account that this one shares with. */
  readonly other: string;
  /** Changes the claims of later pushes. */
  change(edit: (claims: Claims) => Claims): void;
}

/** Nanoseconds. */
const STAYS = 3_600_000_000_000;

/** Starts the servers, and creates everything in the plan. @throws Error if a server refuses something. */
export async function build(plan: WorldPlan): Promise<Built> {
  const { path } = await serverBinary(plan.version);
  const paths = await Promise.all((plan.versions ?? []).map(async (version) => (await serverBinary(version)).path));
  const binary = (index: number): string => paths[index] ?? path;
  await using stack = new AsyncDisposableStack();
  const domains = plan.topology === "hub-leaf" ? stack.use(await createDomains({ binary: path })) : undefined;
  const plain = domains?.hub ?? stack.use(await createWorld({ binary, size: sizeOf(plan.topology) }));
  const servers = domains === undefined ? plain.servers : [...plain.servers, domains.leaf];
  // Servers that Relight restarted are nobody's children.
  stack.defer(async () => {
    await Promise.all(servers.map(({ folder }) => endServer(folder)));
  });
  const other = createAccount();
  const edits: ((claims: Claims) => Claims)[] = [withCrossing(plan, other.getPublicKey())];
  const claims: World["claims"] = (changes) =>
    edits.reduce((before, edit) => edit(before), plain.claims(changes) as Claims);
  const urls = plain.servers.map(({ url }) => url);
  const connectAs: World["connectAs"] = async (who) => {
    const credentials = await readFile(join(plain.home, who === "system" ? "sys.creds" : "app.creds"));
    return connect({ servers: urls, reconnect: false, authenticator: credsAuthenticator(credentials) });
  };
  const world: World = { ...plain, claims, connectAs, push: (token) => pushTo(world, token) };
  const access: Access = {
    servers: urls,
    edge: domains === undefined ? [] : [domains.leaf.url],
    account: await readFile(join(plain.home, "app.creds"), "utf8"),
    other: newCredentials(other, "other", plain.accountSigningKey),
  };
  await settle(world, plan);
  await pushOther(world, plan, other, () => claims());
  // Changing them while streams exist is a damage of its own, so these limits are there from the start.
  edits.push((before) => limited(before, plan));
  await world.push(world.sign(claims()));
  await fillWorld(access, plan);
  const all = stack.move();
  return {
    plan,
    world,
    servers,
    access,
    other: other.getPublicKey(),
    change: (edit) => edits.push(edit),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Pushes like `nsc push`, and waits until every running server that has the account runs the JWT. */
async function pushTo({ accountId, connectAs, servers }: World, token: string): Promise<void> {
  const running = await runningOf(servers);
  const system = await connectAs("system");
  try {
    await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
    await waitFor("the JWT to run", async () => {
      const states = await accountStates(system, { accountId, servers: running });
      return states.every(({ jwt }) => jwt === token);
    });
  } finally {
    await system.close();
  }
}

/** The servers that run, also those that Relight restarted. */
export async function runningOf(servers: readonly NatsServer[]): Promise<readonly NatsServer[]> {
  const alive = await Promise.all(servers.map(async ({ folder }) => isAlive(await processIdOf(folder))));
  return servers.filter((_, index) => alive[index]);
}

function withCrossing({ crossing }: WorldPlan, other: string): (claims: Claims) => Claims {
  if (crossing === "none") return (claims) => claims;
  const shared =
    crossing === "import"
      ? { imports: [{ name: "feed", subject: "feed.>", account: other, type: "stream" }] }
      : { exports: [{ name: "shared", subject: "shared.>", type: "service", response_type: "Singleton" }] };
  return (claims) => ({ ...claims, nats: { ...claims.nats, ...shared } });
}

/** Pushes the account that shares with this one, then this one again. */
async function pushOther(
  world: World,
  { crossing, damages }: WorldPlan,
  other: ReturnType<typeof createAccount>,
  claims: () => Claims,
): Promise<void> {
  if (crossing === "none" && !damages.some((damage) => damage.do === "push-import")) return;
  const exports = [{ name: "all", subject: ">", type: "stream" }];
  const imports = [{ name: "shared", subject: "shared.>", account: world.accountId, type: "service" }];
  const shared = crossing === "export" ? { exports, imports } : { exports };
  // Servers look for the export when they read the import.
  if (crossing === "export") await world.push(world.sign(claims()));
  const own = accountClaims("OTHER", other, world.accountSigningKey, { ...UNLIMITED, ...JETSTREAM });
  const system = await world.connectAs("system");
  try {
    const token = signClaims({ ...own, nats: { ...own.nats, ...shared } }, world.operator);
    await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
  } finally {
    await system.close();
  }
  await world.push(world.sign(claims()));
}

async function fillWorld(access: Access, plan: WorldPlan): Promise<void> {
  const connection = await login(access, "account");
  try {
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection, { timeout: 10_000 }));
    const client = jetstream(connection);
    if (plan.streams.some(({ edgeOf }) => edgeOf !== undefined)) await fillEdge(access);
    const isCopy = ({ mirrorOf, sourcesOf }: StreamPlan): boolean => mirrorOf !== undefined || sourcesOf !== undefined;
    for (const stream of [...plan.streams].sort((one, other) => Number(isCopy(one)) - Number(isCopy(other))))
      await retry(`stream ${stream.name}`, () => manager.streams.add(configOf(stream)), 60_000);
    for (const bucket of plan.buckets) await retry(`bucket ${bucket.name}`, () => fillBucket(client, bucket), 60_000);
    for (const stream of plan.streams) {
      for (const consumer of stream.consumers) await addConsumer(manager, stream, consumer);
      const subjects = stream.subjects.map(literalOf);
      for (let count = 0; count < stream.messages && subjects.length > 0; count++) {
        const subject = subjects[count % subjects.length] ?? "";
        if (stream.isNoAck) connection.publish(subject, `message ${count}`);
        else if (!(await publishes(client, stream, subject, `message ${count} `.repeat(4)))) break;
      }
      for (const consumer of stream.consumers.filter(({ kind, isPaused }) => kind === "pull" && !isPaused))
        await acknowledge(client, stream.name, consumer);
      if (stream.isSealed) await manager.streams.update(stream.name, { sealed: true } as object);
    }
  } finally {
    await connection.close();
  }
}

/** False if the stream is full. */
async function publishes(client: JetStreamClient, stream: StreamPlan, subject: string, text: string): Promise<boolean> {
  try {
    await client.publish(subject, text);
    return true;
  } catch (error) {
    if (stream.isDiscardNew === true || stream.more?.["discard"] === "new") return false;
    throw error;
  }
}

/** The stream beyond the leafnode. */
async function fillEdge(access: Access): Promise<void> {
  const connection = await login(access, "account", "edge");
  try {
    const manager = await retry("JetStream beyond the leafnode", () => jetstreamManager(connection));
    await manager.streams.add({ name: EDGE.origin, subjects: [EDGE.subject] });
  } finally {
    await connection.close();
  }
}

async function addConsumer(manager: JetStreamManager, stream: StreamPlan, consumer: ConsumerPlan): Promise<void> {
  await retry(
    `consumer ${stream.name} > ${consumer.name}`,
    () => manager.consumers.add(stream.name, consumerConfig(consumer, stream.name)),
    30_000,
  );
}

async function acknowledge(client: JetStreamClient, stream: string, plan: ConsumerPlan): Promise<void> {
  const consumer = await client.consumers.get(stream, plan.name);
  for (let count = 0; count < plan.acked && (await consumer.info()).num_pending > 0; count++)
    await (await consumer.next({ expires: 5_000 }))?.ackAck();
}

export function configOf(stream: StreamPlan): Partial<StreamConfig> & { name: string } {
  return {
    name: stream.name,
    ...(stream.subjects.length === 0 ? {} : { subjects: [...stream.subjects] }),
    num_replicas: stream.replicas,
    storage: stream.storage === "file" ? StorageType.File : StorageType.Memory,
    retention: {
      limits: RetentionPolicy.Limits,
      interest: RetentionPolicy.Interest,
      workqueue: RetentionPolicy.Workqueue,
    }[stream.retention],
    ...(stream.allowDirect ? { allow_direct: true } : {}),
    ...(stream.maxMessages === undefined ? {} : { max_msgs: stream.maxMessages }),
    ...(stream.isDiscardNew === true ? { discard: DiscardPolicy.New } : {}),
    ...(stream.mirrorOf === undefined ? {} : { mirror: { name: stream.mirrorOf } }),
    ...(stream.isNoAck ? { no_ack: true } : {}),
    ...(stream.edgeOf === undefined
      ? {}
      : { sources: [{ name: stream.edgeOf, external: { api: "$JS.edge.API", deliver: "" } }] }),
    ...stream.more,
    ...(stream.sourcesOf === undefined ? {} : { sources: stream.sourcesOf.map((name) => ({ name })) }),
  };
}

function consumerConfig(plan: ConsumerPlan, stream: string): Partial<ConsumerConfig> {
  const named = plan.isEphemeral ? { name: plan.name, inactive_threshold: STAYS } : { durable_name: plan.name };
  return {
    ...named,
    ack_policy: { explicit: AckPolicy.Explicit, all: AckPolicy.All, none: AckPolicy.None }[plan.ack],
    ...(plan.kind === "push" ? { deliver_subject: `deliver.${Buffer.from(stream + plan.name).toString("hex")}` } : {}),
    ...(plan.queue === undefined ? {} : { deliver_group: plan.queue }),
    ...(plan.filter === undefined ? {} : { filter_subject: plan.filter }),
    ...(plan.replicas === undefined ? {} : { num_replicas: plan.replicas }),
    ...(plan.isInMemory ? { mem_storage: true } : {}),
    ...(plan.isPaused ? { pause_until: new Date(Date.now() + 3_600_000).toISOString() } : {}),
    ...plan.more,
  };
}

async function fillBucket(client: JetStreamClient, bucket: BucketPlan): Promise<void> {
  const storage = bucket.isInMemory ? StorageType.Memory : StorageType.File;
  if (bucket.kind === "kv") {
    const history = bucket.history ?? 1;
    const kv = await new Kvm(client).create(bucket.name, { replicas: bucket.replicas, storage, history });
    await kv.put(KEPT.key, KEPT.value);
  } else {
    const store = await new Objm(client).create(bucket.name, { replicas: bucket.replicas, storage });
    await store.putBlob({ name: KEPT.object }, new TextEncoder().encode(KEPT.content));
  }
}

/** Waits until the judge finds that everything works. @throws Error with what does not. */
export async function allWorks(access: Access, subjects: Subjects): Promise<void> {
  let faults = "";
  await waitFor(
    "everything to work",
    async () => {
      const bad = (await judge(access, subjects)).filter(({ state }) => state === "fails" || state === "partly");
      faults = JSON.stringify(bad);
      return bad.length === 0;
    },
    { timeout: 30_000 },
  ).catch((error: Error) => {
    throw new Error(`${error.message}: ${faults}`);
  });
}
