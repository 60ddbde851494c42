import type { AccountId } from "../domain/account.ts";
import { type FailureClass, type Incident, incidentKey, RENEWAL_CLASSES } from "../domain/incident.ts";
import { openIncidents } from "../domain/journal.ts";
import type { JsonObject } from "../domain/json.ts";
import { isoTime } from "../domain/time.ts";
import { asRelightError } from "../errors.ts";
import { type Context, record } from "./context.ts";

/** What escalation needs; less than a whole context, so that "the cluster is unreachable" can be told too. */
export type Pager = Pick<Context, "clock" | "journal" | "escalation" | "log" | "operator" | "settingsOf">;

export interface Trouble {
  readonly failureClass: FailureClass;
  readonly severity: Incident["severity"];
  readonly summary: string;
  readonly advice: readonly string[];
  readonly evidence: JsonObject;
  /** What tells this trouble from another of the same class: what is told once is told again when it changes. */
  readonly about?: string;
}

/**
 * Calls a person. The journal has the incident before the channels do, and a channel that fails is logged
 * and journalled, never fatal: what was healed or seen must not be lost because a page was.
 */
export async function escalate(
  context: Pager,
  job: { readonly id: string; readonly account: AccountId | "-" },
  { about, ...trouble }: Trouble,
): Promise<Incident> {
  const incident: Incident = {
    ...trouble,
    key: incidentKey(context.operator.id, job.account, trouble.failureClass),
    status: "open",
    account: job.account,
    accountName: nameOf(context, job.account),
    at: isoTime(context.clock.now()),
  };
  const delivery = await deliver(context, incident);
  const { key, failureClass, severity, summary } = incident;
  await record(context, job, "incident.opened", {
    ...{ key, failureClass, severity, summary, delivery },
    ...(about === undefined ? {} : { about }),
  });
  return incident;
}

/** The same, unless a person was called about just that already, and as urgently. */
export async function escalateOnce(
  context: Pager,
  job: { readonly id: string; readonly account: AccountId | "-" },
  trouble: Trouble,
): Promise<void> {
  const kinds = ["incident.opened", "incident.resolved"] as const;
  const entries = await context.journal.read({ account: job.account, kinds });
  const key = incidentKey(context.operator.id, job.account, trouble.failureClass);
  const opened = entries.findLast(({ data }) => data["key"] === key);
  const isKnown = opened?.kind === "incident.opened" && opened.data["delivery"] === "delivered";
  const isSame = opened?.data["severity"] === trouble.severity && opened.data["about"] === trouble.about;
  if (isKnown && isSame) return;
  await escalate(context, job, trouble);
}

/** Health resolves every class of failure but those that are about the renewal. */
export const ABOUT_HEALTH = (failureClass: FailureClass): boolean => !RENEWAL_CLASSES.includes(failureClass);

/** Resolves the incidents of the account that are still open, of the classes that `which` takes. */
export async function resolveIncidents(
  context: Pager,
  job: { readonly id: string; readonly account: AccountId | "-" },
  which: (failureClass: FailureClass) => boolean = ABOUT_HEALTH,
  because = "healthy again",
): Promise<void> {
  const kinds = ["incident.opened", "incident.resolved"] as const;
  const entries = await context.journal.read({ account: job.account, kinds });
  for (const key of openIncidents(entries)) {
    const opened = entries.findLast((entry) => entry.kind === "incident.opened" && entry.data["key"] === key);
    if (!which(opened?.data["failureClass"] as FailureClass)) continue;
    const incident: Incident = {
      key,
      status: "resolved",
      failureClass: opened?.data["failureClass"] as FailureClass,
      severity: opened?.data["severity"] as Incident["severity"],
      account: job.account,
      accountName: nameOf(context, job.account),
      summary: `${because}: ${String(opened?.data["summary"])}`,
      advice: [],
      evidence: {},
      at: isoTime(context.clock.now()),
    };
    const delivery = await deliver(context, incident);
    // An undelivered "resolved" stays open here, so that the next healthy verdict sends it again.
    if (delivery === "delivered") await record(context, job, "incident.resolved", { key });
  }
}

async function deliver(
  { escalation, log }: Pager,
  incident: Incident,
): Promise<"delivered" | "undeliverable"> {
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

function nameOf({ settingsOf }: Pager, account: AccountId | "-"): string {
  return account === "-" ? "the cluster" : (settingsOf(account)?.name ?? account);
}
