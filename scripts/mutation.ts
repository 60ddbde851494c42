import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Logger } from "@stryker-mutator/api/logging";
import { Instrumenter } from "@stryker-mutator/instrumenter";
// @ts-expect-error: Stryker reads it as it is, without types.
import stryker from "../stryker.config.js";
import { chance } from "../test/support/chance.ts";

/**
 * Mutation tests: `npm run mutation [-- --sample N [--seed S]] [Stryker's options]`. With `--sample`, it tries N randomly
 * chosen changes, because trying all takes many hours; the score is then an estimate.
 */
const { values, tokens } = parseArgs({
  args: process.argv.slice(2),
  options: { sample: { type: "string" }, seed: { type: "string", default: "1" } },
  strict: false,
  tokens: true,
});
const own = new Set(
  tokens.flatMap((token) =>
    token.kind === "option" && (token.name === "sample" || token.name === "seed")
      ? [token.index, ...(token.inlineValue === false ? [token.index + 1] : [])]
      : [],
  ),
);
const others = process.argv.slice(2).filter((_, index) => !own.has(index));

/** Where each possible change is, as Stryker's `--mutate` takes it. */
async function places(): Promise<string[]> {
  // It answers every question whether a level is enabled with no.
  const logger = new Proxy({}, { get: () => () => false }) as Logger;
  const files = globSync(stryker.mutate)
    .sort()
    .map((name) => ({
      name,
      mutate: true,
      content: readFileSync(name, "utf8"),
    }));
  const options = { plugins: null, ignorers: [], excludedMutations: [], noHeader: false };
  const { mutants } = await new Instrumenter(logger).instrument(files, options);
  return mutants.map(({ fileName, location: { start, end } }) => {
    const at = ({ line, column }: { line: number; column: number }) => `${line + 1}:${column}`;
    return `${fileName}:${at(start)}-${at(end)}`;
  });
}

async function sampled(): Promise<string[]> {
  if (values["sample"] === undefined) return [];
  const [size, seed] = [Number(values["sample"]), Number(values["seed"])];
  if (!(size > 0) || !Number.isInteger(seed)) throw new Error("--sample and --seed need whole numbers");
  const all = await places();
  const random = chance(seed);
  const chosen = new Set<string>();
  const enough = Math.min(size, new Set(all).size);
  while (chosen.size < enough) chosen.add(String(all[Math.floor(random() * all.length)]));
  console.log(`${chosen.size} places, chosen at random (seed ${seed}) from ${all.length} possible changes`);
  return ["--mutate", [...chosen].join(","), "--incrementalFile", `.cache/mutation/sample-${seed}.json`];
}

const args = ["node_modules/@stryker-mutator/core/bin/stryker.js", "run", ...(await sampled()), ...others];
process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
