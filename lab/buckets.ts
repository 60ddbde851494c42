import { type JetStreamManager, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { type ObjectStore, Objm } from "@nats-io/obj";
import type { NatsConnection } from "@nats-io/transport-node";
import { retry, waitFor } from "./wait.ts";

/** KV buckets and object stores, created and used through the official clients with their defaults. */

export interface Bucket {
  readonly name: string;
  readonly replicas: number;
}

/** One of each kind with three replicas, and one with a single replica. */
export const BUCKETS = {
  kv: [
    { name: "cfg", replicas: 3 },
    { name: "local", replicas: 1 },
  ],
  objects: [
    { name: "files", replicas: 3 },
    { name: "things", replicas: 1 },
  ],
} as const satisfies Readonly<Record<string, readonly Bucket[]>>;

const BYTES = new TextEncoder().encode("an object's content");

/** Creates the buckets with at most this many replicas, each with some content. */
export async function fillBuckets(connection: NatsConnection, most = 3): Promise<void> {
  for (const bucket of BUCKETS.kv.filter(({ replicas }) => replicas <= most)) {
    const kv = await retry(`KV bucket ${bucket.name} to be made`, () => openKv(connection, bucket), 60_000);
    await retry(`KV bucket ${bucket.name} to be heard of everywhere`, () => kv.put("colour", "red"));
  }
  for (const bucket of BUCKETS.objects.filter(({ replicas }) => replicas <= most)) {
    const store = await retry(`store ${bucket.name} to be made`, () => openStore(connection, bucket), 60_000);
    await retry(`store ${bucket.name} to be heard of everywhere`, () => store.putBlob({ name: "letter" }, BYTES));
  }
}

/** The same call opens an existing bucket. */
const openKv = (connection: NatsConnection, { name, replicas }: Bucket): Promise<KV> =>
  new Kvm(jetstream(connection)).create(name, { replicas });

const openStore = (connection: NatsConnection, { name, replicas }: Bucket): Promise<ObjectStore> =>
  new Objm(jetstream(connection)).create(name, { replicas });

/** Uses each existing bucket as an application does. @throws Error naming the first that does not work. */
export async function assertBucketsWork(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: 10_000, checkAPI: false });
  const streams = new Set<string>();
  for await (const name of manager.streams.names()) streams.add(name);
  for (const bucket of BUCKETS.kv.filter(({ name }) => streams.has(`KV_${name}`)))
    await named(`KV bucket ${bucket.name}`, async () => {
      await useKv(await openKv(connection, bucket));
      await getsDirectly(manager, bucket);
    });
  for (const bucket of BUCKETS.objects.filter(({ name }) => streams.has(`OBJ_${name}`)))
    await named(`object store ${bucket.name}`, async () => useStore(await openStore(connection, bucket)));
}

async function useKv(kv: KV): Promise<void> {
  equal("get", (await kv.get("colour"))?.string(), "red");
  await kv.put("shape", "round");
  await kv.put("shape", "square");
  await comes("get after put", async () => (await kv.get("shape"))?.string(), "square");
  equal("keys", (await listed(await kv.keys())).sort().join(), "colour,shape");
  await comes("history", async () => (await listed(await kv.history({ key: "shape" }))).at(-1)?.string(), "square");
  const watch = await kv.watch({ key: "shape" });
  const seen: string[] = [];
  for await (const entry of watch) {
    seen.push(entry.string());
    if (seen.length === 1) await kv.put("shape", "oval");
    if (entry.string() === "oval") break;
  }
  watch.stop();
  await kv.delete("shape");
  await comes("get after delete", async () => (await kv.get("shape"))?.operation, "DEL");
  await kv.purge("shape");
}

/** Repeated, because any replica may answer. */
async function getsDirectly(manager: JetStreamManager, { name }: Bucket): Promise<void> {
  for (let count = 0; count < 6; count++) {
    const found = await manager.direct.getMessage(`KV_${name}`, { last_by_subj: `$KV.${name}.colour` });
    equal("direct get", found?.string(), "red");
  }
}

async function useStore(store: ObjectStore): Promise<void> {
  const content = async (name: string): Promise<string> =>
    new TextDecoder().decode((await store.getBlob(name)) ?? undefined);
  equal("get of an object", await content("letter"), new TextDecoder().decode(BYTES));
  await store.putBlob({ name: "parcel" }, new TextEncoder().encode("later"));
  await comes("get after put of an object", () => content("parcel"), "later");
  equal("objects", (await store.list()).map(({ name }) => name).join(), "letter,parcel");
  await store.delete("parcel");
}

async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function equal(what: string, found: unknown, wanted: unknown): void {
  if (found !== wanted) throw new Error(`${what} returned ${String(found)} instead of ${String(wanted)}`);
}

/** Waits until a read returns what was written, because a lagging replica or mirror may answer. Fails at once if the read fails. */
async function comes(what: string, read: () => Promise<unknown>, wanted: unknown): Promise<void> {
  let last: unknown;
  const isThere = async (): Promise<boolean> => {
    last = await read();
    return last === wanted;
  };
  await waitFor(`${what} to give ${String(wanted)}`, isThere).catch((cause: Error) => {
    throw new Error(`${cause.message}; it gave last: ${String(last)}`, { cause });
  });
}

/** @throws Error that names what failed. */
export async function named<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new Error(`${what}: ${(cause as Error).message}`, { cause });
  }
}
