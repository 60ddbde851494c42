import { isAccountId } from "../../claims/account.ts";
import { type EpochMillis, isoTime, toMillis } from "../../time/time.ts";
import type { LeafRemote, ServerConfig, Text } from "./leaf-config.ts";
import { type CredentialsFile, isSeed, isUserSeed, type UserCredentials } from "./leaf-config-credentials.ts";
import { type ConfigFinding, configFinding } from "./leaf-config-findings.ts";
import { checkUrls } from "./leaf-config-urls.ts";

/** Reads the file that a configuration names under `credentials`; undefined if it was not read. */
export type CredentialsAt = (path: string) => CredentialsFile | undefined;

export interface CheckContext {
  readonly now: EpochMillis;
  readonly credentialsAt: CredentialsAt;
}

/** The mistakes in one server's leafnode remotes, each checked separately. */
export function checkRemotes(server: ServerConfig, context: CheckContext): readonly ConfigFinding[] {
  return [
    ...server.misshapen.map((at) => configFinding("remote.not_a_list", at, "`remotes` is not a list of maps")),
    ...server.remotes.flatMap((remote) => [
      ...checkUrls(remote),
      ...checkLocalAccount(server, remote),
      ...checkCredentials(remote, context),
      ...checkNkey(remote),
    ]),
    ...checkDuplicates(server),
  ];
}

/** The accounts that a remote or listener may name without an operator (validateLeafNode in the server). */
export function localAccounts({ accounts, systemAccount, noSystemAccount }: ServerConfig): readonly string[] {
  const system = systemAccount === undefined && !noSystemAccount ? ["$SYS"] : [];
  return ["$G", ...system, ...accounts];
}

/** All defined accounts except the system account. */
export function applicationAccounts({ accounts, systemAccount }: ServerConfig): readonly string[] {
  return accounts.filter((name) => name !== "$G" && name !== (systemAccount ?? "$SYS"));
}

function checkLocalAccount(server: ServerConfig, { at, account, unknown }: LeafRemote): readonly ConfigFinding[] {
  if (unknown.includes("account") || (!server.operatorMode && !server.knowsAccounts)) return [];
  if (account === undefined) return withoutAccount(server, at);
  const { value } = account;
  if (server.operatorMode)
    return isAccountId(value)
      ? []
      : [configFinding("remote.account_not_public_key", account.at, `the account is ${quoted(value)}`)];
  if (localAccounts(server).includes(value)) return [];
  const known = applicationAccounts(server).map(quoted).join(", ") || "none but $G";
  const problem = `the account ${quoted(value)} is not defined; accounts here: ${known}`;
  return [configFinding("remote.account_unknown", account.at, problem)];
}

function withoutAccount(server: ServerConfig, at: LeafRemote["at"]): readonly ConfigFinding[] {
  if (server.operatorMode)
    return [configFinding("remote.account_required", at, "the remote has no account, but the server has an operator")];
  const others = applicationAccounts(server);
  if (others.length === 0) return [];
  const problem = `the remote has no account and binds to $G, not to ${others.map(quoted).join(" or ")}`;
  return [configFinding("remote.binds_to_global", at, problem)];
}

const quoted = (name: string): string => JSON.stringify(name);

function checkCredentials(remote: LeafRemote, context: CheckContext): readonly ConfigFinding[] {
  const { credentials, account, nkey } = remote;
  if (credentials === undefined) return [];
  const { at, value } = credentials;
  if (nkey !== undefined)
    return [configFinding("remote.credentials_and_nkey", at, "the remote has both credentials and an nkey")];
  if (isSeed(value)) return [configFinding("remote.seed_as_credentials", at, "the credentials are a seed, not a path")];
  const file = context.credentialsAt(value);
  if (file === undefined) return [];
  if (file.kind === "user") return checkUser(credentials, file, account, context.now);
  return [notCredentials(credentials, file)];
}

function notCredentials({ at, value }: Text, file: Exclude<CredentialsFile, UserCredentials>): ConfigFinding {
  switch (file.kind) {
    case "seed":
      return configFinding("remote.seed_as_credentials", at, `${value} contains a seed but no JWT`);
    case "missing":
      return configFinding("credentials.missing", at, `there is no file ${value}`);
    case "unreadable":
      return configFinding("credentials.unreadable", at, `${value} ${file.why}`);
    case "malformed":
      return configFinding("credentials.malformed", at, `${value} is not a credentials file: ${file.why}`);
  }
}

function checkUser(
  { at, value }: Text,
  { user, account, expiresAt }: UserCredentials,
  local: Text | undefined,
  now: EpochMillis,
): readonly ConfigFinding[] {
  const findings: ConfigFinding[] = [];
  if (expiresAt !== undefined && toMillis(expiresAt) <= now) {
    const problem = `${value} (user ${user} of account ${account}) expired at ${isoTime(toMillis(expiresAt))}`;
    findings.push(configFinding("credentials.expired", at, problem));
  }
  // Only keys can be compared; a local name can't.
  if (local !== undefined && isAccountId(local.value) && local.value !== account) {
    const problem = `${value} binds the leafnode to account ${account} on the hub, but \`account\` binds it to ${local.value} here`;
    findings.push(configFinding("credentials.other_account", at, problem));
  }
  return findings;
}

function checkNkey({ nkey, credentials }: LeafRemote): readonly ConfigFinding[] {
  if (nkey === undefined || credentials !== undefined || isUserSeed(nkey.value)) return [];
  const looksLikeFile = /[/\\]|\.(creds?|nk|txt)$|BEGIN|^~/i.test(nkey.value);
  // Do not show the value: it may be a seed with a missing letter.
  return looksLikeFile
    ? [configFinding("remote.creds_as_nkey", nkey.at, "the nkey is a file or its text, not a seed")]
    : [configFinding("remote.nkey_invalid", nkey.at, `the nkey is ${kindOf(nkey.value)}`)];
}

function kindOf(value: string): string {
  if (/^U[A-Z2-7]{55}$/.test(value)) return "the public key of a user, not its seed";
  if (/^SA/.test(value) && isSeed(value)) return "the seed of an account, not of a user";
  if (/^SO/.test(value) && isSeed(value)) return "the seed of an operator, not of a user";
  return "not the seed of a user";
}

function checkDuplicates({ remotes }: ServerConfig): readonly ConfigFinding[] {
  const name = ({ urls, account }: LeafRemote): string =>
    JSON.stringify([account?.value ?? "$G", urls.map(({ value }) => value)]);
  return remotes.flatMap((remote, index) => {
    const first = remotes.findIndex((other) => name(other) === name(remote));
    if (first === index || remote.urls.length === 0) return [];
    const problem = `the remote has the same urls and account as the one on line ${remotes[first]?.at.line}`;
    return [configFinding("remote.duplicate", remote.at, problem)];
  });
}
