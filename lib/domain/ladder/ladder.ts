import { hiddenByAway } from "../verdict/held-findings.ts";
import { hasFinding } from "../verdict/verdict.ts";
import { allows, type RunMode } from "./mode.ts";
import type { Rung, RungId, Situation } from "./rung.ts";
import { LADDER } from "./rungs.ts";

export type Step =
  | { readonly kind: "done" }
  | { readonly kind: "renew"; readonly why: string }
  | {
      readonly kind: "rung";
      readonly rung: Rung;
      readonly why: string;
      readonly refused: readonly RefusedRung[];
    }
  | { readonly kind: "stop"; readonly why: string; readonly refused: readonly RefusedRung[] };

export interface RefusedRung {
  readonly rung: RungId;
  readonly why: string;
}

/** A rung and one of its targets. */
export type Attempt = `${RungId} ${string}`;

/** Everything that a rung would treat now. */
export function attemptsOf(rung: Rung, situation: Situation): readonly Attempt[] {
  return rung.targets(situation).map((target): Attempt => `${rung.id} ${target}`);
}

/**
 * The next step: the cheapest rung that helps, is safe here, and was not tried on all of its targets. An account that is
 * unknown is left alone: a network fault triggers no remedy.
 * @param unready rungs that lack a requirement, with the reason.
 */
export function nextStep(
  situation: Situation,
  tried: ReadonlySet<Attempt>,
  unready: ReadonlyMap<RungId, string> = NONE,
): Step {
  const { verdict } = situation;
  if (verdict.health === "healthy") return { kind: "done" };
  const withdrawn = verdict.findings.find(({ code }) => code === "account.deleted" || code === "account.gone");
  if (withdrawn !== undefined)
    return {
      kind: "stop",
      why: `${withdrawn.message}; only a person may push the account again`,
      refused: [],
    };
  if (hasFinding(verdict, "account.expired")) return { kind: "renew", why: "an expired account must be renewed first" };
  if (verdict.health === "unknown") {
    const unknown = verdict.findings.filter(({ health }) => health === "unknown");
    // Every question was answered, only not that one: whatever else is wrong may be treated.
    const isAnswered = unknown.every(({ code }) => code === "limit.tiers_unproven");
    if (!isAnswered)
      return { kind: "stop", why: "the account's health is unknown, so no remedy is applied", refused: [] };
    if (unknown.length === verdict.findings.length) return { kind: "stop", why: UNPROVED_TIERS, refused: [] };
  }
  // Remedies do not expect an account with another remedy in progress.
  const unfinished = verdict.findings.find(({ code }) => code === "remedy.unfinished");
  if (unfinished !== undefined)
    return { kind: "stop", why: `another remedy is unfinished: ${unfinished.message}`, refused: [] };

  // Streams on absent servers must not be recreated or moved: they come back with their server, and moving empties them.
  const hiding = hiddenByAway(verdict, situation.observation);
  const refused: RefusedRung[] = [];
  for (const rung of LADDER) {
    const attempts = attemptsOf(rung, situation);
    if (attempts.length > 0 && attempts.every((attempt) => tried.has(attempt))) continue;
    const why = rung.helps(situation);
    if (why === undefined) continue;
    const missing = hiding === undefined || MOVES_NOTHING.has(rung.id) ? undefined : hiding.message;
    const objection = missing ?? rung.forbids(situation) ?? unready.get(rung.id);
    if (objection === undefined) return { kind: "rung", rung, why, refused };
    refused.push({ rung: rung.id, why: objection });
  }
  if (hiding !== undefined && refused.length === 0) return { kind: "stop", why: hiding.message, refused };
  return { kind: "stop", why: whyStopped(refused, tried), refused };
}

/** Rungs that move no stream, so they are safe while servers are away. */
const MOVES_NOTHING: ReadonlySet<RungId> = new Set(["push-again", "step-down-leaders"]);

/** What the step would do, if the mode does not allow it. In mode `look`, that includes paging a person. */
export function forbiddenStep({ mode }: RunMode, step: Step): string | undefined {
  if (step.kind === "renew") return allows(mode, "renew") ? undefined : `renew (${step.why})`;
  if (step.kind === "rung") return allows(mode, "heal") ? undefined : `${step.rung.id} (${step.why})`;
  return step.kind === "stop" && mode === "look" ? `page a person (${step.why})` : undefined;
}

const NONE: ReadonlyMap<RungId, string> = new Map();

/** The remedy would be `enter-tiers`, which needs the account's key and a finding that is proved. */
export const UNPROVED_TIERS =
  "it is unknown whether the streams count in a tier, and without the account's own view Relight does not move them";

export const NO_REMEDY = "no remedy helps against these findings";

function whyStopped(refused: readonly RefusedRung[], tried: ReadonlySet<Attempt>): string {
  if (refused.length > 0) return refused.map(({ rung, why }) => `${rung} is refused: ${why}`).join("; ");
  const rungs = new Set([...tried].map((attempt) => attempt.split(" ")[0]));
  if (rungs.size > 0) return `no rung is left after ${[...rungs].join(", ")}`;
  return NO_REMEDY;
}
