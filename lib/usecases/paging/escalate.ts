import type { FailureClass } from "../../domain/incidents/classes.ts";
import { RENEWAL_CLASSES } from "../../domain/incidents/incident.ts";
import type { Trouble } from "../../domain/incidents/trouble.ts";
import type { EscalateDependencies, Occasion } from "./pager.ts";
import { settleIncidents } from "./settle.ts";

/**
 * Pages a person: at once if the failure is new or worse, otherwise with growing pauses until it is resolved
 * (`shouldPage`). Within a job the page is sent at its end, because everything that is wrong with an account is one page.
 * Failing channels are logged and recorded but never fatal, because the job's work must not be lost; the next call tries
 * again.
 */
export async function escalate(context: EscalateDependencies, job: Occasion, trouble: Trouble): Promise<void> {
  if (context.draft !== undefined) context.draft.troubles.push(trouble);
  else await settleIncidents(context, job, { troubles: [trouble], ended: [] });
}

/** The same, without repeating an unchanged failure. */
export const escalateOnce = (context: EscalateDependencies, job: Occasion, trouble: Trouble): Promise<void> =>
  escalate(context, job, { ...trouble, repeats: false });

/** The same at once, because the job would not find the failure again. */
export const escalateNow = ({ draft: _draft, ...context }: EscalateDependencies, job: Occasion, trouble: Trouble) =>
  escalate(context, job, trouble);

/** A healthy verdict resolves every class except those about renewals or the journal. */
const ABOUT_HEALTH = (failureClass: FailureClass): boolean =>
  !RENEWAL_CLASSES.includes(failureClass) && failureClass !== "journal_unproved";

/**
 * Resolves the account's open incidents if all that is wrong is of classes that `which` accepts. Within a job that happens
 * at its end.
 * @param because how it ended, for people, to follow the account's name; by default what the class says
 */
export async function resolveIncidents(
  context: EscalateDependencies,
  job: Occasion,
  which: (failureClass: FailureClass) => boolean = ABOUT_HEALTH,
  because?: string,
): Promise<void> {
  const ended = { which, ...(because === undefined ? {} : { because }) };
  if (context.draft !== undefined) context.draft.ended.push(ended);
  else await settleIncidents(context, job, { troubles: [], ended: [ended] });
}
