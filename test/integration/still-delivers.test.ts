import { expect, jest, test } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(120_000);

/** Found by `npm run worlds`: a watcher of a KV bucket went on receiving while Relight called the account dead. */
test.each(["2.9.10", "2.10.27"])(
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

interface Found {
  readonly code: string;
  readonly health: string;
  readonly subject: { readonly consumer?: string };
}
