import { type App, openApp } from "../lib/compose/compose.ts";
import { describePage } from "../lib/domain/incidents/page-end.ts";
import { defined } from "../lib/domain/time/defined.ts";
import { redact } from "../lib/domain/time/redact.ts";
import { counted } from "../lib/domain/time/text.ts";
import type { Verdict } from "../lib/domain/verdict/verdict.ts";
import type { ClusterEvent, WatchAction } from "../lib/domain/watch/watch.ts";
import { asRelightError, EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import type { Remediation } from "../lib/usecases/remediate/remediation.ts";
import type { JobEnd, SweepEnd, WatchNote } from "../lib/usecases/watch/watch.ts";
import type { Interval } from "./arguments.ts";
import { colors } from "./colors.ts";
import { growingNames, type NameOf } from "./names.ts";
import { printAside, printJsonLine, printLines } from "./out.ts";
import { serviceLog } from "./service-log.ts";
import {
  type GlobalOptions,
  interruptible,
  namedConfig,
  onStandardError,
  reportError,
  warn,
  warnOnce,
} from "./session.ts";
import { shortName } from "./table.ts";

/** `relight watch`: it ends when it is stopped, and says what it hears and does one line at a time. */

/** Watches until Ctrl-C or SIGTERM, which end it with 0 once the step under way is done. */
export async function runWatch(options: GlobalOptions, sweepEvery: Interval): Promise<ExitCode> {
  const { config: configFile, context: natsContext, json, dryRun = false } = options;
  const log = serviceLog(options);
  const stop = interruptible({ say: (text) => printAside([`relight: ${text}`]) });
  try {
    const { signal } = stop;
    const settings = {
      configFile,
      natsContext,
      log,
      onAdvice: warnOnce(),
      signal,
      upFront: true,
      dryRun,
      writeMetrics: onStandardError,
    };
    await using app = await openApp({ ...settings, ...namedConfig(options) });
    if (app.nobodyPagedWarning !== undefined) warn(app.nobodyPagedWarning);
    const report = await notePrinter(app, options);
    const every = sweepEvery === "off" ? undefined : sweepEvery;
    await app.watch({ sweepEvery: every, report, program: "relight watch" });
    return EXIT.ok;
  } catch (thrown) {
    return json ? reportLine(thrown) : reportError(thrown, options);
  } finally {
    stop.end();
  }
}

/** Prints each note of a running watch. */
export async function notePrinter(app: App, { json }: Pick<GlobalOptions, "json">): Promise<(note: WatchNote) => void> {
  const { nameOf, learn } = await growingNames(app);
  return (note) => {
    const at = new Date().toISOString();
    for (const { account, name } of resultsIn(note)) learn(account, name);
    if (json) printJsonLine({ at, ...describe(nameOf, note) });
    else printLines(linesOf((account) => shortName(nameOf(account), account), note, at));
  };
}

/** The results of jobs, which have the accounts' names. */
function resultsIn(note: WatchNote): readonly Remediation[] {
  const ends =
    note.what === "job"
      ? [note.end]
      : note.what === "sweep" && "ends" in note.end
        ? note.end.ends.map(({ end }) => end)
        : [];
  return ends.flatMap((end) => (end.state === "done" ? [end.result] : []));
}

/** An error on one line, as everything else is. */
export function reportLine(thrown: unknown): ExitCode {
  const error = asRelightError(thrown);
  const at = new Date().toISOString();
  printJsonLine({ at, what: "error", error: error.toJSON() });
  return error.exitCode;
}

/** A note as one JSON document. */
function describe(nameOf: NameOf, note: WatchNote): object {
  switch (note.what) {
    case "heard":
      return redact({
        what: "heard",
        ...note.event,
        ...named(nameOf, note.event),
        action: note.action,
      }) as object;
    case "job":
      return { what: "job", ...describeEnd(nameOf, note.account, note.end), reason: note.reason };
    case "sweep": {
      const { reason, end } = note;
      if (end instanceof RelightError) return { what: "sweep", reason, error: end.toJSON() };
      const results = end.ends.map(({ account, end: ended }) => describeEnd(nameOf, account, ended));
      return { what: "sweep", reason, queued: end.queued, results };
    }
  }
}

function describeEnd(nameOf: NameOf, account: string, end: JobEnd): object {
  const whose = { account, name: nameOf(account) };
  switch (end.state) {
    case "queued":
      return { ...whose, outcome: "queued" };
    case "failed":
      return { ...whose, outcome: "failed", error: end.error.toJSON() };
    case "done": {
      const { outcome, why, rungs, verdict, pushed, correlation, would, page } = end.result;
      const findings = verdict.findings.map(({ code, health, message }) => ({ code, health, message }));
      const ended = { ...whose, outcome, why, verdict: verdict.health, findings, rungs, correlation };
      return { ...ended, ...defined({ page }), ...(pushed ? { pushed } : {}), ...(would ? { would } : {}) };
    }
  }
}

const named = (nameOf: NameOf, event: ClusterEvent): object =>
  "account" in event && event.account !== undefined ? { name: nameOf(event.account) } : {};

/** A note as people read it. */
function linesOf(nameOf: NameOf, note: WatchNote, at: string): readonly string[] {
  const line = (who: string, text: string): string => `${colors.dim(at)} ${colors.bold(who)}: ${text}`;
  switch (note.what) {
    case "heard":
      return [line(subjectOf(nameOf, note.event), `${note.action.why}${consequence(note.action)}`)];
    case "job":
      return [line(nameOf(note.account), endText(note.end))];
    case "sweep":
      return sweepLines(nameOf, note.end, line);
  }
}

function sweepLines(
  nameOf: NameOf,
  end: SweepEnd | RelightError,
  line: (who: string, text: string) => string,
): readonly string[] {
  if (end instanceof RelightError) return [line("sweep", `failed: ${errorText(end)}`)];
  const notable = end.ends.filter(({ end: ended }) => !isUneventful(ended));
  return [
    ...notable.map(({ account, end: ended }) => line(nameOf(account), endText(ended))),
    line("sweep", `${counted(end.queued, "account")} swept`),
  ];
}

const isUneventful = (end: JobEnd): boolean => end.state === "done" && end.result.outcome === "healthy";

function subjectOf(nameOf: NameOf, event: ClusterEvent): string {
  return "account" in event && event.account !== undefined ? nameOf(event.account) : "cluster";
}

function consequence({ do: what }: WatchAction): string {
  return what === "job" ? "; checking" : what === "sweep" ? "; checking all accounts" : "";
}

function endText(end: JobEnd): string {
  if (end.state === "queued") return "queued";
  if (end.state === "failed") return `failed: ${errorText(end.error)}`;
  const { outcome, why, verdict, page, rungs } = end.result;
  // Why it was renewed may be news, too.
  const renewed = rungs.filter(({ rung }) => rung === "renew").map((done) => `; ${done.rung}: ${done.why}`);
  const called = page === undefined ? "" : `; ${describePage(page)}`;
  return `${outcome}, ${verdict.health} (${why})${problemText(verdict)}${renewed.join("")}${called}`;
}

/** The worst of what is wrong, and what to do about it. */
function problemText({ health, findings }: Verdict): string {
  const worst = findings.find((found) => found.health === health);
  if (worst === undefined) return "";
  const more = findings.length > 1 ? ` (and ${counted(findings.length - 1, "more finding")})` : "";
  return `: ${worst.message}${more}`;
}

const errorText = (error: RelightError): string => `${error.message.split("\n")[0]} [${error.code}]`;
