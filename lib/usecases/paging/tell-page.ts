import type { Incident } from "../../domain/incidents/incident.ts";
import { openingsOf } from "../../domain/incidents/repeats.ts";
import { alarmIncident, alarmKey, type StackAlarm } from "../../domain/incidents/stack-alarm.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import { type EpochMillis, epochMillis, millis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { type Context, record } from "../context/context.ts";

/** What telling a page needs: less than any job does, so that it works while much else does not. */
export type PageDependencies = Pick<Context, "clock" | "newId" | "log" | "journal" | "leases" | "escalation">;

/** What is to be told. */
export type Page =
  | { readonly kind: "incident"; readonly incident: Incident }
  | { readonly kind: "alarm"; readonly alarm: StackAlarm };

/**
 * `told`: a channel took it. `repeated`: it was told before. `outdated`: the journal knows of something later that
 * undoes it. `nothing-to-tell`: nobody would do anything about it.
 */
export type Told = "told" | "repeated" | "outdated" | "nothing-to-tell";

/** How long one run may take to tell a page: three tries of every channel, and as much again. */
const TELLING = millis(2 * 60_000);
/** As long as the queue keeps a message, and so can bring it again. */
const REMEMBERED = millis(4 * 24 * 60 * 60_000);
const INCIDENTS = ["incident.opened", "incident.resolved"] as const;

/**
 * Tells the channels a page that came over the bus, once, however often and in whichever order messages come.
 * @throws RelightError `escalation.undeliverable`, `page.busy`: then the message has to come again.
 */
export function tellPage(deps: PageDependencies, page: Page): Promise<Told> {
  return page.kind === "incident" ? tellIncident(deps, page.incident) : tellAlarm(deps, page.alarm);
}

async function tellIncident(deps: PageDependencies, incident: Incident): Promise<Told> {
  return onlyOnce(deps, incident, async () => {
    const entries = await entriesOf(deps, incident);
    if (isOutdated(entries, incident)) return "outdated";
    await deps.escalation.send(incident);
    return "told";
  });
}

/**
 * An alarm of the stack has no job that journals it, so this does: OK resolves only what ALARM opened, and a state
 * that is older than the last one known changes nothing. INSUFFICIENT_DATA tells nothing and resolves nothing: every
 * alarm is born in it, and to see nothing is not to see that all is well. The alarm for missed sweeps counts missing
 * data as trouble, so a stack that falls silent is told of all the same.
 */
async function tellAlarm(deps: PageDependencies, alarm: StackAlarm): Promise<Told> {
  if (alarm.state === "INSUFFICIENT_DATA") return "nothing-to-tell";
  return onlyOnce(deps, alarmIncident(alarm), async () => {
    const entries = await entriesOf(deps, { account: "-", key: alarmKey(alarm) });
    const last = entries.at(-1);
    if (last !== undefined && asOf(last) > alarm.at) return "outdated";
    const [first] = openingsOf(entries, alarmKey(alarm));
    const isNews = alarm.state === "ALARM" || first !== undefined;
    const incident = alarmIncident(alarm, first === undefined ? alarm.at : asOf(first));
    if (isNews) await deps.escalation.send(incident);
    await recordAlarm(deps, incident);
    return isNews ? "told" : "nothing-to-tell";
  });
}

/** An OK that resolves nothing is journalled, too: an ALARM from before it may still be on its way. */
async function recordAlarm(deps: PageDependencies, incident: Incident): Promise<void> {
  const { key, failureClass, severity, summary, at, status } = incident;
  const opened = { key, failureClass, severity, summary, delivery: "delivered", asOf: at };
  const [kind, data] =
    status === "open"
      ? (["incident.opened", opened] as const)
      : (["incident.resolved", { key, asOf: at }] as const);
  await record(deps, { id: deps.newId(), account: "-" }, kind, data);
}

/** The instant of the state, not of the moment when it was told. */
function asOf({ at, data }: JournalEntry): EpochMillis {
  const time = Date.parse(String(data["asOf"]));
  return Number.isNaN(time) ? at : epochMillis(time);
}

/** Whether the journal has the contrary of this page, from after it was made. */
function isOutdated(entries: readonly JournalEntry[], { status, at }: Incident): boolean {
  const contrary = status === "open" ? "incident.resolved" : "incident.opened";
  return entries.some((entry) => entry.kind === contrary && entry.at > Date.parse(at));
}

/** Without a journal a person is called nevertheless, and too often rather than not at all. */
async function entriesOf(
  { journal, log }: PageDependencies,
  { account, key }: Pick<Incident, "account" | "key">,
): Promise<readonly JournalEntry[]> {
  try {
    const entries = await journal.read({ account, kinds: INCIDENTS });
    return entries.filter(({ data }) => data["key"] === key);
  } catch (thrown) {
    log.error("what was told before could not be read", { account, error: asRelightError(thrown).toJSON() });
    return [];
  }
}

/**
 * One run at a time, and what was told is remembered. A run that is killed midway leaves only a lease that ends by
 * itself, so the page comes again; one that was told but not remembered is told twice, which is better than never.
 */
async function onlyOnce(
  deps: PageDependencies,
  { key, status, at }: Incident,
  tell: () => Promise<Told>,
): Promise<Told> {
  const { leases, newId, log } = deps;
  const holder = newId();
  const [busy, told] = [`page/${key}/${status}/${at}`, `told/${key}/${status}/${at}`];
  // A journal that fails silences nobody: without its leases a page is told too often rather than not at all.
  if ((await acquired(deps, busy, holder)) === "held")
    throw new RelightError("page.busy", `another run tells the page ${key} of ${at}`);
  try {
    if ((await acquired(deps, told, holder)) === "held") return "repeated";
    const end = await tell();
    await leases.acquire(told, holder, REMEMBERED).catch((thrown: unknown) => {
      log.warn("what was told can't be remembered", { key, error: asRelightError(thrown).toJSON() });
    });
    return end;
  } catch (thrown) {
    await released(deps, told, holder);
    throw thrown;
  } finally {
    await released(deps, busy, holder);
  }
}

async function acquired(
  { leases, log }: PageDependencies,
  key: string,
  holder: string,
): Promise<"ours" | "held" | "unknown"> {
  try {
    return (await leases.acquire(key, holder, TELLING)) ? "ours" : "held";
  } catch (thrown) {
    log.error("a page could not be leased", { key, error: asRelightError(thrown).toJSON() });
    return "unknown";
  }
}

/** One that can't be released ends by itself. */
async function released({ leases, log }: PageDependencies, key: string, holder: string): Promise<void> {
  await leases.release(key, holder).catch((thrown: unknown) => {
    log.warn("a page's lease could not be released", { key, error: asRelightError(thrown).toJSON() });
  });
}
