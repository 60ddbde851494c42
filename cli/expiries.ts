import type { App } from "../lib/compose/compose.ts";
import { type Expiring, expiringJson } from "../lib/domain/expiry/expiring.ts";
import { EXIT } from "../lib/errors.ts";
import { PAINT } from "./levels.ts";
import { MadeList } from "./out.ts";
import type { CommandResult } from "./session.ts";
import { minute, tableOf } from "./table.ts";

/** `relight expiries`: everything that expires, the most urgent first. */

export async function expiries(app: App): Promise<CommandResult> {
  const found = await app.expiries();
  const [worst] = found;
  const exit = EXIT[worst?.severity ?? "ok"];
  return { json: { expiries: new MadeList(found, expiringJson) }, lines: () => render(found), exit };
}

/** What `status` shows beside the accounts: whatever else is not well. */
export async function notableExpiries(app: App): Promise<readonly Expiring[]> {
  const isAccount = ({ kind }: Expiring): boolean => kind === "account" || kind === "system-account";
  return (await app.expiries()).filter((found) => found.severity !== "ok" && !isAccount(found));
}

export function renderExpiring({ kind, what, severity, message }: Expiring): string {
  return ` ${PAINT[EXIT[severity]](severity === "unknown" ? "?" : "!")} ${kind} ${what}: ${message}`;
}

function render(found: readonly Expiring[]): string[] {
  const rows = found.map(({ kind, what, expiresAt, severity, message }) => {
    const when = expiresAt === undefined ? "never" : minute(expiresAt);
    return [kind, what, severity === "unknown" ? "?" : when, PAINT[EXIT[severity]](severity), message];
  });
  return tableOf(["KIND", "WHAT", "EXPIRES", "", ""], rows);
}
