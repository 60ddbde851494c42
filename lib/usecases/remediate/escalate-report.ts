import { isWithdrawn } from "../../domain/claims/presence.ts";
import { failureClassOf } from "../../domain/incidents/incident.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { verdictJson } from "../../domain/verdict/verdict.ts";
import { probe } from "../../errors.ts";
import { type Context, nameOf, type RunningJob } from "../context/context.ts";
import type { Look } from "../observe/look.ts";
import { escalate, escalateOnce, type Trouble } from "../paging/escalate.ts";
import { isNearEnd } from "../paging/near-end.ts";
import type { HealReport } from "./heal.ts";

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
  if (missing.length > 0) return `after a remedy something is missing: ${missing.join("; ")}`;
  const [first, ...others] = last.verdict.findings;
  const more = others.length > 0 ? ` (and ${others.length} more findings)` : "";
  return `${last.verdict.health}: ${first?.message ?? why}${more}`;
}

/** What a person can do about it. */
function adviceFor({ last, rungs, why, outcome }: HealReport): string[] {
  const { verdict } = last;
  const refusals = rungs.filter(({ result }) => result === "refused").map((rung) => `${rung.rung}: ${rung.why}`);
  const restart =
    verdict.health === "dead"
      ? [
          "Do not restart any server while an account with streams is expired: that causes new damage, on every version.",
        ]
      : [];
  const stopped = outcome === "looked" ? `Relight ${why}.` : `Relight stopped because ${why}.`;
  return [stopped, ...verdict.diagnosis, ...refusals, ...restart];
}

/** How to clean up or bring the account back, which Relight does not do. Quotes what servers report about it. */
async function adviceAboutDeletion(
  context: Context,
  { account }: RunningJob,
  { presence, source }: Look,
): Promise<string[]> {
  const name = nameOf(context, account);
  const health = await probe(() => context.probes.health());
  const named = (health.ok ? health.value.servers : []).flatMap(({ server, checks }) =>
    checks.full.ok && !checks.full.value.ok && checks.full.value.message.includes(account)
      ? [`${server.name}: its /healthz fails: ${checks.full.value.message}`]
      : [],
  );
  const isBack = presence.state === "deleted" && presence.broughtBackBy.length > 0;
  const again = isBack
    ? ["Delete it again while all servers are up; otherwise the next one that restarts loads it."]
    : [];
  const sourced = source?.sourced.ok && source.sourced.value.state === "found";
  const inSource = sourced ? [`Remove it from the source of truth (${source?.name}), which still has it.`] : [];
  return [
    "Relight never pushes it again, whatever the policy says.",
    ...named,
    ...again,
    ...inSource,
    `If it was deleted on purpose and still has streams: run \`relight push FILE --undelete\` with a new JWT, delete its streams, remove JetStream from its claims, and delete it. Then run \`relight forget ${name} --reason TEXT\`.`,
    `Otherwise \`relight renew ${name} --undelete\` brings it back, with its streams and its old credentials.`,
  ];
}
