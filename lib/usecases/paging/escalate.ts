import type { AccountId } from "../../domain/claims/account.ts";
import { type FailureClass, type Incident, incidentKey, RENEWAL_CLASSES } from "../../domain/incidents/incident.ts";
import { openingsOf, shouldPage } from "../../domain/incidents/repeats.ts";
import {
  type Delivery,
  describePeriod,
  hasLasted,
  isOnlyWaiting,
  type UnknownPeriod,
  unknownPeriod,
} from "../../domain/incidents/unknown-period.ts";
import { type JournalEntry, openIncidents } from "../../domain/journal/journal.ts";
import { allows, describeMode, modeJson } from "../../domain/ladder/mode.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { isoTime, millis } from "../../domain/time/time.ts";
import { asRelightError } from "../../errors.ts";
import { type Context, nameOf, record } from "../context/context.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";

/** What escalation needs: less than a whole context, because it must also page if the cluster is unreachable. */
export type EscalateDependencies = Pick<
  Context,
  "clock" | "journal" | "escalation" | "log" | "operator" | "settingsOf" | "correlation" | "mode" | "unknownAfter"
>;

export interface Trouble {
  readonly failureClass: FailureClass;
  readonly severity: Incident["severity"];
  readonly summary: string;
  readonly advice: readonly string[];
  readonly evidence: JsonObject;
  /** Distinguishes failures of the same class; if it changes, a page is sent at once. */
  readonly about?: string;
  /**
   * `until-it-lasts`: only a missing answer, so page once it has lasted ({@link Context.unknownAfter}). `not-at-all`, the
   * default: a certain fault, or one that can't wait.
   */
  readonly waits?: "until-it-lasts" | "not-at-all";
}

/** The affected account, and the job that noticed the failure. */
interface Occasion {
  readonly id: string;
  readonly account: AccountId | "-";
}

/**
 * Pages a person: at once if the failure is new or worse, otherwise with growing pauses until it is resolved
 * ({@link shouldPage}). Failing channels are logged and recorded but never fatal, because the job's work must not be lost;
 * the next call tries again.
 */
export function escalate(context: EscalateDependencies, job: Occasion, trouble: Trouble): Promise<void> {
  return call(context, job, trouble, true);
}

/** The same, without repeating an unchanged failure. */
export function escalateOnce(context: EscalateDependencies, job: Occasion, trouble: Trouble): Promise<void> {
  return call(context, job, trouble, false);
}

async function call(
  context: EscalateDependencies,
  job: Occasion,
  { about, waits, ...certain }: Trouble,
  repeats: boolean,
): Promise<void> {
  const { failureClass, severity } = certain;
  const key = incidentKey(context.operator.id, job.account, failureClass);
  const known = await incidentsSoFar(context, job);
  // Without a journal, page too often rather than not at all.
  const entries = known ?? [];
  const now = context.clock.now();
  const period = waits === "until-it-lasts" && known ? await periodOf(context, job, key, known) : undefined;
  const trouble = period === undefined ? certain : withPeriod(certain, period);
  const { summary } = trouble;
  const opened = (delivery: Delivery): Promise<void> =>
    record(context, job, "incident.opened", {
      key,
      failureClass,
      severity,
      summary,
      delivery,
      correlation: correlationOf(context, job),
      ...defined({ about }),
      ...(period === undefined ? {} : { since: isoTime(period.began) }),
    });
  if (period !== undefined && !hasLasted(period, context.unknownAfter ?? millis(0), now)) {
    context.log.warn("nobody is called yet: that may pass", { key, summary });
    return opened("waiting");
  }
  if (!shouldPage(entries, { key, severity, about, repeats }, now)) return;
  const { mode } = context;
  const limits = allows(mode.mode, "heal") ? [] : [`${describeMode(mode)}.`];
  const delivery = await deliver(context, {
    ...trouble,
    advice: [...trouble.advice, ...limits],
    evidence: { ...trouble.evidence, mode: modeJson(mode) },
    key,
    status: "open",
    account: job.account,
    accountName: subjectOf(context, job.account),
    since: period === undefined ? (sinceOf(openingsOf(entries, key)) ?? isoTime(now)) : isoTime(period.began),
    ...(period !== undefined && isOnlyWaiting(entries, key) ? { first: true } : {}),
    at: isoTime(now),
    correlation: correlationOf(context, job),
  });
  await opened(delivery);
}

/** Undefined if the journal can't be read: then a person is paged at once. */
async function periodOf(
  { journal, clock }: EscalateDependencies,
  { account, id }: Occasion,
  key: string,
  incidents: readonly JournalEntry[],
): Promise<UnknownPeriod | undefined> {
  try {
    const verdicts = account === "-" ? [] : await latestVerdicts(journal, account);
    const entries = [...incidents, ...verdicts].sort((one, other) => one.at - other.at);
    return unknownPeriod(entries, key, id, clock.now());
  } catch {
    return undefined;
  }
}

function withPeriod(trouble: Trouble, period: UnknownPeriod): Trouble {
  const { began, asked } = period;
  return {
    ...trouble,
    summary: `${trouble.summary} (${describePeriod(period)})`,
    evidence: { ...trouble.evidence, unknown: { since: isoTime(began), asked } },
  };
}

/** Undefined if the journal can't be read. */
async function incidentsSoFar(
  { journal, log }: EscalateDependencies,
  { account }: Occasion,
): Promise<readonly JournalEntry[] | undefined> {
  try {
    return await journal.read({ account, kinds: INCIDENTS });
  } catch (thrown) {
    log.error("what was told before could not be read", { account, error: asRelightError(thrown).toJSON() });
    return undefined;
  }
}

const INCIDENTS = ["incident.opened", "incident.resolved"] as const;

/** A healthy verdict resolves every class except those about renewals or the journal. */
const ABOUT_HEALTH = (failureClass: FailureClass): boolean =>
  !RENEWAL_CLASSES.includes(failureClass) && failureClass !== "journal_unproved";

/** Resolves the account's open incidents of the classes that `which` accepts. */
export async function resolveIncidents(
  context: EscalateDependencies,
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
    const resolved = (): Promise<void> =>
      record(context, job, "incident.resolved", { key, correlation: correlationOf(context, job) });
    if (isOnlyWaiting(entries, key)) {
      await resolved();
      continue;
    }
    const incident: Incident = {
      key,
      status: "resolved",
      failureClass: opened?.data["failureClass"] as FailureClass,
      severity: opened?.data["severity"] as Incident["severity"],
      account: job.account,
      accountName: subjectOf(context, job.account),
      summary: `${because}: ${String(opened?.data["summary"])}`,
      advice: [],
      evidence: {},
      since: sinceOf(openings) ?? isoTime(now),
      at: isoTime(now),
      correlation: correlationOf(context, job),
    };
    const delivery = await deliver(context, incident);
    // An undelivered resolution leaves the incident open, so the next healthy verdict sends it again.
    if (delivery === "delivered") await resolved();
  }
}

/** When the incident was opened, without waiting entries, because the failure may have come and gone before. */
function sinceOf(openings: readonly JournalEntry[]): string | undefined {
  const first = openings.find(({ data }) => data["delivery"] !== "waiting");
  const since = first?.data["since"];
  return typeof since === "string" ? since : first && isoTime(first.at);
}

async function deliver(
  { escalation, log }: EscalateDependencies,
  incident: Incident,
): Promise<Exclude<Delivery, "waiting">> {
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

/** Without a job, for instance for a failed sweep, the page has its own id. */
const correlationOf = ({ correlation }: EscalateDependencies, { id }: Occasion): string => correlation ?? id;

const subjectOf = (context: EscalateDependencies, account: AccountId | "-"): string =>
  account === "-" ? "the cluster" : nameOf(context, account);
