import type { JetStreamClient } from "@nats-io/jetstream";
import { type KV, Kvm } from "@nats-io/kv";
import { type ObjectStore, Objm } from "@nats-io/obj";
import { comes, needsConsumer, type Observed, textOf } from "./judge-tools.ts";
import { type BucketPlan, streamOf } from "./plan.ts";

/** What each bucket holds from the start. */
export const KEPT = { key: "color", value: "red", object: "letter", content: "an object's content" };

/** Milliseconds: a replica that is behind may answer. */
const SEEN_WITHIN = 5_000;

/** Uses a bucket as applications do, with the official clients and their defaults. */
export async function judgeBucket(
  client: JetStreamClient,
  bucket: BucketPlan,
  round: string,
): Promise<readonly Observed[]> {
  const seen: Observed[] = [];
  const stream = streamOf(bucket);
  const attempt = async (use: string, work: () => Promise<string | undefined>): Promise<void> => {
    try {
      const why = await work();
      seen.push(why === undefined ? { stream, use, state: "works" } : { stream, use, state: "fails", why });
    } catch (error) {
      seen.push({ stream, use, state: needsConsumer(error) ? "untestable" : "fails", why: textOf(error) });
    }
  };
  if (bucket.kind === "kv") {
    let kv: KV | undefined;
    await attempt("open the bucket", async () => {
      kv = await new Kvm(client).open(bucket.name);
      return undefined;
    });
    // Where a client creates the bucket, it then reads directly; where it opens it, only if asked to.
    const direct = await new Kvm(client).open(bucket.name, { allow_direct: true });
    const get = () =>
      attempt("get a key directly", async () => isKept(bucket, (await direct.get(KEPT.key))?.string(), KEPT.value));
    await Promise.all([get(), get(), get(), get()]);
    if (kv !== undefined) await useKv(kv, bucket, round, attempt);
  } else {
    let store: ObjectStore | undefined;
    await attempt("open the store", async () => {
      store = await new Objm(client).open(bucket.name);
      return undefined;
    });
    if (store !== undefined) await useObjects(store, bucket, round, attempt);
  }
  return seen;
}

type Attempt = (use: string, work: () => Promise<string | undefined>) => Promise<void>;

const is = (found: string | undefined, wanted: string): string | undefined =>
  found === wanted ? undefined : `it gave ${found ?? "nothing"}`;

const isKept = ({ isEmptied }: BucketPlan, found: string | undefined, wanted: string): string | undefined =>
  isEmptied ? undefined : is(found, wanted);

async function useKv(kv: KV, bucket: BucketPlan, round: string, attempt: Attempt): Promise<void> {
  let isPut = false;
  await attempt("put a key", async () => {
    await kv.put("judged", round);
    isPut = true;
    return undefined;
  });
  // Several, because any replica may answer.
  const get = () => attempt("get a key", async () => isKept(bucket, (await kv.get(KEPT.key))?.string(), KEPT.value));
  await Promise.all([get(), get(), get(), get()]);
  if (!isPut) return;
  await attempt("get what was put", async () => {
    const isSeen = await comes(async () => (await kv.get("judged"))?.string() === round, SEEN_WITHIN);
    return isSeen ? undefined : "it is not there";
  });
  await attempt("watch a key", async () => {
    const watch = await kv.watch({ key: "judged" });
    const timer = setTimeout(() => watch.stop(), SEEN_WITHIN);
    try {
      for await (const entry of watch) return is(entry.string(), round);
      return "no entry came";
    } finally {
      clearTimeout(timer);
      watch.stop();
    }
  });
}

async function useObjects(store: ObjectStore, bucket: BucketPlan, round: string, attempt: Attempt): Promise<void> {
  const content = async (name: string): Promise<string> =>
    new TextDecoder().decode((await store.getBlob(name)) ?? undefined);
  let isRead = false;
  await attempt("get an object", async () => {
    const found = await content(KEPT.object);
    isRead = true;
    return isKept(bucket, found, KEPT.content);
  });
  await attempt("put an object", async () => {
    await store.putBlob({ name: "judged" }, new TextEncoder().encode(round));
    if (!isRead) return undefined;
    let refusal: unknown;
    const isThere = async (): Promise<boolean> => {
      try {
        return (await content("judged")) === round;
      } catch (error) {
        if (needsConsumer(error)) refusal = error;
        return false;
      }
    };
    if (await comes(isThere, SEEN_WITHIN)) return undefined;
    // Each reader is a consumer: after a few of them a tight limit refuses more (seed 249).
    if (refusal !== undefined) throw refusal;
    return "it is not there";
  });
}
