import { expect, jest, test } from "@jest/globals";
import pMap from "p-map";
import { VERSIONS } from "../../lab/server-binaries.ts";
import { generate, WORLD_VERSIONS } from "../../lab/worlds/generate.ts";
import { describe as lineOf } from "../../lab/worlds/reduce.ts";
import { type Result, tryWorld } from "../../lab/worlds/try-world.ts";
import { isExhaustive } from "../support/exhaustive.ts";

jest.setTimeout(6_000_000);

/** Random worlds on real servers, with an independent judge (`npm run worlds`): a few quick ones, or the first 300. */

/** On one server each, of the versions that `npm test` has. */
const QUICK = [8, 44, 49, 51, 56, 80, 89, 93, 135, 169, 171, 189, 195, 206, 211, 226, 234, 235, 241, 254];
const ALL = Array.from({ length: 300 }, (_, index) => index + 1);

test("Relight and an independent client agree about random worlds", async () => {
  const seeds = isExhaustive ? ALL : QUICK;
  const results = await pMap(seeds, (seed) => tryWorld(generate(seed, isExhaustive ? WORLD_VERSIONS : VERSIONS)), {
    concurrency: isExhaustive ? 3 : 8,
  });
  expect(results.flatMap(faultsOf)).toEqual([]);
});

test("the old copy of a server that was removed from the cluster does not make a working stream dead", async () => {
  expect(faultsOf(await tryWorld(generate(16)))).toEqual([]);
});

test("publishers without a subject let the world go on", async () => {
  expect(faultsOf(await tryWorld(generate(182)))).toEqual([]);
});

function faultsOf({ plan, invalid, disagreements }: Result): readonly string[] {
  const about = `seed ${plan.seed}, ${lineOf(plan)}`;
  const invalidity = invalid === undefined ? [] : [`${about}: ${invalid}`];
  return [...invalidity, ...disagreements.map(({ kind, at, what }) => `${about}: ${kind} (${at}): ${what}`)];
}
