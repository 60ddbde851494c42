import type { Observation, Probe, StreamFacts } from "../observation/observation.ts";
import { defectsOf } from "../verdict/defects.ts";
import { finding } from "../verdict/findings.ts";
import { hasFinding, type Verdict } from "../verdict/verdict.ts";
import { type Attempt, attemptsOf, nextStep, type RefusedRung } from "./ladder.ts";
import type { Rung, Situation } from "./rung.ts";

/** What is likely to follow the renewal of an expired account. */
export interface Sequel {
  /** Why the account is likely to stay dead: the servers' versions, and their defect. */
  readonly why: string;
  /** The rungs that Relight would apply then, in order. */
  readonly rungs: readonly Rung[];
  /** What it would refuse before it calls a person; empty if a rung is left. */
  readonly refused: readonly RefusedRung[];
}

/** The condition of all of it; for people. */
export const STILL_DEAD = "if it is still dead after the renewal";

/** The steps for `would[]`, for people. */
export const sequelLines = ({ rungs }: Sequel): readonly string[] =>
  rungs.map(({ id, risk }) => `${id}, ${STILL_DEAD} (risk: ${risk})`);

/** How many rungs to foresee: each depends on what the one before it left. */
const MOST_RUNGS = 2;

/**
 * Foresees the steps after the renewal of an expired account on servers where such an account stays deaf (nats-server
 * #6806), because a person who agrees to the renewal agrees to them, too. Undefined if nothing is likely to follow.
 */
export function afterRenewal(situation: Situation): Sequel | undefined {
  const { observation, verdict } = situation;
  const why = whyDeaf(observation);
  const isConcerned = observation.streams.ok && observation.streams.value.length > 0;
  if (why === undefined || !isConcerned || !hasFinding(verdict, "account.expired")) return undefined;
  const then = renewedButDeaf(situation);
  const tried = new Set<Attempt>();
  const rungs: Rung[] = [];
  let step = nextStep(then, tried);
  while (step.kind === "rung" && rungs.length < MOST_RUNGS) {
    rungs.push(step.rung);
    for (const attempt of attemptsOf(step.rung, then)) tried.add(attempt);
    step = nextStep(then, tried);
  }
  return { why, rungs, refused: rungs.length === 0 && step.kind === "stop" ? step.refused : [] };
}

function whyDeaf({ servers }: Observation): string | undefined {
  const versions = servers.filter(({ jetstream }) => jetstream).map(({ version }) => version);
  const affected = [...new Set(versions)].filter((version) => defectsOf(version).some(({ issue }) => issue === ISSUE));
  if (affected.length === 0) return undefined;
  return `on nats-server ${affected.sort().join(" and ")}, streams and consumers stay deaf after an expired account was renewed (${ISSUE})`;
}

const ISSUE = "#6806";

function renewedButDeaf(situation: Situation): Situation {
  const { observation, verdict } = situation;
  const others = verdict.findings.filter(({ code }) => code !== "account.expired");
  const deaf = finding("stream.deaf", "dead", {}, "JetStream does not listen");
  const then: Verdict = { ...verdict, health: "dead", findings: [...others, deaf] };
  return { ...situation, verdict: then, observation: { ...observation, streams: allDeaf(observation.streams) } };
}

const allDeaf = (streams: Probe<readonly StreamFacts[]>): Probe<readonly StreamFacts[]> =>
  streams.ok ? { ok: true, value: streams.value.map(deafStream) } : streams;

const deafStream = (stream: StreamFacts): StreamFacts => ({
  ...stream,
  deafSubjects: { ok: true, value: stream.subjects },
  consumers: stream.consumers.map((consumer) => ({ ...consumer, heard: { ok: true, value: false } })),
});
