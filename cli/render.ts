import { shortId } from "../lib/domain/claims/account.ts";
import { describeResolver, describeResolvers } from "../lib/domain/claims/resolver-kind.ts";
import { describePage, wasCalled } from "../lib/domain/incidents/page-end.ts";
import { describeEntry } from "../lib/domain/journal/describe-entry.ts";
import type { JournalEntry } from "../lib/domain/journal/journal.ts";
import { describeMode } from "../lib/domain/ladder/mode.ts";
import { counted } from "../lib/domain/time/text.ts";
import { type EpochMillis, epochSeconds, formatDuration, isoTime, toMillis } from "../lib/domain/time/time.ts";
import {
  describeSubject,
  type Finding,
  type Health,
  type Verdict,
  type Warning,
} from "../lib/domain/verdict/verdict.ts";
import type { Remediation } from "../lib/usecases/remediate/remediation.ts";
import { planSteps } from "../lib/usecases/reports/plan-steps.ts";
import type { Survey } from "../lib/usecases/reports/survey.ts";
import { colors } from "./colors.ts";
import { paint } from "./levels.ts";
import { day, fitting, minute, near, shortName, tableOf } from "./table.ts";

/** What people read. Programs use `--json`. */
const DEPTH = {
  system: "as the system account sees it",
  account: "as the system account and the account itself see it",
} as const;

/** What the rows of `status` are compared with. */
export interface StatusFacts {
  readonly now: EpochMillis;
}

/** So that a row with a short id and both dates fits into 80 columns. */
const NAME_WIDTH = 22;

export function renderStatus(rows: readonly Survey[], facts: StatusFacts): string[] {
  if (rows.length === 0) return ["no accounts"];
  const cells = rows.map((row) => [
    row.name === row.account ? "" : fitting(row.name, NAME_WIDTH),
    shortId(row.account),
    ...expiryCells(row, facts),
    paint(row.seen.verdict.health),
  ]);
  return [
    ...tableOf(["NAME", "ACCOUNT", "EXPIRES", "IN", "RENEWAL", "VERDICT"], cells),
    ...rows.flatMap(why),
    ...rows.flatMap((row) => whyNotYet(row, facts)),
    "",
    summary(rows),
    ...resolversOf(rows),
  ];
}

/** Names the resolvers if one is not the usual one; the servers are the same for every account. */
function resolversOf([first]: readonly Survey[]): string[] {
  const servers = first?.seen.observation.servers ?? [];
  return servers.every(isUsual) ? [] : [`accounts come from: ${describeResolvers(servers)}`];
}

const isUsual = ({ resolver }: Verdict["servers"][number]): boolean => resolver === undefined || resolver === "full";

/** Names the resolver only if it is not the usual one. */
function describeServer(server: Verdict["servers"][number]): string {
  const { name, version } = server;
  return isUsual(server) ? `${name} ${version}` : `${name} ${version} (${describeResolver(server)})`;
}

export function renderVerdict(verdict: Verdict, name: string): string[] {
  const { servers, streams, consumers, findings, warnings, diagnosis, depth } = verdict;
  const where = servers.map(describeServer).join(", ");
  return [
    `${colors.bold(name)} is ${paint(verdict.health)}: ${counted(streams, "stream")}, ${counted(consumers, "consumer")} on ${where}, ${DEPTH[depth]}`,
    ...findings.map(renderFinding),
    ...warnings.map(renderWarning),
    ...diagnosis.map((line) => `  ${colors.cyan("»")} ${line}`),
  ];
}

export function renderRemediation(result: Remediation): string[] {
  const name = shortName(result.name, result.account);
  const bad = BAD.includes(result.outcome);
  const painted = bad ? colors.red : result.outcome === "looked" ? colors.yellow : colors.green;
  const outcome = painted(result.outcome);
  return [
    `${colors.bold(name)}: ${outcome} (${result.why})`,
    ...result.rungs.map(({ rung, result: end, why: because }) => `  ${MARKS[end]} ${rung}: ${end} (${because})`),
    ...(result.losses ?? []).map((loss) => `  ${colors.red("lost")} ${loss}`),
    ...(result.pushed ? renderPush(result.pushed) : []),
    ...(result.page ? [renderPage(result.page)] : []),
    ...renderVerdict(result.verdict, name),
  ];
}

const BAD: readonly Remediation["outcome"][] = ["escalated", "unhealed", "refused"];

function renderPage(page: NonNullable<Remediation["page"]>): string {
  const mark = wasCalled(page) ? colors.cyan("»") : colors.red("!");
  return `  ${mark} ${describePage(page)}`;
}

export const renderMode = (mode: Remediation["mode"]): string => colors.dim(describeMode(mode));

export function renderPlan(rows: readonly Survey[]): string[] {
  const lines = rows.flatMap((row) => [
    `${colors.bold(row.name)} is ${paint(row.seen.verdict.health)}`,
    ...row.seen.verdict.findings.map(renderFinding),
    ...row.seen.verdict.warnings.map(renderWarning),
    ...planOf(row),
  ]);
  return rows.length === 0 ? ["no accounts"] : lines;
}

/** @param nameOf the account's name, or its id if it has none */
export function renderJournal(entries: readonly JournalEntry[], nameOf: (account: string) => string): string[] {
  if (entries.length === 0) return ["the journal has no such entries"];
  const rows = entries.map((entry) => describedEntry(entry, nameOf));
  return tableOf(["TIME (UTC)", "ACCOUNT", "", ""], rows);
}

function describedEntry(entry: JournalEntry, nameOf: (account: string) => string): string[] {
  const { at, account, kind, data } = entry;
  return [
    colors.dim(isoTime(at).slice(0, 19).replace("T", " ")),
    account === "-" ? "" : fitting(shortName(nameOf(account), account), NAME_WIDTH),
    kind,
    kind === "verdict" ? paint(String(data["verdict"]) as Health, describeEntry(entry)) : describeEntry(entry),
  ];
}

function planOf(row: Survey): string[] {
  const steps = planSteps(row);
  if (steps.length === 0) return ["  nothing to do"];
  return steps.flatMap(({ refused, text, more }) => [
    `  ${refused ? "✗" : "→"} ${text}`,
    ...more.map(([label, said]) => `      ${label.padEnd(4)} ${said}`),
  ]);
}

function renderFinding({ health, code, subject, message }: Finding): string {
  return `  ${paint(health, health === "dead" ? "✗" : "!")} ${describeSubject(subject)}: ${message} ${colors.dim(code)}`;
}

function renderWarning({ code, subject, message }: Warning): string {
  return `  ${colors.yellow("·")} ${describeSubject(subject)}: ${message} ${colors.dim(code)}`;
}

function renderPush({ jti, servers, exp, forgotten, caution }: NonNullable<Remediation["pushed"]>): string[] {
  const until = exp === null ? "never expires" : `expires ${isoTime(toMillis(epochSeconds(exp)))}`;
  const kept = forgotten === undefined ? " and in the resolver" : "";
  const where = servers.length === 0 ? "in the resolver" : `on ${servers.join(", ")}${kept}`;
  const line = `  ${colors.green("✓")} JWT ${jti} is in force ${where}, ${until}`;
  const notes = [forgotten, caution].filter((note) => note !== undefined);
  return [line, ...notes.map((note) => `  ${colors.yellow("!")} ${note}`)];
}

/** When it expires, in how long, and when it will be renewed. */
function expiryCells(row: Survey, { now }: StatusFacts): [string, string, string] {
  const { window } = row;
  if (window === undefined || window.state === "unknown") return ["?", "?", "?"];
  if (window.state === "perpetual") return ["never", "", ""];
  const left = formatDuration(window.left);
  return [near(window.expiresAt, now), window.left < 0 ? `${left} ago` : left, renewalCell(row, now)];
}

function renewalCell({ decision, manual, alarm }: Survey, now: EpochMillis): string {
  const painted = alarm === "page" ? colors.red : alarm === "warn" ? colors.yellow : (text: string) => text;
  return painted(manual ? "by hand" : renewalTime(decision, now));
}

function renewalTime(decision: Survey["decision"], now: EpochMillis): string {
  switch (decision.decision) {
    case "renew":
      return "due";
    case "wait":
      return decision.until === undefined ? "?" : near(decision.until, now);
    case "manual":
      return "by hand";
    case "disagree":
    case "withdrawn":
      return "refused";
    case "nothing known":
      return "?";
  }
}

/** Why an account that one would expect to be renewed is not: it waits, or a person has to do it. */
function whyNotYet({ name, window, decision, manual }: Survey, { now }: StatusFacts): string[] {
  if (window === undefined || window.state === "perpetual" || window.state === "unknown" || manual) return [];
  const { opensAt, closesAt } = window;
  if (decision.decision === "disagree" || decision.decision === "withdrawn" || decision.decision === "manual")
    return [` ${colors.yellow("·")} ${name} is not renewed: ${decision.why}`];
  if (decision.decision !== "wait" || decision.until === undefined || now < opensAt) return [];
  const span = `${day(opensAt)} to ${day(closesAt)}`;
  const why = window.state === "fresh" ? `its own time in the renewal window from ${span}` : decision.why;
  return [` ${colors.dim("·")} ${name} will be renewed on ${minute(decision.until)}: ${why}`];
}

function why({ name, seen }: Survey): string[] {
  const [first, ...others] = seen.verdict.findings;
  if (first === undefined) return [];
  const more = others.length === 0 ? "" : ` (and ${counted(others.length, "more finding")})`;
  return [` ${paint(first.health, "✗")} ${name}: ${first.message}${more}`];
}

function summary(rows: readonly Survey[]): string {
  const of = (verdict: Health): number => rows.filter(({ seen }) => seen.verdict.health === verdict).length;
  const counts = (["healthy", "degraded", "unknown", "dead"] as const).map((verdict) => ({
    verdict,
    count: of(verdict),
  }));
  const parts = counts.filter(({ count }) => count > 0).map(({ verdict, count }) => `${count} ${paint(verdict)}`);
  return `${counted(rows.length, "account")}: ${parts.join(", ")}`;
}

const MARKS = {
  helped: colors.green("✓"),
  no_effect: colors.yellow("·"),
  failed: colors.red("✗"),
  refused: colors.red("✗"),
} as const;
