import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renewByHand } from "../scenario.ts";
import { allWorks, type Built, build } from "../worlds/build.ts";
import { compare, confirmed, faultsOf } from "../worlds/compare.ts";
import { wreck } from "../worlds/damage.ts";
import { type Holdings, holdingsOf, type Lost, lostSince } from "../worlds/holdings.ts";
import { judge } from "../worlds/judge.ts";
import type { Observed } from "../worlds/judge-tools.ts";
import { usable } from "../worlds/plan.ts";
import { relight } from "../worlds/product.ts";
import { allowRestarts } from "../worlds/settings.ts";
import { type Keeper, keep } from "./keeper.ts";
import { nameOfKind, planOf, type RungName, type Trial } from "./plan.ts";
import type { RelightSaid, Step, Try } from "./records.ts";
import { byHand, type Configurations, configurationsOf } from "./rungs.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** Milliseconds: longer than any world takes. */
const LONGEST = 12 * 60_000;
/** How long a remedy may take to show its effect; mirrors follow within fifteen seconds. */
const SHOWS_WITHIN = 12_000;
/** Remedies after which nothing is expected later. */
const SHOWS_AT_ONCE: readonly RungName[] = ["wait", "push-again", "relight", "relight-restarts"];
/** Between two looks. */
const LOOKS_EVERY = 3_000;

const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));
const secondsSince = (begun: number): number => Math.round((performance.now() - begun) / 100) / 10;

/** Builds a world, breaks it, and tries its remedies one after another. `signal` ends its servers at once. */
export async function tryOut(trial: Trial, signal: AbortSignal, say: (what: string) => void): Promise<Try> {
  const begun = performance.now();
  const common = { version: trial.version, world: nameOfKind(trial.kind) };
  const empty = { uses: 0, dead: [], destroyed: [], panics: 0, steps: [], lost: [] };
  const rest = () => ({ at: new Date().toISOString(), tools: TOOLS, seconds: secondsSince(begun) });
  try {
    say("building");
    await using built = await within(build(planOf(trial)));
    const stop = (): void => void built[Symbol.asyncDispose]();
    signal.addEventListener("abort", stop, { once: true });
    const found = await within(new World(built, trial, say).run());
    return { ...common, ...found, ...rest() };
  } catch (error) {
    return { ...common, ...empty, ...rest(), invalid: (error as Error).message.split("\n")[0] ?? "" };
  }
}

/** A client may wait for an answer forever. */
async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the world took too long")), LONGEST);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Found = Omit<Try, "version" | "world" | "at" | "tools" | "seconds">;

class World {
  readonly #built: Built;
  readonly #trial: Trial;
  readonly #say: (what: string) => void;
  /** What the damage destroyed: only in memory, so no remedy can bring it back. */
  #destroyed: readonly Lost[] = [];

  constructor(built: Built, trial: Trial, say: (what: string) => void) {
    this.#built = built;
    this.#trial = trial;
    this.#say = say;
  }

  async run(): Promise<Found> {
    const { kind } = this.#trial;
    this.#say("checking");
    await allWorks(this.#built.access, usable({ ...this.#built.plan, damages: [] }));
    if (kind.rungs.some((rung) => rung.startsWith("relight"))) await relight(this.#built.world.home, "verify", "APP");
    const configurations = await configurationsOf(this.#built);
    const original = await this.#holdings();
    await using keeper = keep(this.#built.servers);
    this.#say("breaking");
    const note = await this.#break(keeper);
    this.#destroyed = this.#lostSince(original, await this.#holdings()).filter(({ isInMemory }) => isInMemory);
    await pause(LOOKS_EVERY);
    const broken = await this.#judge();
    const dead = labelsOf(broken.filter(isBad));
    const panics = await keeper.panics();
    const steps = await this.#climb(broken, dead, keeper, configurations);
    return {
      uses: labelsOf(broken).length,
      dead,
      destroyed: namesOf(this.#destroyed),
      panics,
      ...(note === undefined ? {} : { note }),
      steps,
      lost: namesOf(this.#lostSince(original, await this.#holdings())),
    };
  }

  /** A damage that servers do not survive is not over as planned, but it is done. */
  async #break(keeper: Keeper): Promise<string | undefined> {
    try {
      for (const damage of this.#built.plan.damages) await wreck(this.#built, damage);
      return undefined;
    } catch (error) {
      if ((await keeper.panics()) === 0) throw error;
      await pause(LOOKS_EVERY);
      await renewByHand(this.#built.world);
      return (error as Error).message;
    }
  }

  async #climb(
    broken: readonly Observed[],
    dead: readonly string[],
    keeper: Keeper,
    configurations: Configurations,
  ): Promise<readonly Step[]> {
    const steps: Step[] = [];
    let before = broken;
    let isDead = dead.length > 0;
    for (const rung of this.#trial.kind.rungs) {
      // Relight looks at a healthy account, too; and the toggle is known for what it destroys.
      if (!isDead && rung !== "relight" && this.#trial.kind.defect !== "none") break;
      const { step, observed } = await this.#step(rung, before, keeper, configurations);
      steps.push(step);
      before = observed;
      isDead = step.dead.length > 0;
    }
    return steps;
  }

  async #step(rung: RungName, before: readonly Observed[], keeper: Keeper, configurations: Configurations) {
    this.#say(rung);
    const held = await this.#holdings();
    const panics = await keeper.panics();
    const begun = performance.now();
    let note: string | undefined;
    let said: Awaited<ReturnType<typeof relight>> | undefined;
    if (rung === "relight" || rung === "relight-restarts") said = await this.#relight(rung);
    else
      await byHand(rung, this.#built, configurations).catch((error: Error) => {
        note = error.message;
      });
    const { observed, seconds } = await this.#settled(rung, begun);
    const bad = observed.filter(isBad);
    const worked = new Set(before.filter(({ state }) => state === "works").map(labelOf));
    const step: Step = {
      rung,
      dead: labelsOf(bad),
      harmed: labelsOf(bad).filter((label) => worked.has(label)),
      lost: namesOf(this.#lostSince(held, await this.#holdings())),
      panics: (await keeper.panics()) - panics,
      seconds,
      ...(note === undefined ? {} : { note }),
      ...(said === undefined ? {} : { relight: await this.#compared(said, observed) }),
    };
    return { step, observed };
  }

  /** Looks until everything works, or too long has passed. */
  async #settled(rung: RungName, begun: number): Promise<{ observed: readonly Observed[]; seconds: number }> {
    const acted = secondsSince(begun);
    const until = performance.now() + (SHOWS_AT_ONCE.includes(rung) ? 0 : SHOWS_WITHIN);
    for (;;) {
      const observed = await this.#judge();
      const isWell = !observed.some(isBad);
      if (isWell || performance.now() > until)
        return { observed, seconds: SHOWS_AT_ONCE.includes(rung) ? acted : secondsSince(begun) };
      await pause(LOOKS_EVERY);
    }
  }

  async #relight(rung: "relight" | "relight-restarts") {
    if (rung === "relight-restarts") await allowRestarts(this.#built.world);
    return relight(this.#built.world.home, "heal", "APP");
  }

  /** What Relight said, and where two looks of the judge say otherwise. */
  async #compared(said: Awaited<ReturnType<typeof relight>>, observed: readonly Observed[]): Promise<RelightSaid> {
    const faults = faultsOf("healed", said).map(({ kind, what }) => `${kind}: ${what}`);
    const suspects = compare("healed", said, observed);
    if (suspects.length > 0) await pause(LOOKS_EVERY);
    const wrong = suspects.length === 0 ? [] : confirmed(suspects, compare("healed", said, await this.#judge()));
    const { verdict, outcome, rungs = [], findings = [], error, why = error?.message } = said.answer;
    return {
      verdict: verdict ?? error?.code ?? "none",
      outcome: outcome ?? "none",
      rungs: rungs.map(({ rung, result }) => `${rung} ${result}`),
      ...(why === undefined ? {} : { why }),
      ...(findings.length === 0 ? {} : { findings: findings.map(({ code, message }) => `${code}: ${message}`) }),
      seconds: said.seconds,
      wrong: [...faults, ...wrong.map(({ kind, what }) => `${kind}: ${what}`)],
    };
  }

  #judge(): Promise<readonly Observed[]> {
    this.#say("judging");
    return judge(this.#built.access, usable(this.#built.plan, this.#destroyed));
  }

  #lostSince(before: Holdings, after: Holdings): readonly Lost[] {
    return lostSince(before, after, this.#built.plan.streams, this.#built.plan.buckets);
  }

  #holdings(): Promise<Holdings> {
    return holdingsOf(this.#built.world);
  }
}

const isBad = ({ state }: Observed): boolean => state === "fails" || state === "partly";

const labelOf = ({ stream, consumer, use }: Observed): string =>
  [[stream, consumer].filter((part) => part !== undefined).join(" > ") || "account", use].join(": ");

const labelsOf = (observed: readonly Observed[]): readonly string[] => [...new Set(observed.map(labelOf))];

const namesOf = (lost: readonly Lost[]): readonly string[] =>
  lost.map(({ stream, consumer, what }) => `${consumer === undefined ? stream : `${stream} > ${consumer}`}: ${what}`);

const versionIn = (file: string): string => (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;

/** What took part. */
const TOOLS: Readonly<Record<string, string>> = {
  relight: `${versionIn(join(ROOT, "package.json"))} ${commit()}`.trim(),
  node: process.versions.node,
  "@nats-io/jetstream": versionIn(join(ROOT, "node_modules", "@nats-io", "jetstream", "package.json")),
};

function commit(): string {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}
