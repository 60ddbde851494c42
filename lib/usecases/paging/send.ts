import type { AccountId } from "../../domain/claims/account.ts";
import { textOf } from "../../domain/incidents/classes.ts";
import type { Incident } from "../../domain/incidents/incident.ts";
import { commandLine, commandOf, withCommands } from "../../domain/incidents/page-command.ts";
import type { Outage } from "../../domain/incidents/trouble.ts";
import type { Delivery } from "../../domain/incidents/unknown-period.ts";
import { nameSeen } from "../../domain/journal/journal.ts";
import { allows, describeMode, modeJson } from "../../domain/ladder/mode.ts";
import { onOneLine } from "../../domain/time/text.ts";
import { asRelightError } from "../../errors.ts";
import type { EscalateDependencies } from "./pager.ts";

/** Whom a page is about, and what to type for it. */
export interface PageSubject extends Pick<Incident, "account" | "accountName"> {
  readonly typed: string;
}

/** What page and resolution have in common. */
type Common = PageSubject & Pick<Incident, "key" | "since" | "at"> & { readonly correlation: string };

/** @param name the account's, if it is in hand */
export async function pageSubject(
  context: EscalateDependencies,
  account: AccountId | "-",
  name?: string,
): Promise<PageSubject> {
  if (account === "-") return { account, accountName: clusterName(context), typed: "" };
  const typed = context.installation?.typedName(account) ?? account;
  const known = [await knownName(context, account), name].map((text = "") => onOneLine(text));
  return { account, accountName: known.find(Boolean) ?? account, typed };
}

/** People on call may have several. */
const clusterName = ({ operator }: EscalateDependencies): string =>
  operator.name ? `the cluster of ${operator.name}` : "the cluster";

/** The configured name, or the one in the account's last claims. */
async function knownName(context: EscalateDependencies, account: AccountId): Promise<string | undefined> {
  const configured = context.settingsOf(account)?.name;
  if (configured !== undefined) return configured;
  try {
    const [seen] = await context.journal.read({ account, kinds: ["claims.seen"], limit: 1 });
    return seen && nameSeen(seen.data);
  } catch {
    // A page without a name is better than none.
    return undefined;
  }
}

type Sent = Exclude<Delivery, "waiting">;

/** What became of a page, and the page itself. */
interface SentPage {
  readonly delivery: Sent;
  readonly incident: Incident;
}

export async function sendOpen(
  context: EscalateDependencies,
  outage: Outage,
  { typed, ...common }: Common & Pick<Incident, "was" | "first">,
): Promise<SentPage> {
  const { mode, installation } = context;
  const { failureClass, severity, also, evidence, impact = textOf(failureClass).impact } = outage;
  const asTyped = (text: string): string => withCommands(text, typed, installation?.configFile);
  const isMentioned = outage.advice.some((sentence) => sentence.includes(mode.because));
  const limits = allows(mode.mode, "heal") || isMentioned ? [] : [`${describeMode(mode)}.`];
  const args = outage.command ?? commandOf(failureClass, mode.mode);
  const incident = {
    ...common,
    status: "open",
    failureClass,
    severity,
    impact,
    summary: asTyped(outage.summary),
    ...(also.length === 0 ? {} : { also: also.map(asTyped) }),
    advice: [...outage.advice.map(asTyped), ...limits],
    command: commandLine(args, typed, installation?.configFile),
    evidence: { ...evidence, mode: modeJson(mode) },
  } as const;
  return { delivery: await deliver(context, incident), incident };
}

export function sendResolved(
  context: EscalateDependencies,
  {
    typed,
    healedBy,
    ...incident
  }: Common & Pick<Incident, "failureClass" | "severity" | "summary" | "was"> & { readonly healedBy?: string },
): Promise<Sent> {
  const { account, correlation } = incident;
  const args = ["journal", typed, "--correlation", correlation];
  const command = account === "-" ? {} : { command: commandLine(args, typed, context.installation?.configFile) };
  const also = healedBy === undefined ? {} : { also: [healedBy] };
  return deliver(context, { ...incident, ...also, ...command, status: "resolved", advice: [], evidence: {} });
}

async function deliver({ escalation, log }: EscalateDependencies, incident: Incident): Promise<Sent> {
  const { key } = incident;
  try {
    await escalation.send(incident);
    return escalation.hasChannels === false ? "logged" : "delivered";
  } catch (thrown) {
    const error = asRelightError(thrown);
    log.error("an incident could not be delivered to any channel", { key, error: error.toJSON() });
    return "undeliverable";
  }
}
