import { expect, jest, test } from "@jest/globals";
import { AckPolicy, jetstreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary, WITH_DEFECT } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(120_000);

/** Found by `npm run worlds`: a watcher of a KV bucket went on receiving while Relight called the account dead. */
test.each(sampleOf(["2.9.25", "2.10.27"], WITH_DEFECT))(
  "a deaf push consumer without acknowledgments still delivers, so it is degraded (nats-server %s)",
  async (version) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    await fill(world, { messages: 3 });
    await expire(world);
    await renewByHand(world);
    const client = await world.connectAs("app");
    // The streams then hear again, and their consumers do not.
    const manager = await jetstreamManager(client, { checkAPI: false });
    for (const [name, subject] of [
      ["ORDERS", "orders.*"],
      ["JOBS", "jobs.>"],
    ] as const)
      for (const subjects of [["elsewhere"], [subject]]) await manager.streams.update(name, { subjects });

    const received: string[] = [];
    client.subscribe("audit.in", { callback: (_, message) => void received.push(message.string()) });
    await client.flush();
    await client.request("orders.one", "later", { timeout: 5_000 });
    await waitFor("the consumer to deliver", () => received.includes("later"));

    const { json } = await relight(world, "verify", "APP", "--json");
    const deaf = json.findings.map(({ code, health, subject: { consumer } }: Found) => [code, health, consumer]);
    expect(deaf).toEqual([
      ["consumer.deaf", "degraded", "audit"],
      ["consumer.deaf", "dead", "shipping"],
    ]);
    await client.close();
  },
);

test("a deaf ephemeral consumer is a warning once its client has left it", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  const before = await jetstreamManager(await world.connectAs("app"));
  await before.streams.add({ name: "ORDERS", subjects: ["orders.*"] });
  const watcher = { deliver_subject: "watcher.in", ack_policy: AckPolicy.None, inactive_threshold: nanos(300_000) };
  await before.consumers.add("ORDERS", { name: "watcher", ...watcher });
  // Expiry closes the account's connections.
  await expire(world);
  await renewByHand(world);
  const client = await world.connectAs("app");
  client.subscribe("watcher.*");
  const manager = await jetstreamManager(client, { checkAPI: false });
  for (const subjects of [["elsewhere"], ["orders.*"]]) await manager.streams.update("ORDERS", { subjects });
  const watched = await relight(world, "verify", "APP", "--json");
  expect(watched.json.findings).toMatchObject([{ code: "consumer.deaf", health: "degraded" }]);

  await client.close();
  const left = await waitFor("the server to see that the client has left", async () => {
    const { json } = await relight(world, "verify", "APP", "--json");
    return json.verdict === "healthy" && json;
  });
  expect(left).toMatchObject({ findings: [], warnings: [{ code: "consumer.abandoned" }] });
});

interface Found {
  readonly code: string;
  readonly health: string;
  readonly subject: { readonly consumer?: string };
}
