import { setTimeout as pause } from "node:timers/promises";
import type { NatsConnection } from "@nats-io/transport-node";
import { runApplications } from "./applications.ts";
import { allWorks, type Built, build } from "./build.ts";
import { compare, confirmed, type Disagreement, disagreement, faultsOf } from "./compare.ts";
import { wreck } from "./damage.ts";
import { type Holdings, holdingsOf, type Lost, lostSince } from "./holdings.ts";
import { judge } from "./judge.ts";
import type { Observed } from "./judge-tools.ts";
import { remaining, type StreamPlan, usable, type WorldPlan } from "./plan.ts";
import { relight, type Said } from "./product.ts";

/** What became of one world. */
export interface Result {
  readonly plan: WorldPlan;
  readonly disagreements: readonly Disagreement[];
  /** Why the world could not be built or damaged; then nothing was compared. */
  readonly invalid?: string;
  /** What happened, step by step. */
  readonly steps: readonly Step[];
  readonly seconds: number;
}

export interface Step {
  readonly at: string;
  readonly verdict?: string | undefined;
  readonly outcome?: string | undefined;
  readonly findings?: readonly string[];
  readonly rungs?: readonly string[];
  readonly losses?: readonly unknown[];
  /** What the judge found not to work. */
  readonly bad?: readonly Observed[];
  readonly seconds?: number;
  readonly note?: string;
}

/** Builds a world, damages it, runs Relight on it, and compares what Relight says with what the judge sees. `signal` ends its servers at once. */
export async function tryWorld(plan: WorldPlan, signal?: AbortSignal): Promise<Result> {
  const begun = performance.now();
  const steps: Step[] = [];
  const disagreements: Disagreement[] = [];
  const result = (invalid?: string): Result => ({
    plan,
    disagreements,
    ...(invalid === undefined ? {} : { invalid }),
    steps,
    seconds: Math.round((performance.now() - begun) / 1000),
  });
  try {
    await using built = await bounded(build(plan));
    const stop = (): void => void built[Symbol.asyncDispose]();
    signal?.addEventListener("abort", stop, { once: true });
    await bounded(new Trial(built, steps, disagreements).run());
    return result();
  } catch (error) {
    return result((error as Error).stack?.split("\n").slice(0, 4).join(" | ") ?? String(error));
  }
}

/** Seconds in which a server loads an account's streams at most. */
const LOADED_WITHIN = 5;
/** Much longer than any world took on a busy machine; milliseconds. */
const LONGEST = 15 * 60_000;

/** A client may wait for an answer forever. */
async function bounded<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = pause(LONGEST, undefined, { signal: timer.signal }).then((): never => {
    throw new Error("the world took too long: something waits forever");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
  }
}

/** What Relight said, what the judge saw, and where the two disagree. */
interface Look {
  readonly said: Said;
  readonly observed: readonly Observed[];
  readonly disagreements: readonly Disagreement[];
}

class Trial {
  readonly #built: Built;
  readonly #plan: WorldPlan;
  readonly #steps: Step[];
  readonly #found: Disagreement[];
  /** What is known to be gone: what the damage destroyed, and what heal lost. */
  #missing: readonly Lost[] = [];

  constructor(built: Built, steps: Step[], found: Disagreement[]) {
    this.#built = built;
    this.#plan = built.plan;
    this.#steps = steps;
    this.#found = found;
  }

  async run(): Promise<void> {
    const undamaged = { ...this.#plan, damages: [] };
    await allWorks(this.#built.access, usable(undamaged));
    await using _applications = runApplications(this.#built.access, this.#plan);
    if (this.#plan.isSeenBefore || this.#plan.damages.length === 0) await this.#check("before", undamaged);
    if (this.#plan.damages.length === 0) return;
    const original = await this.#holdings();
    const held: NatsConnection[] = [];
    try {
      for (const damage of this.#plan.damages) held.push(...(await wreck(this.#built, damage)));
      await this.#afterDamage(original);
    } finally {
      await Promise.all(held.map((connection) => connection.close()));
    }
  }

  async #afterDamage(original: Holdings): Promise<void> {
    const streams = remaining(this.#plan).filter(({ name }) => !this.#isPurged(name));
    const destroyed = await this.#destroyed(original, streams);
    // What only a missing server holds is not gone.
    const isAway = this.#plan.damages.some((damage) => damage.do === "stop");
    // Streams on file are never left out: the judge must find them, or Relight must miss them.
    const mayGo = ({ isInMemory, isGone, consumer }: Lost): boolean =>
      isInMemory || (isGone === true && consumer !== undefined);
    this.#missing = isAway ? [] : destroyed.filter(mayGo);
    this.#steps.push({ at: "destroyed", note: JSON.stringify(this.#missing) });
    const { observed: broken } = await this.#check("damaged", this.#plan);
    const before = await this.#holdings();
    const panics = await this.#panics();
    const healed = await this.#say("healed", "heal");
    this.#found.push(...faultsOf("healed", healed));
    const after = await this.#holdings();
    if ((await this.#panics()) > panics)
      this.#found.push({ kind: "panic", at: "healed", what: "a server panicked while Relight healed" });
    const lost = lostSince(before, after, streams, this.#plan.buckets);
    this.#compareLosses(lost, healed);
    this.#missing = [...this.#missing, ...lost];
    const now = await this.#afterHeal(healed, broken);
    const gone = lostSince(original, after, streams, this.#plan.buckets).filter(
      ({ isInMemory, isGone }) => !isInMemory && !isGone,
    );
    this.#compareSeen(gone, now);
  }

  /**
   * What the servers do not report any more. A server that started again loads an account with its first client, and
   * reports nothing of it before.
   */
  async #destroyed(original: Holdings, streams: readonly StreamPlan[]): Promise<readonly Lost[]> {
    const { connectAs } = this.#built.world;
    await connectAs("app").then(
      (client) => client.close(),
      () => undefined,
    );
    let lost = lostSince(original, await this.#holdings(), streams, this.#plan.buckets);
    for (let tries = 0; tries < LOADED_WITHIN && lost.some(({ isGone }) => isGone === true); tries++) {
      await pause(1_000);
      lost = lostSince(original, await this.#holdings(), streams, this.#plan.buckets);
    }
    return lost;
  }

  /** Looks with the judge, then Relight, and looks again if they disagree. */
  async #check(at: string, plan: WorldPlan): Promise<Look> {
    const first = await this.#lookAndCompare(at, plan);
    if (first.disagreements.length === 0) return first;
    const second = await this.#lookAndCompare(`${at} again`, plan);
    const both = confirmed(first.disagreements, second.disagreements);
    if (both.length === 0) return second;
    // A last look, long after: what settles by itself is no disagreement.
    await new Promise((done) => setTimeout(done, 5_000));
    const third = await this.#lookAndCompare(`${at} at last`, plan);
    this.#found.push(...confirmed(both, third.disagreements));
    return third;
  }

  async #lookAndCompare(at: string, plan: WorldPlan): Promise<Look> {
    const before = await this.#judge(at, plan);
    const said = await this.#say(at, "verify");
    this.#found.push(...faultsOf(at, said));
    const suspects = compare(at, said, before);
    if (suspects.length === 0) return { said, observed: before, disagreements: suspects };
    const observed = await this.#judge(`${at}, after verify`, plan);
    return { said, observed, disagreements: confirmed(suspects, compare(at, said, observed)) };
  }

  async #afterHeal(healed: Said, broken: readonly Observed[]): Promise<Said> {
    const { outcome, verdict, rungs = [] } = healed.answer;
    const isTouched = rungs.some(({ result }) => result !== "refused");
    const worked = new Set(broken.filter(({ state }) => state === "works").map(nameOf));
    const faults = (observed: readonly Observed[]): readonly Disagreement[] => {
      const bad = observed.filter(({ state }) => state === "fails" || state === "partly");
      const isWell = verdict === "healthy" && (outcome === "healed" || outcome === "healthy");
      return [
        ...(isWell ? bad.map((one) => disagreement("wrongly-healed", "healed", one)) : []),
        ...(isTouched ? bad : [])
          .filter((one) => worked.has(nameOf(one)))
          .map((one) => disagreement("harm", "healed", one)),
      ];
    };
    const first = faults(await this.#judge("healed", this.#plan));
    if (first.length > 0) {
      await new Promise((done) => setTimeout(done, 5_000));
      this.#found.push(...confirmed(first, faults(await this.#judge("healed, again", this.#plan))));
    }
    return (await this.#check("after", this.#plan)).said;
  }

  #compareLosses(lost: readonly Lost[], { answer }: Said): void {
    const reported = JSON.stringify([answer.losses ?? [], answer.findings ?? []]);
    for (const { stream, consumer, what } of lost) {
      if (reported.includes(JSON.stringify(consumer ?? stream).slice(1, -1))) continue;
      // A stream that was emptied or went is reported without its consumers.
      if (lost.some((one) => one.stream === stream && one.consumer === undefined && reported.includes(stream)))
        continue;
      this.#found.push({
        kind: "loss",
        at: "healed",
        stream,
        ...(consumer === undefined ? {} : { consumer }),
        what: `${[stream, consumer].filter(Boolean).join(" > ")}: ${what}`,
      });
    }
  }

  /** What Relight saw once and is gone must be a finding. */
  #compareSeen(gone: readonly Lost[], { answer }: Said): void {
    if (!this.#plan.isSeenBefore || answer.verdict !== "healthy") return;
    for (const { stream, consumer, what } of gone)
      this.#found.push({
        kind: "false-healthy",
        at: "at the end",
        stream,
        ...(consumer === undefined ? {} : { consumer }),
        what: `${[stream, consumer].filter(Boolean).join(" > ")}: ${what} since it was healthy`,
      });
  }

  #isPurged(name: string): boolean {
    return this.#plan.damages.some(
      (damage) => (damage.do === "purge-stream" || damage.do === "recreate-stream") && damage.stream === name,
    );
  }

  async #judge(at: string, plan: WorldPlan): Promise<readonly Observed[]> {
    const begun = performance.now();
    const observed = await judge(this.#built.access, usable(plan, this.#missing));
    const bad = observed.filter(({ state }) => state === "fails" || state === "partly");
    this.#steps.push({ at: `judge: ${at}`, bad, seconds: secondsSince(begun) });
    return observed;
  }

  async #say(at: string, command: "verify" | "heal"): Promise<Said> {
    const said = await relight(this.#built.world.home, command, "APP");
    const { verdict, outcome, findings, rungs, losses, why, error } = said.answer;
    this.#steps.push({
      at: `${command}: ${at}`,
      verdict: verdict ?? error?.code,
      outcome,
      findings: (findings ?? []).map(({ code, health, message }) => `${health} ${code}: ${message}`),
      ...(rungs === undefined ? {} : { rungs: rungs.map((rung) => [rung.rung, rung.result, rung.why].join(" ")) }),
      ...(losses === undefined || losses.length === 0 ? {} : { losses }),
      seconds: said.seconds,
      ...(why === undefined && error === undefined && said.noise === undefined
        ? {}
        : { note: why ?? error?.message ?? said.noise ?? "" }),
    });
    return said;
  }

  #holdings(): Promise<Holdings> {
    return holdingsOf(this.#built.world);
  }

  async #panics(): Promise<number> {
    const texts = await Promise.all(this.#built.servers.map((server) => server.panics()));
    return texts.filter((text) => text.includes("panic")).length;
  }
}

const nameOf = ({ stream, consumer, use }: Observed): string => [stream, consumer, use].join(" ");

const secondsSince = (begun: number): number => Math.round((performance.now() - begun) / 100) / 10;
