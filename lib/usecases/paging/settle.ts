import { type FailureClass, textOf } from "../../domain/incidents/classes.ts";
import { type Incident, incidentKey } from "../../domain/incidents/incident.ts";
import { historyOf, type OpenIncident, openIncidentsOf } from "../../domain/incidents/open-incidents.ts";
import { type PageEnd, spokenDuration } from "../../domain/incidents/page-end.ts";
import { pageText } from "../../domain/incidents/page-text.ts";
import { shouldPage } from "../../domain/incidents/repeats.ts";
import { type Ended, type Outage, outageOf, type PageDraft } from "../../domain/incidents/trouble.ts";
import {
  type Delivery,
  describePeriod,
  hasLasted,
  type UnknownPeriod,
  unknownPeriod,
} from "../../domain/incidents/unknown-period.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import { defined } from "../../domain/time/defined.ts";
import type { Json, JsonObject } from "../../domain/time/json.ts";
import { epochMillis, isoTime, millis } from "../../domain/time/time.ts";
import { asRelightError } from "../../errors.ts";
import { record } from "../context/context.ts";
import { latestVerdicts } from "../journal/latest-verdicts.ts";
import { correlationOf, type EscalateDependencies, type Occasion } from "./pager.ts";
import { pageSubject, sendOpen, sendResolved } from "./send.ts";

const INCIDENTS = ["incident.opened", "incident.resolved"] as const;

/**
 * Sends the page about everything that is wrong with the account, or resolves its incidents of which nothing is left.
 * @param healedBy what Relight did against it, for the resolution; for people
 * @returns what became of the page; undefined if nothing is wrong
 */
export async function settleIncidents(
  context: EscalateDependencies,
  job: Occasion,
  { troubles, ended }: PageDraft,
  healedBy?: string,
): Promise<PageEnd | undefined> {
  const [first, ...others] = troubles;
  if (first !== undefined) {
    const known = await incidentsSoFar(context, job);
    return page(context, job, outageOf(first, ...others), known, ended);
  }
  if (ended.length === 0) return undefined;
  const entries = await context.journal.read({ account: job.account, kinds: INCIDENTS });
  for (const incident of openIncidentsOf(entries)) {
    const end = endOf(incident, ended);
    if (end !== undefined) await resolve(context, job, incident, end, healedBy);
  }
  return undefined;
}

/** The statement that ends the incident; undefined if something is still wrong. */
function endOf({ classes, last }: OpenIncident, ended: readonly Ended[]): Ended | undefined {
  if (classes.some((failureClass) => !ended.some(({ which }) => which(failureClass)))) return undefined;
  const main = last?.data["failureClass"] ?? classes[0];
  return ended.findLast(({ which }) => which(main as (typeof classes)[number]));
}

async function page(
  context: EscalateDependencies,
  job: Occasion,
  outage: Outage,
  known: readonly JournalEntry[] | undefined,
  ended: readonly Ended[],
): Promise<PageEnd> {
  const { failureClass, severity, about, repeats = true } = outage;
  // Without a journal, page too often rather than not at all.
  const entries = known ?? [];
  const open = currentOf(openIncidentsOf(entries), context, job, outage);
  const key = open?.key ?? incidentKey(context.operator.id, job.account, failureClass);
  const now = context.clock.now();
  const waits = outage.waits === "until-it-lasts" && known !== undefined;
  const period = waits ? await periodOf(context, job, { key, failureClass }, known) : undefined;
  const { since: noticed, was } = historyOf(open, failureClass);
  const since = earliest(noticed, outage.since, period && isoTime(period.began)) ?? isoTime(now);
  const current = period === undefined ? outage : withPeriod(outage, period);
  const left = (open?.classes ?? []).filter((one) => !ended.some(({ which }) => which(one)));
  const opened = (delivery: Delivery, page?: Incident): Promise<void> =>
    record(context, job, "incident.opened", {
      key,
      failureClass,
      severity,
      summary: current.summary,
      delivery,
      correlation: correlationOf(context, job),
      ...defined({ about }),
      since,
      classes: [...new Set([...outage.classes, ...left])],
      ...(page === undefined ? {} : { page: pageJson(page) }),
    });
  if (period !== undefined && !hasLasted(period, context.unknownAfter ?? millis(0), now)) {
    context.log.warn("nobody is called yet: that may pass", { key, summary: current.summary });
    await opened("waiting");
    return { delivery: "waiting" };
  }
  const hasChannels = context.escalation.hasChannels !== false;
  if (!shouldPage(entries, { key, failureClass, severity, about, repeats, hasChannels }, now))
    return { delivery: hasChannels ? "sent_before" : "logged", ...lastSent(open) };
  const subject = await pageSubject(context, job.account, outage.name);
  const { delivery, incident } = await sendOpen(context, current, {
    ...subject,
    key,
    since,
    at: isoTime(now),
    correlation: correlationOf(context, job),
    ...(open?.last === undefined ? { first: true } : {}),
    ...defined({ was }),
  });
  await opened(delivery, incident);
  return { delivery };
}

/** An account has one incident, however it began. One that only waits may be nothing, so a certain fault has its own. */
function currentOf(
  open: readonly OpenIncident[],
  { operator }: EscalateDependencies,
  { account }: Occasion,
  { failureClass }: Outage,
): OpenIncident | undefined {
  const own = incidentKey(operator.id, account, failureClass);
  const current = account === "-" ? undefined : open.findLast(({ last }) => last !== undefined);
  return current ?? open.find(({ key }) => key === own);
}

/** What a person was told, for the console. */
function pageJson(incident: Incident): JsonObject {
  const { title, parts } = pageText(incident);
  return { title, parts: parts as unknown as Json };
}

function lastSent(open: OpenIncident | undefined): { at?: string } {
  return open?.last === undefined ? {} : { at: isoTime(open.last.at) };
}

async function resolve(
  context: EscalateDependencies,
  job: Occasion,
  incident: OpenIncident,
  { because }: Ended,
  healedBy: string | undefined,
): Promise<void> {
  const { key, last } = incident;
  const resolved = (): Promise<void> =>
    record(context, job, "incident.resolved", { key, correlation: correlationOf(context, job) });
  // Nobody was paged.
  if (last === undefined) return resolved();
  const now = isoTime(context.clock.now());
  const { failureClass, severity, summary } = last.data;
  const since = historyOf(incident, failureClass as FailureClass).since ?? now;
  const end = because ?? textOf(String(failureClass)).end;
  const delivery = await sendResolved(context, {
    ...(await pageSubject(context, job.account)),
    key,
    since,
    at: now,
    correlation: correlationOf(context, job),
    ...({ failureClass, severity } as Pick<Outage, "failureClass" | "severity">),
    summary: `${end} after ${spokenDuration({ since, at: now })}`,
    was: String(summary),
    ...defined({ healedBy }),
  });
  // An undelivered resolution leaves the incident open, so the next healthy verdict sends it again.
  if (delivery !== "undeliverable") await resolved();
}

/** Undefined if the journal can't be read: then a person is paged at once. */
async function periodOf(
  { journal, clock }: EscalateDependencies,
  { account, id }: Occasion,
  incident: Pick<Outage, "failureClass"> & { readonly key: string },
  incidents: readonly JournalEntry[],
): Promise<UnknownPeriod | undefined> {
  try {
    const verdicts = account === "-" ? [] : await latestVerdicts(journal, account);
    const entries = [...incidents, ...verdicts].sort((one, other) => one.at - other.at);
    return unknownPeriod(entries, incident, id, clock.now());
  } catch {
    return undefined;
  }
}

function withPeriod(outage: Outage, period: UnknownPeriod): Outage {
  const { began, asked } = period;
  return {
    ...outage,
    summary: `${outage.summary} (${describePeriod(period)})`,
    evidence: { ...outage.evidence, unknown: { since: isoTime(began), asked } },
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
    log.error("earlier pages could not be read", { account, error: asRelightError(thrown).toJSON() });
    return undefined;
  }
}

/** The earliest of the known times; undefined if none is known. */
function earliest(...times: readonly (string | undefined)[]): string | undefined {
  const known = times.flatMap((time) => (time === undefined ? [] : [Date.parse(time)]));
  return known.length === 0 ? undefined : isoTime(epochMillis(Math.min(...known)));
}
