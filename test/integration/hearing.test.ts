import { describe, expect, test } from "@jest/globals";
import { type JetStreamManager, jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { expire, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** Subjects that Relight handles specially, as streams of applications have them. */
const SPECIAL: readonly Partial<StreamConfig>[] = [
  { name: "ADVISORIES", subjects: ["$JS.EVENT.>"] },
  { name: "ACKS", subjects: ["$JS.ACK.>"], no_ack: true },
  { name: "CONNECTS", subjects: ["$SYS.ACCOUNT.*.CONNECT"] },
  { name: "STATISTICS", subjects: ["$SYS.REQ.ACCOUNT.PING.CONNZ"], no_ack: true },
  { name: "ANSWERS", subjects: ["_INBOX.answers.>"] },
  { name: "KV_by_hand", subjects: ["$KV.by_hand.>"] },
];
/** Servers before 2.10 refuse it. */
const AUDIT: Partial<StreamConfig> = { name: "AUDIT", subjects: ["$JS.API.>"], no_ack: true };

/** One world per version: first healthy with many subscriptions, then dead, then healed. */
describe.each([
  ["2.9.25", SPECIAL],
  ["2.10.27", [...SPECIAL, AUDIT]],
] as const)("JetStream's subscriptions among clients' (nats-server %s)", (version, special) => {
  test("many subscriptions and special subjects make it look neither dead nor alive", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    const client = await world.connectAs("app");
    const manager = await jetstreamManager(client, { checkAPI: false });
    for (const config of [{ name: "ORDERS", subjects: ["orders.>"] }, ...special])
      await manager.streams.add(config as StreamConfig & { name: string });
    const streams = special.length + 1;
    const well = { verdict: "healthy", findings: [], streams };
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject(well);

    // More than fit into one answer of a server, on a subject that matches the stream's and on its own.
    await listen(client, "orders.*", 1_100);
    await listen(client, "orders.>", 1_100);
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject(well);
    const left = await relight(world, "heal", "APP", "--json");
    expect(left.json).toMatchObject({ outcome: "healthy", rungs: [] });
    // And more than are read at once.
    await listen(client, "elsewhere", 16_000);
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject(well);

    await client.close();
    await expire(world);
    await renewByHand(world);
    const again = await world.connectAs("app");
    await listen(again, "orders.>", 1_100);
    const dead = (await relight(world, "verify", "APP", "--json")).json;
    expect(dead.verdict).toBe("dead");
    expect(deaf(dead)).toEqual(["ORDERS", ...special.map(({ name }) => name)].sort());
    expect((await relight(world, "heal", "APP", "--json")).json).toMatchObject({
      ...well,
      outcome: "healed",
    });
    await hasEach(await jetstreamManager(again, { checkAPI: false }), special);
    await again.close();
  });
});

async function listen(client: NatsConnection, subject: string, times: number): Promise<void> {
  for (let count = 0; count < times; count++) client.subscribe(subject, { callback: () => undefined });
  await client.flush();
}

async function hasEach(manager: JetStreamManager, streams: readonly Partial<StreamConfig>[]): Promise<void> {
  for (const { name = "", subjects } of streams)
    expect((await manager.streams.info(name)).config.subjects).toEqual(subjects);
}

interface Found {
  readonly code: string;
  readonly subject: { readonly stream?: string };
}

const deaf = ({ findings }: { readonly findings: readonly Found[] }): readonly (string | undefined)[] =>
  findings
    .filter(({ code }) => code === "stream.deaf")
    .map(({ subject }) => subject.stream)
    .sort();
