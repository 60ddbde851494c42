import { userInfo } from "node:os";
import type { App } from "../lib/compose/compose.ts";
import type { AccountId } from "../lib/domain/claims/account.ts";
import { expiringJson } from "../lib/domain/expiry/expiring.ts";
import { STILL_DEAD } from "../lib/domain/ladder/after-renewal.ts";
import { allows, modeJson } from "../lib/domain/ladder/mode.ts";
import { defined } from "../lib/domain/time/defined.ts";
import { redact } from "../lib/domain/time/redact.ts";
import { counted } from "../lib/domain/time/text.ts";
import { isoTime } from "../lib/domain/time/time.ts";
import { verdictJson } from "../lib/domain/verdict/verdict.ts";
import { asRelightError, EXIT, type ExitCode } from "../lib/errors.ts";
import { acknowledge as acknowledgeLosses } from "../lib/usecases/orders/acknowledge.ts";
import { confirmRestart as confirmRestartOf } from "../lib/usecases/orders/confirm-restart.ts";
import { forgetAccount } from "../lib/usecases/orders/forget-account.ts";
import type { Remediation } from "../lib/usecases/remediate/remediation.ts";
import { checkAccount, type Seen } from "../lib/usecases/reports/account-checks.ts";
import { entriesByCorrelation } from "../lib/usecases/reports/entries-by-correlation.ts";
import { type Survey, survey } from "../lib/usecases/reports/survey.ts";
import type { Sweep } from "../lib/usecases/sweep/sweep.ts";
import { notableExpiries, renderExpiring } from "./expiries.ts";
import { EXIT_OF, worstExit } from "./levels.ts";
import { nagiosStatus, nagiosVerdict } from "./nagios.ts";
import { namesIn } from "./names.ts";
import { renderJournal, renderMode, renderPlan, renderRemediation, renderStatus, renderVerdict } from "./render.ts";
import { renderChecks } from "./render-checks.ts";
import { type CommandResult, errorLines } from "./session.ts";
import { shortName } from "./table.ts";

/** The commands: each names its use case, and says how its end looks to programs, people and monitors. */
export async function status(app: App): Promise<CommandResult> {
  const rows = await survey(await app.context(), await app.accounts());
  const mayRenew = allows(app.mode.mode, "renew");
  const warned = rows.map(({ renewal, decision, alarm }) => {
    const isRenewed = renewal !== undefined && decision.decision === "renew" && mayRenew;
    if (alarm === "page" && !isRenewed) return EXIT.critical;
    return alarm !== "none" || renewal === "due" ? EXIT.warning : EXIT.ok;
  });
  const exits = rows.map(({ seen }) => EXIT_OF[seen.verdict.health]);
  const expiring = await notableExpiries(app);
  return {
    json: {
      mode: modeJson(app.mode),
      accounts: rows.map(statusRow),
      resolvers: resolversIn(rows),
      expiring: expiring.map(expiringJson),
    },
    lines: () => [
      ...renderStatus(rows, { now: app.clock.now() }),
      ...expiring.map(renderExpiring),
      renderMode(app.mode),
    ],
    exit: worstExit([...exits, ...warned, ...expiring.map(({ severity }) => EXIT[severity])]),
    nagios: () => nagiosStatus(rows, expiring),
  };
}

export async function plan(app: App, account: string | undefined): Promise<CommandResult> {
  const rows = await survey(await app.context(), await app.accounts(account));
  const idle = rows.every(({ step, renewal, decision, reconciliation }) => {
    const waits = renewal === undefined && reconciliation === undefined;
    return step.kind === "done" && waits && !NEEDS_A_PERSON.includes(decision.decision);
  });
  return {
    json: { mode: modeJson(app.mode), plans: rows.map(planRow) },
    lines: () => [...renderPlan(rows), renderMode(app.mode)],
    exit: idle ? EXIT.ok : EXIT.warning,
  };
}

const NEEDS_A_PERSON: readonly Survey["decision"]["decision"][] = ["manual", "disagree"];

export async function verify(app: App, account: string): Promise<CommandResult> {
  const looks: Seen[] = [];
  const job = { action: "verify", reason: "relight verify" } as const;
  const { verdict, name, correlation, mode, unrecorded } = await doJob(app, account, job, (look) => looks.push(look));
  const short = shortName(name, verdict.account);
  const checks = await checkAccount(await app.context(), { account: verdict.account, name }, looks.at(-1));
  return {
    json: { ...verdictJson(verdict), checks, name, correlation, mode, ...defined({ unrecorded }) },
    lines: () => [
      ...renderVerdict(verdict, short),
      ...renderChecks(checks),
      ...(unrecorded === undefined ? [] : [`  ${unrecorded}: this check is not in the journal`]),
      renderMode(mode),
    ],
    exit: EXIT_OF[verdict.health],
    nagios: () => nagiosVerdict(short, verdict),
  };
}

export async function renew(
  app: App,
  account: string,
  { undelete }: { readonly undelete: boolean },
): Promise<CommandResult> {
  const more = undelete ? { undelete } : {};
  return remediated(await doJob(app, account, { action: "renew", reason: "relight renew", ...more }));
}

/** A deleted account that is gone for good is no finding any more. */
export async function forget(app: App, account: string, reason: string): Promise<CommandResult> {
  const id = await app.findAccount(account);
  const forgotten = await forgetAccount(await app.context(), id, reason);
  return { json: { forgotten }, lines: () => [`${account} is forgotten`], exit: EXIT.ok };
}

export async function heal(app: App, account: string): Promise<CommandResult> {
  return remediated(await doJob(app, account, { action: "heal", reason: "relight heal" }));
}

/** One sweep over every account, or over those that are due: renew what is due, verify, heal, escalate. */
export async function run(app: App, { due }: { readonly due: boolean }): Promise<CommandResult> {
  const report = await app.sweep("manual", "relight run", due ? "due" : "everything");
  const { id: correlation, seen, queued, queuedBy, postponed, unreadable, results, failures } = report;
  const exits = results.map(exitOf);
  const broken = failures.map(({ error }) => error.exitCode);
  const nameless = [...failures, ...unreadable].map(({ account }) => account);
  const nameOf = await namesIn(app, nameless);
  const lines = (): string[] => [
    ...results.flatMap(renderRemediation),
    ...failures.flatMap(({ account, error }) => errorLines(error, shortName(nameOf(account), account))),
    ...unreadable.map(({ account, problem }) => `${shortName(nameOf(account), account)}: ${problem}`),
    sweptLine({ seen, queued, postponed }),
    ...(allows(app.mode.mode, "heal") ? [] : [renderMode(app.mode)]),
  ];
  return {
    json: {
      mode: modeJson(app.mode),
      correlation,
      seen,
      queued,
      queuedBy,
      postponed,
      unreadable,
      results: results.map(remediationJson),
      failures: failures.map(({ account, error }) => ({ account, error: error.toJSON() })),
    },
    lines,
    exit: worstExit([...exits, ...broken, unreadable.length > 0 ? EXIT.warning : EXIT.ok]),
  };
}

function sweptLine({ seen, queued, postponed }: Pick<Sweep, "seen" | "queued" | "postponed">): string {
  if (seen === queued) return `${counted(queued, "account")} swept`;
  const later = postponed === 0 ? "" : `, ${postponed} due ${postponed === 1 ? "one" : "ones"} left for later`;
  return `${queued} of ${counted(seen, "account")} swept${later}`;
}

/** What was seen and done, or of that what one trigger led to. */
export async function journal(
  app: App,
  account: string | undefined,
  { limit, correlation }: { readonly limit: number; readonly correlation?: string },
): Promise<CommandResult> {
  const of = account === undefined ? {} : { account: await inJournal(app, account) };
  const entries =
    correlation === undefined
      ? await app.journal.read({ ...of, limit })
      : await entriesByCorrelation(app.journal, { ...of, correlation, limit });
  const nameOf = await namesIn(
    app,
    entries.map(({ account: id }) => id),
  );
  const json = entries.map(({ at, ...entry }) => ({
    at: isoTime(at),
    ...(redact(entry) as object),
    name: entry.account === "-" ? null : nameOf(entry.account),
  }));
  return { json: { entries: json }, lines: () => renderJournal(entries, nameOf), exit: EXIT.ok };
}

/** The cluster is asked only for a name that the journal does not have, because a person may read it in an outage. */
async function inJournal(app: App, text: string): Promise<AccountId> {
  try {
    return await app.findOffline(text);
  } catch (thrown) {
    const { code } = asRelightError(thrown);
    if (code !== "account.unknown") throw thrown;
    return app.findAccount(text).catch((later: unknown) => {
      throw asRelightError(later).code === "account.unknown" ? later : thrown;
    });
  }
}

/** Lets Relight restart servers again after a person looked at one whose restart was not seen to end. */
export async function confirmRestart(app: App, server: string): Promise<CommandResult> {
  const confirmed = (await confirmRestartOf(await app.context(), server)) ?? null;
  const text = confirmed === null ? "there is no restart to confirm" : `the restart of ${server} is confirmed`;
  return { json: { confirmed }, lines: () => [text], exit: EXIT.ok };
}

export interface AcknowledgeOptions {
  readonly reason: string;
  readonly by?: string;
}

/** Takes losses for known, so that they are findings no longer. */
export async function acknowledge(
  app: App,
  name: string,
  what: string | undefined,
  { reason, by = userOfMachine() }: AcknowledgeOptions,
): Promise<CommandResult> {
  const account = await app.findAccount(name);
  const order = { account, by, reason, ...defined({ what }) };
  const losses = (await acknowledgeLosses(await app.context(), order)).map(({ message }) => message);
  const lines =
    losses.length === 0
      ? [`no loss is open on ${name}`]
      : [...losses.map((loss) => `acknowledged: ${loss}`), `check again with \`relight verify ${name}\``];
  return { json: { account, by, reason, acknowledged: losses }, lines: () => lines, exit: EXIT.ok };
}

/** In a container the user may have no name. */
export function userOfMachine(): string {
  try {
    return userInfo().username;
  } catch {
    return process.env["USER"] ?? "somebody";
  }
}

async function doJob(
  app: App,
  name: string,
  job: { readonly action: "verify" | "renew" | "heal"; readonly reason: string; readonly undelete?: true },
  onLook?: (look: Seen) => unknown,
): Promise<Remediation> {
  const account = await app.findAccount(name);
  return app.remediate({ account, trigger: "manual", ...job }, onLook);
}

const UNWELL: readonly Remediation["outcome"][] = ["escalated", "unhealed"];

/** How a job's end looks. */
export function remediated(result: Remediation): CommandResult {
  const exit = exitOf(result);
  return {
    json: remediationJson(result),
    lines: () => renderRemediation(result),
    exit: exit === EXIT.ok && UNWELL.includes(result.outcome) ? EXIT.critical : exit,
  };
}

/** Where something would be done that may not be, all is not well. */
function exitOf({ verdict, outcome }: Remediation): ExitCode {
  const exit = EXIT_OF[verdict.health];
  return exit === EXIT.ok && outcome === "looked" ? EXIT.warning : exit;
}

/** The verdict's own fields stand beside the outcome, so that `verdict` is one word here as in `verify`. */
function remediationJson({ verdict, pushed, ...rest }: Remediation): object {
  // What was changed may be an import with its activation token.
  const shown = pushed === undefined ? {} : { pushed: { ...pushed, changes: redact(pushed.changes) } };
  return { ...verdictJson(verdict), ...rest, ...shown };
}

function statusRow({ account, name, window, seen, alarm, manual, decision }: Survey): object {
  const times =
    window === undefined || window.state === "perpetual" || window.state === "unknown"
      ? { expiresAt: null, expiresIn: null, renewAt: null }
      : {
          expiresAt: isoTime(window.expiresAt),
          expiresIn: Math.round(window.left / 1000),
          renewAt: manual ? null : isoTime(window.renewAt),
        };
  const { until, ...decided } = { until: undefined, ...decision };
  const renewal = { ...decided, until: until === undefined ? null : isoTime(until) };
  const expiry = { ...times, renewal, manual, alarm };
  const { health: verdict, depth, findings, warnings } = seen.verdict;
  return { name, id: account, ...expiry, window: window?.state ?? "unknown", verdict, depth, findings, warnings };
}

/** Where each server takes account JWTs from: the same whichever account was looked at. */
function resolversIn([first]: readonly Survey[]): readonly object[] {
  return (first?.seen.verdict.servers ?? []).map(({ name, resolver }) => ({ name, ...defined({ resolver }) }));
}

function planRow({ account, name, renewal, reconciliation, step, sequel, seen, decision }: Survey): object {
  const reconciling =
    reconciliation === undefined ? [] : [{ do: `${reconciliation.does}-difference`, why: reconciliation.why }];
  const renewing = renewal === undefined ? [] : [{ do: "renew", why: `the claims are ${renewal}` }];
  const likely = (sequel?.rungs ?? []).map(({ id, risk, undo }) => {
    return { do: id, if: STILL_DEAD, why: sequel?.why, risk, undo };
  });
  const applying =
    step.kind === "rung"
      ? [{ do: step.rung.id, why: step.why, risk: step.rung.risk, undo: step.rung.undo }]
      : step.kind === "stop"
        ? [{ do: "escalate", why: step.why }]
        : [];
  const refused = step.kind === "rung" || step.kind === "stop" ? step.refused : (sequel?.refused ?? []);
  const { health: verdict, findings, warnings } = seen.verdict;
  const steps = [...reconciling, ...renewing, ...likely, ...applying];
  return { account, name, verdict, findings, warnings, steps, refused, renewal: decision };
}
