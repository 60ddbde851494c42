import { expect, jest, test } from "@jest/globals";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { configurations } from "../../lab/zoo.ts";
import type { RungReport } from "../../lib/domain/ladder/rung.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import { runJobOn } from "../support/context.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(600_000);

/** One single-replica stream on file and one in memory, a consumer of each, and messages. */
async function fillSingles(world: World): Promise<void> {
  const connection = await world.connectAs("app");
  const manager = await retry("JetStream to be enabled", () => jetstreamManager(connection));
  await retry("a stream", () => manager.streams.add({ name: "ONE", subjects: ["one.*"] }), 110_000);
  await manager.streams.add({ name: "MEM", subjects: ["mem.*"], storage: "memory" });
  await manager.consumers.add("ONE", { durable_name: "oner", ack_policy: AckPolicy.Explicit });
  await manager.consumers.add("MEM", { durable_name: "reader", ack_policy: AckPolicy.Explicit });
  for (const subject of ["one.a", "one.b", "mem.a"]) await jetstream(connection).publish(subject, subject);
  await connection.close();
}

/** A process that crashes around its `nth` call to the servers: nothing it tries afterwards is done. */
const dies =
  (when: "before" | "after", nth: number) =>
  ({ assets, journal, probes }: Context): Partial<Context> => {
    let calls = 0;
    let isDead = false;
    const die = (): never => {
      isDead = true;
      throw new Error("the process died");
    };
    const alive = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => (isDead ? die() : work(...args));
    };
    const counted = <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
      alive(async (...args: A): Promise<R> => {
        calls++;
        if (calls === nth && when === "before") die();
        const result = await work(...args);
        return calls === nth ? die() : result;
      });
    return {
      assets: { ...assets, configure: counted(assets.configure), stepDown: counted(assets.stepDown) },
      journal: {
        read: alive(journal.read),
        append: alive(journal.append),
        latest: alive(journal.latest),
        accounts: () => journal.accounts(),
      },
      probes: { ...probes, observe: alive(probes.observe) },
    };
  };

/** The calls: replicas up, streams step down, consumers step down, replicas back. */
const DEATHS = [
  ["before", 1, "only the journal has the way back", false],
  ["after", 1, "the streams have three replicas", true],
  ["after", 2, "the streams' leaders stepped down", true],
  ["after", 3, "the consumers' leaders stepped down", true],
  ["after", 4, "the replicas are taken back, and the journal does not know", false],
] as const;

test("a scale-up that crashes at any step is finished by the next heal: replicas as before, nothing lost", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
  await fillSingles(world);
  const [state, before] = [await snapshot(world), await configurations(world)];
  for (const [when, nth, left, isChanged] of DEATHS) {
    await expire(world);
    await renewByHand(world);
    await expect(runJobOn(world, "heal", dies(when, nth))).rejects.toThrow("the process died");
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    const { verdict, findings } = json;
    expect({ left, exit, verdict, findings }).toEqual({ left, exit: 0, verdict: "healthy", findings: [] });
    const finished = json.rungs.filter(({ rung }: RungReport) => rung === "finish-changes");
    expect({ left, finished }).toMatchObject({ left, finished: isChanged ? [{ result: "helped" }] : [] });
    expect({ left, state: await snapshot(world) }).toEqual({ left, state });
    expect({ left, before: await configurations(world) }).toEqual({ left, before });
  }

  // What fails without a crash is undone by the same job.
  await expire(world);
  await renewByHand(world);
  const denied = ({ assets }: Context): Partial<Context> => ({
    assets: { ...assets, stepDown: () => Promise.reject(new RelightError("nats.unauthorized", "denied")) },
  });
  const { rungs, verdict } = await runJobOn(world, "heal", denied);
  expect(rungs).toContainEqual(expect.objectContaining({ rung: "scale-up", result: "failed", why: "denied" }));
  expect(verdict.findings.map(({ code }) => code)).not.toContain("remedy.unfinished");
  expect(await configurations(world)).toEqual(before);
  expect(await snapshot(world)).toEqual(state);
});
