import Table from "cli-table3";
import colors from "picocolors";
import type { App } from "../lib/compose/compose.ts";
import { type Expiring, type ExpirySeverity, expiringJson } from "../lib/domain/expiry/expiring.ts";
import { isoTime } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import { EMPTY_BORDERS } from "./render.ts";
import type { CommandResult } from "./session.ts";

/** `relight expiries`: everything that expires, the most urgent first. */

const EXIT_OF: Record<ExpirySeverity, ExitCode> = {
  ok: EXIT.ok,
  warning: EXIT.warning,
  critical: EXIT.critical,
  unknown: EXIT.unknown,
};

const PAINT: Record<ExpirySeverity, (text: string) => string> = {
  ok: colors.green,
  warning: colors.yellow,
  critical: colors.red,
  unknown: colors.magenta,
};

export async function expiries(app: App): Promise<CommandResult> {
  const found = await app.expiries();
  const [worst] = found;
  const exit = worst === undefined ? EXIT.ok : exitOfExpiring(worst);
  return { json: { expiries: found.map(expiringJson) }, text: render(found), exit };
}

export const exitOfExpiring = ({ severity }: Expiring): ExitCode => EXIT_OF[severity];

/** What `status` shows beside the accounts: whatever else is not well. */
export async function notableExpiries(app: App): Promise<readonly Expiring[]> {
  const isAccount = ({ kind }: Expiring): boolean => kind === "account" || kind === "system-account";
  return (await app.expiries()).filter((found) => found.severity !== "ok" && !isAccount(found));
}

export function renderExpiring({ kind, what, severity, message }: Expiring): string {
  return ` ${PAINT[severity](severity === "unknown" ? "?" : "!")} ${kind} ${what}: ${message}`;
}

function render(found: readonly Expiring[]): string {
  const table = new Table({
    head: ["KIND", "WHAT", "EXPIRES", "", ""],
    style: { head: [], border: [], compact: true },
    chars: EMPTY_BORDERS,
  });
  for (const { kind, what, expiresAt, severity, message } of found) {
    const when = expiresAt === undefined ? "never" : isoTime(expiresAt).slice(0, 16).replace("T", " ");
    table.push([kind, what, severity === "unknown" ? "?" : when, PAINT[severity](severity), message]);
  }
  return table.toString();
}
