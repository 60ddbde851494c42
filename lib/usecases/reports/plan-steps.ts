import { type Sequel, STILL_DEAD } from "../../domain/ladder/after-renewal.ts";
import type { Survey } from "./survey.ts";

/** One line of a plan, for people. */
export interface PlanStep {
  /** Whether Relight would not do it; `text` says why. */
  readonly refused: boolean;
  readonly text: string;
  /** Why, at what risk, and how it is undone: a label and its text. */
  readonly more: readonly (readonly [label: string, text: string])[];
}

/** What a sweep would do about the account; empty if there is nothing to do. */
export function planSteps({ renewal, reconciliation, step, decision, sequel }: Survey): readonly PlanStep[] {
  const steps: PlanStep[] = [];
  if (reconciliation !== undefined) steps.push(doing(`${reconciliation.does} the difference: ${reconciliation.why}`));
  if (renewal === undefined) steps.push(...notRenewed(decision));
  else steps.push(doing(`renew: its claims are ${renewal === "due" ? "due for renewal" : "expired"}`));
  if (sequel !== undefined) steps.push(...likely(sequel));
  if (step.kind === "rung") {
    const { id, title, risk, undo } = step.rung;
    steps.push(doing(`${id}: ${title}`, ["why", step.why], ["risk", risk], ["undo", undo]));
  }
  if (step.kind === "rung" || step.kind === "stop")
    steps.push(...step.refused.map(({ rung, why }) => refused(`${rung} refused: ${why}`)));
  if (step.kind === "stop") steps.push(doing(`call a person: ${step.why}`));
  return steps;
}

/** What a person who agrees to the renewal of an expired account agrees to as well. */
function likely({ why, rungs, refused }: Sequel): readonly PlanStep[] {
  const then = rungs.map(({ id, title, risk, undo }) =>
    doing(`${STILL_DEAD}, ${id}: ${title}`, ["why", why], ["risk", risk], ["undo", undo]),
  );
  if (refused.length === 0) return then;
  const because = refused.map(({ rung, why: objection }) => `${rung} is refused: ${objection}`).join("; ");
  return [doing(`${STILL_DEAD}, call a person: ${because}`, ["why", why])];
}

/** Why an account is not renewed although it is due. */
function notRenewed({ decision, why }: Survey["decision"]): readonly PlanStep[] {
  if (decision === "manual") return [doing(`a person renews it: ${why}`)];
  if (decision === "withdrawn") return [refused(`renew refused: ${why}`)];
  if (decision === "disagree") return [refused(`renew refused: its claims are not the same everywhere: ${why}`)];
  return [];
}

const doing = (text: string, ...more: PlanStep["more"]): PlanStep => ({ refused: false, text, more });

const refused = (text: string): PlanStep => ({ refused: true, text, more: [] });
