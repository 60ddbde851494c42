import { isWithdrawn } from "../../domain/claims/presence.ts";
import { impactOf } from "../../domain/incidents/impact.ts";
import { failureClassOf } from "../../domain/incidents/incident.ts";
import { ACCOUNT } from "../../domain/incidents/page-command.ts";
import type { Trouble } from "../../domain/incidents/trouble.ts";
import { NO_REMEDY } from "../../domain/ladder/ladder.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { counted, listed } from "../../domain/time/text.ts";
import { isoTime } from "../../domain/time/time.ts";
import { problemOf } from "../../domain/verdict/findings.ts";
import { type Finding, type Verdict, verdictJson } from "../../domain/verdict/verdict.ts";
import { probe } from "../../errors.ts";
import type { Context, RunningJob } from "../context/context.ts";
import type { Look } from "../observe/look.ts";
import { escalate, escalateOnce } from "../paging/escalate.ts";
import { isNearEnd } from "../paging/near-end.ts";
import { BY_HAND, type HealReport } from "./heal.ts";

/** How many losses a page names. */
const MOST_LOSSES = 5;
/** How many findings' advice a page has. */
const MOST_ADVICE = 4;

/** Pages a person about what the ladder could not heal, with the evidence and advice. */
export async function escalateReport(context: Context, job: RunningJob, report: HealReport): Promise<void> {
  const { verdict, presence } = report.last;
  const critical = verdict.health !== "degraded" || missingOf(report).length > 0;
  const isDeleted = isWithdrawn(presence);
  // Degraded accounts and deletions are paged once; dead ones are paged again until they work.
  const call = critical && !isDeleted ? escalate : escalateOnce;
  await call(context, job, {
    failureClass: failureClassOf(verdict) ?? "degraded",
    severity: critical ? "critical" : "warning",
    summary: summaryOf(report),
    ...defined({ impact: impactOf(verdict), since: sinceOf(report), command: raising(verdict), name: nameIn(report) }),
    also: verdict.diagnosis,
    advice: isDeleted ? await adviceAboutDeletion(context, job, report.last) : adviceFor(report),
    evidence: {
      verdict: verdictJson(verdict),
      rungs: report.rungs as unknown as JsonObject[],
      losses: report.losses.map(({ message }) => message),
    },
    ...(await waitsFor(context, job, report)),
    about: [...new Set(verdict.findings.map(({ code }) => code))].sort().join(" "),
  });
}

/** An account that has expired has been down since then. */
function sinceOf({ last }: HealReport): string | undefined {
  return last.presence.state === "expired" ? isoTime(last.presence.at) : undefined;
}

/** From the claims in force, or from the source of truth if nothing is. */
function nameIn({ last: { claims, source } }: HealReport): string | undefined {
  const sourced = source?.sourced.ok && source.sourced.value.state === "found" ? source.sourced.value : undefined;
  return (claims ?? sourced?.claims.document)?.claims.name;
}

/** The command that raises the limit that is reached, if one command does. */
function raising({ findings }: Verdict): readonly string[] | undefined {
  const [first, ...others] = findings;
  const options = first?.evidence["raise"];
  if (others.length > 0 || typeof options !== "string") return undefined;
  return ["jetstream", "limits", ACCOUNT, ...options.split(" "), "--yes"];
}

/** For missing answers, wait for the next sweep before paging. */
async function waitsFor(
  context: Context,
  { account }: RunningJob,
  report: HealReport,
): Promise<Pick<Trouble, "waits">> {
  const { verdict, claims } = report.last;
  const isOnlyUnknown = failureClassOf(verdict) === "unknown" && missingOf(report).length === 0;
  if (!isOnlyUnknown || (await isNearEnd(context, account, claims))) return {};
  return { waits: "until-it-lasts" };
}

/** Losses that the policy did not allow. */
const missingOf = ({ losses }: HealReport): readonly string[] =>
  losses.filter(({ allowed }) => allowed !== true).map(({ message }) => message);

function summaryOf(report: HealReport): string {
  const { last, why } = report;
  const missing = missingOf(report);
  if (missing.length > 0) return `after a remedy something is missing: ${listed(missing, MOST_LOSSES)}`;
  const { findings } = last.verdict;
  const first = worstOf(last.verdict);
  const more = findings.length > 1 ? ` (and ${counted(findings.length - 1, "more finding")})` : "";
  return `${first === undefined ? why : problemOf(first)}${more}`;
}

const worstOf = ({ findings, health }: Verdict): Finding | undefined =>
  findings.find((found) => found.health === health) ?? findings[0];

/** What a person can do about it. What Relight tried, and why it refused the rest, is in the evidence. */
function adviceFor(report: HealReport): string[] {
  const { last, rungs, why, outcome } = report;
  const { verdict } = last;
  const isRefused = rungs.some(({ result }) => result === "refused");
  const isMentioned = verdict.findings.some(({ message }) => message.includes(why)) || REDUNDANT.includes(why);
  const stopped =
    outcome === "looked" ? [`Relight ${why}.`] : isRefused || isMentioned ? [] : [`Relight stopped, because ${why}.`];
  const needs = isRefused ? ["Give one of the refused remedies what it needs, and run the command."] : [];
  const restart =
    failureClassOf(verdict) === "jetstream_dead" || failureClassOf(verdict) === "account_expired"
      ? [
          "Do not restart any server while an account with streams is expired: that causes new damage, on every version.",
        ]
      : [];
  const advice = [...adviceOf(verdict), ...stopped, ...needs, ...restart];
  return advice.length > 0 ? advice : ["The command shows every finding with its evidence."];
}

/** What the page says in other words. */
const REDUNDANT: readonly string[] = [NO_REMEDY, BY_HAND];

/** The findings' own advice. Where the page has the command that follows it, it is not said twice. */
function adviceOf(verdict: Verdict): readonly string[] {
  if (raising(verdict) !== undefined) return ["Delete what is not needed, or raise the limit with the command."];
  const worst = worstOf(verdict)?.health;
  const advice = verdict.findings.flatMap((found) => (found.health === worst ? (found.advice ?? []) : []));
  const sentences = merged(advice).map((text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
  const more = sentences.length - MOST_ADVICE;
  return [...sentences.slice(0, MOST_ADVICE), ...(more > 0 ? [`Likewise for ${counted(more, "more finding")}.`] : [])];
}

const EMPTIES = ": that empties ";

/** Says once what is the same for several streams. */
function merged(advice: readonly string[]): readonly string[] {
  const byStart = new Map<string, string[]>();
  for (const text of new Set(advice)) {
    const [start = "", name] = text.split(EMPTIES);
    byStart.set(start, [...(byStart.get(start) ?? []), ...(name === undefined ? [] : [name])]);
  }
  return [...byStart].map(([start, names]) =>
    names.length === 0 ? start : `${start}${EMPTIES}${listed(names, MOST_LOSSES)}`,
  );
}

/** How to clean up or bring the account back, which Relight does not do. Quotes what servers report about it. */
async function adviceAboutDeletion(
  context: Context,
  { account }: RunningJob,
  { presence, source }: Look,
): Promise<string[]> {
  const health = await probe(() => context.probes.health());
  const named = (health.ok ? health.value.servers : []).flatMap(({ server, checks }) =>
    checks.full.ok && !checks.full.value.ok && checks.full.value.message.includes(account)
      ? [`${server.name}: its /healthz fails: ${checks.full.value.message}`]
      : [],
  );
  const isBack = presence.state === "deleted" && presence.broughtBackBy.length > 0;
  const again = isBack
    ? [
        "Delete it again while all servers are up; otherwise the next one that restarts loads it. Each must say that it deleted the account: one with `allow_delete: false`, or whose folder it can't write, keeps it and gives it to the others again.",
      ]
    : [];
  const sourced = source?.sourced.ok && source.sourced.value.state === "found";
  const inSource = sourced ? [`Remove it from the source of truth (${source?.name}), which still has it.`] : [];
  return [
    "Relight never pushes it again, whatever the policy says. Find out whether it was deleted on purpose.",
    ...named,
    ...again,
    ...inSource,
    "If it was not: `relight renew ACCOUNT --undelete` brings it back, with its streams and its old credentials.",
    "If it was, and nothing of it is left: `relight forget ACCOUNT --reason TEXT`. If streams are left, clean up first, as the runbook says.",
  ];
}
