import type { AccountId } from "../domain/account.ts";
import { type FailureClass, type Incident, incidentKey, RENEWAL_CLASSES } from "../domain/incident.ts";
import { type JournalEntry, openIncidents } from "../domain/journal.ts";
import type { JsonObject } from "../domain/json.ts";
import { allows, describeMode, modeJson } from "../domain/mode.ts";
import { isToBeTold, openingsOf } from "../domain/repeats.ts";
import { isoTime } from "../domain/time.ts";
import { asRelightError } from "../errors.ts";
import { type Context, record } from "./context.ts";

/** What escalation needs; less than a whole context, so that "the cluster is unreachable" can be told too. */
export type Pager = Pick<
  Context,
  "clock" | "journal" | "escalation" | "log" | "operator" | "settingsOf" | "correlation" | "mode"
>;

export interface Trouble {
  readonly failureClass: FailureClass;
  readonly severity: Incident["severity"];
  readonly summary: string;
  readonly advice: readonly string[];
  readonly evidence: JsonObject;
  /** What tells this trouble from another of the same class: a change is told at once. */
  readonly about?: string;
}

/** Which account it is about, and the job that noticed it. */
interface Occasion {
  readonly id: string;
  readonly account: AccountId | "-";
}

/**
 * Calls a person: at once when it is new or worse, else with growing pauses for as long as it is not resolved
 * ({@link isToBeTold}). A channel that fails is logged and journalled, never fatal: what was healed or seen must
 * not be lost because a page was; the next call tries again.
 */
export function escalate(context: Pager, job: Occasion, trouble: Trouble): Promise<void> {
  return call(context, job, trouble, true);
}

/** The same, but what is known and has not changed is not repeated. */
export function escalateOnce(context: Pager, job: Occasion, trouble: Trouble): Promise<void> {
  return call(context, job, trouble, false);
}

async function call(
  context: Pager,
  job: Occasion,
  { about, ...trouble }: Trouble,
  repeats: boolean,
): Promise<void> {
  const { failureClass, severity, summary } = trouble;
  const key = incidentKey(context.operator.id, job.account, failureClass);
  const entries = await incidentsSoFar(context, job);
  const now = context.clock.now();
  if (!isToBeTold(entries, { key, severity, about, repeats }, now)) return;
  const { mode } = context;
  const limits = allows(mode.mode, "heal") ? [] : [`${describeMode(mode)}.`];
  const delivery = await deliver(context, {
    ...{ ...trouble, advice: [...trouble.advice, ...limits] },
    evidence: { ...trouble.evidence, mode: modeJson(mode) },
    ...{ key, status: "open", account: job.account, accountName: nameOf(context, job.account) },
    ...{ since: isoTime(openingsOf(entries, key)[0]?.at ?? now), at: isoTime(now) },
    correlation: correlationOf(context, job),
  });
  await record(context, job, "incident.opened", {
    ...{ key, failureClass, severity, summary, delivery, correlation: correlationOf(context, job) },
    ...(about === undefined ? {} : { about }),
  });
}

/** Without a journal a person is called nevertheless, and too often rather than not at all. */
async function incidentsSoFar(
  { journal, log }: Pager,
  { account }: Occasion,
): Promise<readonly JournalEntry[]> {
  try {
    return await journal.read({ account, kinds: INCIDENTS });
  } catch (thrown) {
    log.error("what was told before could not be read", { account, error: asRelightError(thrown).toJSON() });
    return [];
  }
}

const INCIDENTS = ["incident.opened", "incident.resolved"] as const;

/** Health resolves every class of failure but those that are about the renewal or the journal. */
export const ABOUT_HEALTH = (failureClass: FailureClass): boolean =>
  !RENEWAL_CLASSES.includes(failureClass) && failureClass !== "journal_unproved";

/** Resolves the incidents of the account that are still open, of the classes that `which` takes. */
export async function resolveIncidents(
  context: Pager,
  job: Occasion,
  which: (failureClass: FailureClass) => boolean = ABOUT_HEALTH,
  because = "healthy again",
): Promise<void> {
  const entries = await context.journal.read({ account: job.account, kinds: INCIDENTS });
  for (const key of openIncidents(entries)) {
    const openings = openingsOf(entries, key);
    const opened = openings.at(-1);
    if (!which(opened?.data["failureClass"] as FailureClass)) continue;
    const now = context.clock.now();
    const incident: Incident = {
      key,
      status: "resolved",
      failureClass: opened?.data["failureClass"] as FailureClass,
      severity: opened?.data["severity"] as Incident["severity"],
      account: job.account,
      accountName: nameOf(context, job.account),
      summary: `${because}: ${String(opened?.data["summary"])}`,
      advice: [],
      evidence: {},
      since: isoTime(openings[0]?.at ?? now),
      at: isoTime(now),
      correlation: correlationOf(context, job),
    };
    const delivery = await deliver(context, incident);
    // An undelivered "resolved" stays open here, so that the next healthy verdict sends it again.
    if (delivery === "delivered")
      await record(context, job, "incident.resolved", { key, correlation: incident.correlation ?? job.id });
  }
}

async function deliver(
  { escalation, log }: Pager,
  incident: Incident,
): Promise<"delivered" | "undeliverable"> {
  try {
    await escalation.send(incident);
    return "delivered";
  } catch (thrown) {
    const error = asRelightError(thrown);
    log.error("an incident could not be delivered to any channel", {
      key: incident.key,
      error: error.toJSON(),
    });
    return "undeliverable";
  }
}

/** Whatever is not done by a job, as a sweep that fails, is found by an id of its own. */
const correlationOf = ({ correlation }: Pager, { id }: Occasion): string => correlation ?? id;

function nameOf({ settingsOf }: Pager, account: AccountId | "-"): string {
  return account === "-" ? "the cluster" : (settingsOf(account)?.name ?? account);
}
