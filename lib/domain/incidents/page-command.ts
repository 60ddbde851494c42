import { type AccountId, type AccountSettings, isAccountId } from "../claims/account.ts";
import { allows, type Mode } from "../ladder/mode.ts";
import { onOneLine, shellWord } from "../time/text.ts";
import type { FailureClass } from "./classes.ts";

/** Stands for the account in a command, and in commands within advice. */
export const ACCOUNT = "ACCOUNT";

/** What pages need to know of the installation, so their commands work as typed. */
export interface Installation {
  /** What to type for an account. */
  readonly typedName: (account: AccountId) => string;
  /** The configuration's path, if `relight` does not find it by itself. */
  readonly configFile?: string;
}

/** The command line for `args`, with {@link ACCOUNT} replaced by what to type for it. */
export function commandLine(args: readonly string[], typed: string, configFile?: string): string {
  const config = configFile === undefined ? [] : ["--config", configFile];
  const words = ["relight", ...config, ...args.map((arg) => (arg === ACCOUNT ? typed : arg))];
  return words.map(shellWord).join(" ");
}

/** `text` whose commands (`relight heal ACCOUNT`, in backticks) work as typed. */
export function withCommands(text: string, typed: string, configFile?: string): string {
  const config = configFile === undefined ? "" : ` --config ${shellWord(configFile)}`;
  return text.replace(
    /`relight ([^`]*)`/g,
    (_whole, rest: string) => `\`relight${config} ${rest.replace(/\bACCOUNT\b/g, () => shellWord(typed))}\``,
  );
}

/**
 * What to type for each account: the configured name if it means only this account and is safe to type, otherwise the id.
 * @param accounts all configured accounts
 */
export function namesToType(accounts: Iterable<AccountSettings>): Installation["typedName"] {
  const byId = new Map<AccountId, string>();
  const uses = new Map<string, number>();
  for (const { id, name } of accounts) {
    if (name === undefined) continue;
    byId.set(id, name);
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return (account) => {
    const name = byId.get(account);
    return name !== undefined && uses.get(name) === 1 && isTypable(name) ? name : account;
  };
}

/** A name like an option, or like an id, means something else; odd characters get lost between a page and a shell. */
function isTypable(name: string): boolean {
  const isPlain = /^[\p{L}\p{N}_.][\p{L}\p{N}_.@:/+=%, -]{0,79}$/u.test(name);
  return isPlain && onOneLine(name) === name && !isAccountId(name);
}

/** The command that a page of the class gives, unless the fault has its own. */
export function commandOf(failureClass: FailureClass, mode: Mode): readonly string[] {
  switch (failureClass) {
    case "jetstream_dead":
      return allows(mode, "heal") ? ["heal", ACCOUNT] : ["plan", ACCOUNT];
    case "account_expired":
    case "renewal_failed":
    case "expiry_near":
    case "expiry_imminent":
    case "claims_overwritten":
      return allows(mode, "renew") ? ["renew", ACCOUNT] : ["plan", ACCOUNT];
    case "account_missing":
    case "claims_differ":
    case "readings_disagree":
      return ["diff", ACCOUNT];
    case "push_refused":
    case "journal_unproved":
      return ["journal", ACCOUNT];
    case "account_deleted":
    case "assets_lost":
    case "limits_reached":
    case "degraded":
    case "unknown":
      return ["verify", ACCOUNT];
    case "cluster_unreachable":
    case "stack_alarm":
      return ["doctor"];
    case "operator_expiring":
    case "credentials_expiring":
    case "activation_expiring":
    case "certificate_expiring":
    case "signing_key_retiring":
      return ["expiries"];
  }
}
