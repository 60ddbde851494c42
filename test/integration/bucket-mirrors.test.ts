import { expect, test } from "@jest/globals";
import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { expire, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import { relight } from "../support/relight.ts";

/** The answers to a dozen direct gets: servers choose the responder at random. */
async function directGets(world: World, stream: string): Promise<readonly string[]> {
  const client = await world.connectAs("app");
  try {
    const subject = `$JS.API.DIRECT.GET.${stream}`;
    const ask = async () => {
      const reply = await client.request(subject, '{"seq":1}', { timeout: 2_000, noMux: true });
      return reply.headers?.get("Nats-Stream") ?? "";
    };
    return await Promise.all(Array.from({ length: 12 }, () => ask().catch(({ message }: Error) => message)));
  } finally {
    await client.close();
  }
}

async function withMirror(world: World, replicas: number): Promise<void> {
  const client = await world.connectAs("app");
  const kvm = new Kvm(jetstream(client));
  const kv = await retry("a bucket to be made", () => kvm.create("cfg", { replicas }), 60_000);
  await retry("it to take a value", () => kv.put("colour", "red"));
  await kvm.create("copy", { replicas, mirror: { name: "KV_cfg" } });
  await retry("the mirror to have it", async () => {
    expect(new Set(await directGets(world, "KV_copy"))).toEqual(new Set(["KV_copy"]));
  });
  await client.close();
}

test("alone: after the heal a mirror answers each direct get, with no stray subscription", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  await withMirror(world, 1);
  const before = await configurations(world);
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(new Set(await directGets(world, "KV_copy"))).toEqual(new Set(["KV_copy"]));
  expect(await configurations(world)).toEqual(before);
});

test("in a cluster: a mirror's configuration stays the same; a bucket that is recreated after the heal is reported", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
  await withMirror(world, 3);
  const before = await configurations(world);
  await expire(world);
  await renewByHand(world);
  const { json } = await relight(world, "heal", "APP", "--json");
  expect(json).toMatchObject({ outcome: "healed", verdict: "healthy", findings: [] });
  expect(await configurations(world)).toEqual(before);

  const client = await world.connectAs("app");
  const kvm = new Kvm(jetstream(client));
  await (await kvm.open("cfg")).destroy();
  await (await kvm.create("cfg", { replicas: 3 })).put("colour", "red");
  await client.close();
  // A bucket that was just created is not listed yet.
  await retry("what was left behind to be told", async () => {
    const { json: seen } = await relight(world, "verify", "APP", "--json");
    expect(seen.findings).toContainEqual(
      expect.objectContaining({
        code: "stream.direct_stray",
        subject: expect.objectContaining({ stream: "KV_cfg" }),
      }),
    );
  });
});
