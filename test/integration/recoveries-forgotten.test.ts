import { expect, test } from "@jest/globals";
import { jetstream } from "@nats-io/jetstream";
import { metaLeader, moveMetaLeader } from "../../lab/meta.ts";
import type { NatsServer } from "../../lab/nats-server.ts";
import { restartWhileExpired, snapshot } from "../../lab/scenario.ts";
import type { World } from "../../lab/world.ts";
import { assertZooWorks, knownConsumers } from "../../lab/zoo.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";
import { allowRestarts, assertNoPanic, withoutMemory, zoo } from "../support/zoo.ts";

/**
 * Before 2.9.15 a cluster forgets the single-replica consumers of a server that restarts while the account is expired,
 * if the meta leader has not restarted yet. That happens in a rolling restart with the meta leader last.
 */
const ONER = "ONE > oner";

/** The servers in the order of such a restart, the one that has ONER first. */
async function leaderLast(world: World): Promise<readonly NatsServer[]> {
  const app = await world.connectAs("app");
  const system = await world.connectAs("system");
  try {
    const { cluster } = (await app.request("$JS.API.CONSUMER.INFO.ONE.oner")).json<{
      cluster: { leader: string };
    }>();
    const leader = await metaLeader(system);
    const last = leader === cluster.leader ? await moveMetaLeader(system, leader) : leader;
    const named = world.servers.map((server, index) => ({ server, name: `lab-${index + 1}` }));
    const place = ({ name }: { name: string }): number => (name === cluster.leader ? 0 : name === last ? 2 : 1);
    return named.toSorted((one, other) => place(one) - place(other)).map(({ server }) => server);
  } finally {
    await Promise.all([app.close(), system.close()]);
  }
}

/** Acknowledges the first message of ONER, so there is a position to lose. */
async function moveOn(world: World): Promise<void> {
  const app = await world.connectAs("app");
  const message = await (await jetstream(app).consumers.get("ONE", "oner")).next();
  await message?.ackAck();
  await app.close();
}

type Streams = Readonly<Record<string, { readonly consumers: Readonly<Record<string, unknown>> }>>;

function withoutConsumers(state: Record<string, unknown>, gone: readonly string[]): Record<string, unknown> {
  const entries = Object.entries(state as Streams).map(([stream, { consumers, ...rest }]) => {
    const left = Object.entries(consumers).filter(([name]) => !gone.includes(`${stream} > ${name}`));
    return [stream, { ...rest, consumers: Object.fromEntries(left) }];
  });
  return Object.fromEntries(entries);
}

test("restarted while expired, on nats-server 2.9.10: the guarded restart, and forgotten consumers continue where they were", async () => {
  // Single-replica copies may stay stalled on 2.9.10 whatever is restarted (docs/recoveries.md).
  await using world = await zoo("2.9.10", { copies: false });
  await moveOn(world);
  const [state, known] = [await snapshot(world), await knownConsumers(world)];
  await restartWhileExpired(world, await leaderLast(world));
  const left = await knownConsumers(world);
  const forgotten = known.filter((consumer) => !left.includes(consumer));
  expect(forgotten).toContain(ONER);

  const dead = await relight(world, "verify", "APP", "--json");
  expect(dead.exit).toBe(2);
  expect(dead.json.findings).toContainEqual(
    expect.objectContaining({
      code: "consumer.forgotten",
      subject: expect.objectContaining({ stream: "ONE", consumer: "oner" }),
      evidence: expect.objectContaining({ ackFloor: 1 }),
    }),
  );
  expect(await knownConsumers(world)).toEqual(left);

  await using _stop = await allowRestarts(world);
  const healed = await relight(world, "heal", "APP", "--json");
  // First, because a restart of the server that has them may remove them.
  expect(healed.json.rungs[0]).toMatchObject({ rung: "restore-consumers", result: "helped" });
  // A person learns of consumers that might be placed on another server, and of lost memory assets.
  const found = consumersIn(healed.json.findings, "consumer.forgotten");
  const gone = consumersIn(healed.json.findings, "asset.lost");
  expect(healed.json.findings).toHaveLength(found.length + gone.length);
  const lost = (healed.json.losses ?? []).map((loss: string) => /consumer (\S+ > [^ ,]+)/.exec(loss)?.[1]);
  // A loss stays a finding until a person acknowledges it.
  expect(gone.sort()).toEqual([...lost].sort());
  const told = forgotten.filter((consumer) => consumer === "ORDERS > single" || consumer === "MEM > reader");
  expect([...found, ...lost].sort()).toEqual(told.sort());
  expect(healed.json.outcome).toBe(told.length === 0 ? "healed" : "unhealed");

  const missing = forgotten.filter((consumer) => consumer !== ONER);
  const now = withoutMemory(await snapshot(world));
  expect(now).toEqual(withoutConsumers(withoutMemory(state), missing));
  await assertNoPanic(world);
  await assertZooWorks(world, missing);
  const row = { damage: "restarted while expired", topology: "cluster of three", version: "2.9.10" };
  const result =
    "all alive, no panic; lost: consumers that the cluster forgot on replicated or memory streams; mirrors may stay stalled";
  const seen = { ...row, rungs: rungsUsed(healed), result };
  expect(seen).toEqual(await recorded(seen));
});

interface Found {
  readonly code: string;
  readonly subject: { readonly stream: string; readonly consumer: string };
}

const consumersIn = (findings: readonly Found[], code: string): string[] =>
  findings.filter((finding) => finding.code === code).map(({ subject }) => `${subject.stream} > ${subject.consumer}`);
