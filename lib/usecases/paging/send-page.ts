import type { Incident } from "../../domain/incidents/incident.ts";
import { openingsOf } from "../../domain/incidents/repeats.ts";
import { alarmIncident, alarmKey, type StackAlarm } from "../../domain/incidents/stack-alarm.ts";
import type { JournalEntry } from "../../domain/journal/journal.ts";
import { type EpochMillis, epochMillis, millis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { type Context, record } from "../context/context.ts";

/** What sending a page needs: less than a job, because it must work while other things fail. */
export type PageDependencies = Pick<Context, "clock" | "newId" | "log" | "journal" | "leases" | "escalation">;

/** A page to send. */
export type Page =
  | { readonly kind: "incident"; readonly incident: Incident }
  | { readonly kind: "alarm"; readonly alarm: StackAlarm };

/**
 * `told`: a channel accepted it. `repeated`: it was sent before. `outdated`: the journal has a later opposite page.
 * `nothing-to-tell`: it needs no action.
 */
export type SendResult = "told" | "repeated" | "outdated" | "nothing-to-tell";

/** How long a run may take to send a page: twice the time of three tries on every channel. */
const MOST_SEND_TIME = millis(2 * 60_000);
/** As long as the queue keeps a message and may deliver it again. */
const REMEMBERED = millis(4 * 24 * 60 * 60_000);
const INCIDENTS = ["incident.opened", "incident.resolved"] as const;

/**
 * Sends a page from the bus to the channels, once, however often and in whatever order messages arrive.
 * @throws RelightError `escalation.undeliverable`, `page.busy`: then the message must be delivered again.
 */
export function sendPage(deps: PageDependencies, page: Page): Promise<SendResult> {
  return page.kind === "incident" ? sendIncident(deps, page.incident) : sendAlarm(deps, page.alarm);
}

async function sendIncident(deps: PageDependencies, incident: Incident): Promise<SendResult> {
  return onlyOnce(deps, incident, async () => {
    const entries = await entriesOf(deps, incident);
    if (isOutdated(entries, incident)) return "outdated";
    await deps.escalation.send(incident);
    return "told";
  });
}

/**
 * Handles an alarm of the stack, and records it, because no job does. OK resolves only what ALARM opened, and a state older
 * than the last known one is ignored. INSUFFICIENT_DATA does neither, because every alarm starts in that state, and missing
 * data does not mean that everything is fine. The alarm for missed sweeps treats missing data as a failure, so a stack
 * that stops is still noticed.
 */
async function sendAlarm(deps: PageDependencies, alarm: StackAlarm): Promise<SendResult> {
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

/** Records an OK even if it resolves nothing, because an earlier ALARM may arrive later. */
async function recordAlarm(deps: PageDependencies, incident: Incident): Promise<void> {
  const { key, failureClass, severity, summary, at, status } = incident;
  const opened = { key, failureClass, severity, summary, delivery: "delivered", asOf: at };
  const [kind, data] =
    status === "open" ? (["incident.opened", opened] as const) : (["incident.resolved", { key, asOf: at }] as const);
  await record(deps, { id: deps.newId(), account: "-" }, kind, data);
}

/** The time of the state, not of the page. */
function asOf({ at, data }: JournalEntry): EpochMillis {
  const time = Date.parse(String(data["asOf"]));
  return Number.isNaN(time) ? at : epochMillis(time);
}

/** Whether the journal has the opposite of this page from a later time. */
function isOutdated(entries: readonly JournalEntry[], { status, at }: Incident): boolean {
  const contrary = status === "open" ? "incident.resolved" : "incident.opened";
  return entries.some((entry) => entry.kind === contrary && entry.at > Date.parse(at));
}

/** Without a journal, page too often rather than not at all. */
async function entriesOf(
  { journal, log }: PageDependencies,
  { account, key }: Pick<Incident, "account" | "key">,
): Promise<readonly JournalEntry[]> {
  try {
    const entries = await journal.read({ account, kinds: INCIDENTS });
    return entries.filter(({ data }) => data["key"] === key);
  } catch (thrown) {
    log.error("earlier pages could not be read", { account, error: asRelightError(thrown).toJSON() });
    return [];
  }
}

/**
 * One run at a time, and sent pages are remembered. A killed run leaves only a lease that ends by itself, so the page is
 * sent again. A page that was sent but not remembered is sent twice, which is better than never.
 */
async function onlyOnce(
  deps: PageDependencies,
  { key, status, at }: Incident,
  send: () => Promise<SendResult>,
): Promise<SendResult> {
  const { leases, newId, log } = deps;
  const holder = newId();
  const [busy, sent] = [`page/${key}/${status}/${at}`, `told/${key}/${status}/${at}`];
  // If leases fail, page too often rather than not at all.
  if ((await acquired(deps, busy, holder)) === "held")
    throw new RelightError("page.busy", `another run is sending the page ${key} of ${at}`);
  try {
    if ((await acquired(deps, sent, holder)) === "held") return "repeated";
    const end = await send();
    await leases.acquire(sent, holder, REMEMBERED).catch((thrown: unknown) => {
      log.warn("a sent page could not be recorded", { key, error: asRelightError(thrown).toJSON() });
    });
    return end;
  } catch (thrown) {
    await released(deps, sent, holder);
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
    return (await leases.acquire(key, holder, MOST_SEND_TIME)) ? "ours" : "held";
  } catch (thrown) {
    log.error("a page could not be leased", { key, error: asRelightError(thrown).toJSON() });
    return "unknown";
  }
}

/** A lease that can't be released ends by itself. */
async function released({ leases, log }: PageDependencies, key: string, holder: string): Promise<void> {
  await leases.release(key, holder).catch((thrown: unknown) => {
    log.warn("a page's lease could not be released", { key, error: asRelightError(thrown).toJSON() });
  });
}
