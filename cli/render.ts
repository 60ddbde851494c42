import colors from "picocolors";
import { describePage, wasCalled } from "../lib/domain/incidents/page-end.ts";
import type { JournalEntry } from "../lib/domain/journal/journal.ts";
import { readLosses } from "../lib/domain/ladder/loss.ts";
import { describeMode } from "../lib/domain/ladder/mode.ts";
import { nameOfGroup } from "../lib/domain/ladder/step-down.ts";
import { isJsonObject, type Json } from "../lib/domain/time/json.ts";
import { epochSeconds, formatDuration, isoTime, toMillis } from "../lib/domain/time/time.ts";
import {
  describeSubject,
  type Finding,
  type Health,
  type Verdict,
  type Warning,
} from "../lib/domain/verdict/verdict.ts";
import type { Remediation } from "../lib/usecases/remediate/remediation.ts";
import type { Survey } from "../lib/usecases/reports/survey.ts";
import { paint } from "./levels.ts";
import { minute, newTable } from "./table.ts";

/** What people read. Programs use `--json`. */
const DEPTH = {
  system: "as the system account sees it",
  account: "as the system account and the account itself see it",
} as const;

export function renderStatus(rows: readonly Survey[]): string {
  const table = newTable("NAME", "ACCOUNT", "EXPIRES", "IN", "WINDOW", "VERDICT");
  for (const row of rows) table.push([row.name, row.account, ...expiryCells(row), paint(row.seen.verdict.health)]);
  return rows.length === 0 ? "no accounts" : [table.toString(), ...rows.flatMap(why), "", summary(rows)].join("\n");
}

export function renderVerdict(verdict: Verdict, name: string): string {
  const { servers, streams, consumers, findings, warnings, diagnosis, depth } = verdict;
  const where = servers.map((server) => `${server.name} ${server.version}`).join(", ");
  return [
    `${colors.bold(name)} is ${paint(verdict.health)}: ${count(streams, "stream")}, ${count(consumers, "consumer")} on ${where}, ${DEPTH[depth]}`,
    ...findings.map(renderFinding),
    ...warnings.map(renderWarning),
    ...diagnosis.map((line) => `  ${colors.cyan("»")} ${line}`),
  ].join("\n");
}

export function renderRemediation(result: Remediation, name: string): string {
  const bad = BAD.includes(result.outcome);
  const painted = bad ? colors.red : result.outcome === "looked" ? colors.yellow : colors.green;
  const outcome = painted(result.outcome);
  return [
    `${colors.bold(name)}: ${outcome} (${result.why})`,
    ...result.rungs.map(({ rung, result: end, why: because }) => `  ${MARKS[end]} ${rung}: ${end} (${because})`),
    ...(result.losses ?? []).map((loss) => `  ${colors.red("lost")} ${loss}`),
    ...(result.pushed ? [renderPush(result.pushed)] : []),
    ...(result.page ? [renderPage(result.page)] : []),
    renderVerdict(result.verdict, name),
  ].join("\n");
}

const BAD: readonly Remediation["outcome"][] = ["escalated", "unhealed", "refused"];

function renderPage(page: NonNullable<Remediation["page"]>): string {
  const mark = wasCalled(page) ? colors.cyan("»") : colors.red("!");
  return `  ${mark} ${describePage(page)}`;
}

export const renderMode = (mode: Remediation["mode"]): string => colors.dim(describeMode(mode));

export function renderPlan(rows: readonly Survey[]): string {
  const lines = rows.flatMap((row) => [
    `${colors.bold(row.name)} is ${paint(row.seen.verdict.health)}`,
    ...planOf(row),
  ]);
  return rows.length === 0 ? "no accounts" : lines.join("\n");
}

export function renderJournal(entries: readonly JournalEntry[]): string {
  return entries.length === 0 ? "the journal is empty" : entries.map(renderEntry).join("\n");
}

function renderEntry({ at, job, kind, data }: JournalEntry): string {
  const time = isoTime(at).slice(11, 23);
  return `${colors.dim(time)} ${colors.dim(job.slice(0, 8))} ${kind.padEnd(17)} ${describeEntry(kind, data)}`;
}

function describeEntry(kind: JournalEntry["kind"], data: JournalEntry["data"]): string {
  const text = (key: string): string => String(data[key] ?? "");
  // One entry that somebody wrote otherwise must not hide all the others.
  const list = (key: string): readonly Json[] => (Array.isArray(data[key]) ? data[key] : []);
  switch (kind) {
    case "job.requested":
      return `${text("action")}, by ${text("actor")}: ${text("reason")}`;
    case "job.started":
      return `${text("action")}, by ${text("trigger")}: ${text("reason")}`;
    case "job.finished":
      return text("outcome");
    case "verdict":
      return `${paint(text("verdict") as Health)}, ${count(list("findings").length, "finding")}`;
    case "claims.seen":
    case "toggle.opened":
    case "toggle.closed":
    case "push.proved":
      return `jti ${text("jti")}${data["servers"] ? ` on ${String(data["servers"])}` : ""}`;
    case "push.started":
      return text("purpose");
    case "gate.refused":
      return list("refusals")
        .map((refusal) => (isJsonObject(refusal) ? String(refusal["message"]) : ""))
        .join("; ");
    case "reconfigure.opened":
    case "reconfigure.closed":
      return `stream ${text("stream")}`;
    case "memory.seen":
      return count(list("memory").length, "stream");
    case "restart.opened":
    case "restart.closed":
      return `server ${text("server")}`;
    case "loss.found":
      return readLosses(data)
        .map(({ message }) => message)
        .join("; ");
    case "loss.acknowledged":
      return `${readLosses(data).map(nameOfGroup).join(", ")}, by ${text("by")}: ${text("reason")}`;
    case "account.deleted":
      return `${text("how")}${data["jti"] ? `, jti ${text("jti")}` : ""}`;
    case "account.forgotten":
      return text("reason");
    case "streams.seen":
      return count(list("streams").length, "stream");
    case "source.adopted":
      return `difference ${text("difference")}`;
    case "rung.started":
      return `${text("rung")}: ${text("why")}`;
    case "rung.finished":
      return `${text("rung")} ${text("result")}`;
    case "rotation.started":
      return `${count(list("accounts").length, "account")} to ${text("to")}`;
    case "rotation.account":
      return `${text("name")} ${text("result")}`;
    case "rotation.finished":
      return `${text("state")}: ${text("why")}`;
    case "credentials.rotated":
      return `version ${text("version")} of ${text("name")}`;
    case "incident.opened":
    case "incident.resolved":
      return `${text("key")} ${text("delivery")}`;
  }
}

function planOf({ renewal, reconciliation, step, decision }: Survey): string[] {
  const lines =
    reconciliation === undefined ? [] : [`  → ${reconciliation.does} the difference: ${reconciliation.why}`];
  if (renewal === undefined) lines.push(...notRenewed(decision));
  else lines.push(`  → renew: its claims are ${renewal === "due" ? "due for renewal" : "expired"}`);
  if (step.kind === "rung")
    lines.push(
      `  → ${step.rung.id}: ${step.rung.title}`,
      `      why  ${step.why}`,
      `      risk ${step.rung.risk}`,
      `      undo ${step.rung.undo}`,
    );
  if (step.kind === "rung" || step.kind === "stop")
    lines.push(...step.refused.map(({ rung, why: because }) => `  ✗ ${rung} refused: ${because}`));
  if (step.kind === "stop") lines.push(`  → call a person: ${step.why}`);
  return lines.length === 0 ? ["  nothing to do"] : lines;
}

/** Why an account is not renewed although it is due. */
function notRenewed({ decision, why }: Survey["decision"]): string[] {
  if (decision === "manual") return [`  → a person renews it: ${why}`];
  if (decision === "withdrawn") return [`  ✗ renew refused: ${why}`];
  if (decision === "disagree") return [`  ✗ renew refused: the readings of its claims do not agree: ${why}`];
  return [];
}

function renderFinding({ health, code, subject, message }: Finding): string {
  return `  ${paint(health, health === "dead" ? "✗" : "!")} ${describeSubject(subject)}: ${message} ${colors.dim(code)}`;
}

function renderWarning({ code, subject, message }: Warning): string {
  return `  ${colors.yellow("·")} ${describeSubject(subject)}: ${message} ${colors.dim(code)}`;
}

function renderPush({ jti, servers, exp }: NonNullable<Remediation["pushed"]>): string {
  const until = exp === null ? "never expires" : `expires ${isoTime(toMillis(epochSeconds(exp)))}`;
  const where = servers.length === 0 ? "in the resolver" : `on ${servers.join(", ")} and in the resolver`;
  return `  ${colors.green("✓")} JWT ${jti} is in force ${where}, ${until}`;
}

function expiryCells(row: Survey): [string, string, string] {
  const { window } = row;
  if (window === undefined || window.state === "unknown") return ["?", "?", "?"];
  if (window.state === "perpetual") return ["never", "", "perpetual"];
  const left = formatDuration(window.left);
  const date = minute(window.expiresAt);
  return [date, window.left < 0 ? `${left} ago` : left, stateOf(window.state, row)];
}

function stateOf(state: string, { manual, alarm }: Survey): string {
  const text = manual ? `${state}, by hand` : state;
  return alarm === "page" ? colors.red(text) : alarm === "warn" ? colors.yellow(text) : text;
}

function why({ name, seen }: Survey): string[] {
  const [first, ...others] = seen.verdict.findings;
  if (first === undefined) return [];
  const more = others.length === 0 ? "" : ` (and ${count(others.length, "more finding")})`;
  return [` ${paint(first.health, "✗")} ${name}: ${first.message}${more}`];
}

function summary(rows: readonly Survey[]): string {
  const of = (verdict: Health): number => rows.filter(({ seen }) => seen.verdict.health === verdict).length;
  const counts = (["healthy", "degraded", "unknown", "dead"] as const).map((verdict) => ({
    verdict,
    count: of(verdict),
  }));
  const parts = counts.filter(({ count }) => count > 0).map(({ verdict, count }) => `${count} ${paint(verdict)}`);
  return `${count(rows.length, "account")}: ${parts.join(", ")}`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;

const MARKS = {
  helped: colors.green("✓"),
  no_effect: colors.yellow("·"),
  failed: colors.red("✗"),
  refused: colors.red("✗"),
} as const;
