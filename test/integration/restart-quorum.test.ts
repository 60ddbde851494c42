import { expect, test } from "@jest/globals";
import { fill, restartWhileExpired } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { runJobOn } from "../support/context.ts";

test("no quorum: with two of three servers away nothing is restarted", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3 });
  await fill(world, { replicas: 3, messages: 3 });
  await restartWhileExpired(world);
  const restarted: string[] = [];
  // Killed, so they do not announce their shutdown: the remaining one must notice by itself.
  const [, second, third] = world.servers;
  await second?.kill();
  await third?.kill();
  const ended = await runJobOn(world, "heal", () => ({
    restarter: { restart: async ({ name }) => void restarted.push(name) },
  })).then(
    ({ outcome }) => outcome,
    (error: unknown) => String(error),
  );
  expect(ended).not.toMatch(/^heal/);
  expect(restarted).toEqual([]);
});
