/**
 * `npm run matrix -- [VERSIONS] [WORLDS]`: breaks released nats-servers in known ways, tries what might revive them, and
 * writes what came of it to docs/servers/ and docs/servers.md.
 */
import { parseArgs } from "node:util";
import { reapServers } from "../nats-server.ts";
import { clearProgress, endsOrderly, sayProgress } from "../progress.ts";
import { serverBinary } from "../server-binaries.ts";
import { writePage } from "./page.ts";
import { KINDS, nameOfKind, type Trial, trialsOf, UPGRADES, VERSIONS, versionsOf } from "./plan.ts";
import { keepTry, readTries, type Try, valid } from "./records.ts";
import { tryOut } from "./trial.ts";

const HELP = `npm run matrix -- [VERSIONS] [WORLDS] [options]

Breaks released nats-servers in known ways, tries what might revive them, Relight included, and lets a client that shares
no code with Relight judge what works. Each try is one line in docs/servers/; docs/servers.md is written from them.

  VERSIONS            separated by commas; 2.10.27+2.10.28 is a cluster in the middle of an upgrade. Without any, or with
                      all: the versions below
  WORLDS              names or parts of names, separated by commas; all if absent
  --again COUNT       how often to try each; what is recorded that often is skipped (default 1)
  --minutes COUNT     start no more worlds after this time
  --by-version        all worlds of a version before the next version; otherwise all versions of a world first
  --list              only print what would be tried
  --page              only write docs/servers.md
  --help

Servers come from NATS_SERVER, the PATH, Debian, the official releases, Docker, or are built with Go.

versions: ${VERSIONS.join(" ")}
upgrades: ${UPGRADES.join(" ")}
worlds:   ${KINDS.map(nameOfKind).join(" ")}

Exit codes: 0 tried, 1 some worlds could not be built or Relight was wrong, 3 wrong options.`;

const OPTIONS = {
  again: { type: "string", default: "1" },
  minutes: { type: "string", default: "1000000" },
  "by-version": { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  page: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

function wrong(message: string): never {
  console.error(`${message}\n\n${HELP}`);
  return process.exit(3);
}

function options() {
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const [versions = "all", worlds = "", ...more] = positionals;
    const numbers = { again: Number(values.again), minutes: Number(values.minutes) };
    if (Object.values(numbers).some((one) => !Number.isFinite(one) || one < 0)) throw new Error("a number is not one");
    if (more.length > 0) throw new Error(`too many arguments: ${more.join(" ")}`);
    return { ...values, ...numbers, versions, worlds };
  } catch (error) {
    return wrong((error as Error).message);
  }
}

function trials({ versions, worlds, ...values }: ReturnType<typeof options>): readonly Trial[] {
  const wanted = versions === "all" ? [...VERSIONS, ...UPGRADES] : versions.split(",");
  const isVersion = (text: string): boolean => /^\d+\.\d+\.\d+$/.test(text);
  const unknown = wanted.filter((version) => !versionsOf(version).every(isVersion));
  if (unknown.length > 0) wrong(`not a version: ${unknown.join(", ")}`);
  const found = trialsOf(wanted, worlds.split(",").filter(Boolean));
  if (found.length === 0) wrong(`no world has ${worlds} in its name`);
  if (!values["by-version"]) return found;
  return found.toSorted((one, other) => wanted.indexOf(one.version) - wanted.indexOf(other.version));
}

/** Each trial as often as it is not recorded yet; all for the first time before any for the second. */
function missing(wanted: readonly Trial[], again: number): readonly Trial[] {
  const done = new Map<string, number>();
  for (const { version, world } of valid(readTries()))
    done.set(keyOf(version, world), (done.get(keyOf(version, world)) ?? 0) + 1);
  return Array.from({ length: again }, (_, round) =>
    wanted.filter(({ version, kind }) => (done.get(keyOf(version, nameOfKind(kind))) ?? 0) <= round),
  ).flat();
}

const keyOf = (version: string, world: string): string => `${version} ${world}`;

function report(done: Try): void {
  clearProgress();
  const result =
    done.invalid !== undefined
      ? `invalid: ${done.invalid}`
      : [`${done.dead.length} of ${done.uses} dead`, ...done.steps.map(lineOf)].join("; ");
  const panics = done.panics === 0 ? "" : `, ${done.panics} panics before any remedy`;
  console.log(`${done.version} ${done.world} (${Math.round(done.seconds)} s): ${result}${panics}`);
  for (const { relight } of done.steps) for (const one of relight?.wrong ?? []) console.log(`    WRONG ${one}`);
}

function lineOf({ rung, dead, harmed, panics, seconds, relight }: Try["steps"][number]): string {
  const left = dead.length === 0 ? "all works" : `${dead.length} dead`;
  const more = [
    ...(harmed.length === 0 ? [] : [`${harmed.length} harmed`]),
    ...(panics === 0 ? [] : [`${panics} panics`]),
    ...(relight === undefined ? [] : [relight.outcome]),
  ];
  return `${rung} ${seconds} s: ${[left, ...more].join(", ")}`;
}

async function main(signal: AbortSignal): Promise<void> {
  const given = options();
  if (given.help) return console.log(HELP);
  if (given.page) return writePage();
  const left = missing(trials(given), given.again);
  if (given.list) {
    for (const { version, kind } of left) console.log(`${version} ${nameOfKind(kind)}`);
    return;
  }
  const end = performance.now() + given.minutes * 60_000;
  for (const [index, trial] of left.entries()) {
    if (signal.aborted || performance.now() > end) break;
    const say = (what: string): void =>
      sayProgress(`${index + 1} of ${left.length}: ${trial.version} ${nameOfKind(trial.kind)}: ${what}`);
    for (const version of versionsOf(trial.version)) await serverBinary(version, say);
    const done = await tryOut(trial, signal, say);
    if (signal.aborted) break;
    keepTry(done);
    report(done);
    if (done.invalid !== undefined || done.steps.some(({ relight }) => (relight?.wrong.length ?? 0) > 0))
      process.exitCode = 1;
  }
  clearProgress();
  await writePage();
}

// A client whose server is gone may fail when nobody waits for it any more.
process.on("unhandledRejection", () => undefined);
await main(endsOrderly());
await reapServers();
process.exit();
