import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RungName } from "./plan.ts";

/** Where raw results are: one file a version, one try a line. */
export const FOLDER = join(import.meta.dirname, "..", "..", "docs", "servers");

/** One try, as it is written down. What is dead or lost is named by stream, consumer and use. */
export interface Try {
  /** `2.10.27`, or `2.10.27+2.10.28` for two servers of one version and one of the next. */
  readonly version: string;
  /** `cluster/expired/relight`: topology, defect, and the remedy, or `by-hand` for several one after another. */
  readonly world: string;
  /** When it ended, UTC. */
  readonly at: string;
  readonly tools: Readonly<Record<string, string>>;
  /** Why the world could not be built or broken; it counts as not tried. */
  readonly invalid?: string;
  /** How many uses the judge tries. */
  readonly uses: number;
  /** What did not work after the damage. */
  readonly dead: readonly string[];
  /** What the damage itself removed. */
  readonly destroyed: readonly string[];
  /** Panics of servers during and after the damage, before any remedy. */
  readonly panics: number;
  /** Why the damage is not as planned, if servers panicked meanwhile. */
  readonly note?: string;
  readonly steps: readonly Step[];
  /** What is gone or lacks messages at the end, compared with before the damage. */
  readonly lost: readonly string[];
  /** Of the whole try. */
  readonly seconds: number;
}

/** One remedy. */
export interface Step {
  readonly rung: RungName;
  /** What does not work after it. */
  readonly dead: readonly string[];
  /** What worked before it and does not after it. */
  readonly harmed: readonly string[];
  /** What was there before it and is not after it. */
  readonly lost: readonly string[];
  /** Panics of servers during it. */
  readonly panics: number;
  /** Until everything worked again; or until it was given up. */
  readonly seconds: number;
  /** An error of the remedy itself. */
  readonly note?: string;
  /** Only of Relight. */
  readonly relight?: RelightSaid;
}

export interface RelightSaid {
  readonly verdict: string;
  readonly outcome: string;
  /** `step-down-leaders helped` */
  readonly rungs: readonly string[];
  /** Why it stopped, or its error. */
  readonly why?: string;
  /** The codes of its findings, and what they are about. */
  readonly findings?: readonly string[];
  /** Of the command itself. */
  readonly seconds: number;
  /** Where the judge says otherwise, confirmed by a second look. */
  readonly wrong: readonly string[];
}

const fileOf = (folder: string, version: string): string => join(folder, `${version}.jsonl`);

export function readTries(folder = FOLDER): readonly Try[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .flatMap((name) => triesIn(join(folder, name)));
}

const triesIn = (file: string): readonly Try[] =>
  readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Try);

/** Adds one line to the version's file. */
export function keepTry(done: Try, folder = FOLDER): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(fileOf(folder, done.version), `${JSON.stringify(done)}\n`, { flag: "a" });
}

/** The tries that say something. */
export const valid = (tries: readonly Try[]): readonly Try[] => tries.filter(({ invalid }) => invalid === undefined);
