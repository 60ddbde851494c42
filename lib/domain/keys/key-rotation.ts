import type { AccountId } from "../claims/account.ts";
import { type Operator, trustedIssuers } from "../claims/operator.ts";

/** Replaces one operator signing key with another while the servers trust both. */
export interface KeyChange {
  readonly from: string;
  readonly to: string;
}

/** The operators that a server trusts since its start. */
export interface ServerTrust {
  readonly server: string;
  readonly operators: readonly Operator[];
}

/** What a person must fix before accounts can change keys, and how. */
export interface Obstacles {
  readonly problems: readonly string[];
  readonly advice: readonly string[];
}

const OPERATOR_KEY = /^O[A-Z2-7]{55}$/;

/** Why Relight cannot sign with the new key yet. Undefined if the configuration and all servers trust both keys. */
export function obstacles(
  { from, to }: KeyChange,
  trust: readonly ServerTrust[],
  operator: Operator,
  signer: string | undefined,
): Obstacles {
  const malformed = [from, to].filter((key) => !OPERATOR_KEY.test(key));
  if (malformed.length > 0)
    return {
      problems: malformed.map((key) => `${key} is not an operator's public key (O and 55 characters of A-Z2-7)`),
      advice: ["Give public keys as `nsc describe operator` lists them, not seeds."],
    };
  if (from === to) return { problems: ["the old and the new key are the same"], advice: ["Give --from OLD --to NEW."] };
  const untrusting = [from, to].flatMap((key) => whoDistrusts(key, trust, operator));
  const signs = signer === to;
  const problems = [
    ...untrusting,
    ...(signs ? [] : [`operator.signingKey is ${signer ?? "not configured"}, not the new key ${to}`]),
  ];
  const advice = [
    ...(untrusting.length > 0 ? addKeys(operator, [from, to]) : []),
    ...(signs ? [] : [`Let operator.signingKey in Relight's configuration refer to ${to}.`]),
  ];
  return { problems, advice };
}

function whoDistrusts(key: string, trust: readonly ServerTrust[], operator: Operator): string[] {
  const own = trustedIssuers(operator).includes(key) ? [] : [`operator.jwt does not trust ${key}`];
  const servers = trust.filter(({ operators }) => !operators.some((it) => trustsFor(it, operator, key)));
  return [...own, ...servers.map(({ server }) => `${server} does not trust ${key}`)];
}

const trustsFor = (it: Operator, { id }: Operator, key: string): boolean =>
  it.id === id && trustedIssuers(it).includes(key);

/** Servers 2.9.10, 2.10.27 and 2.15.1 refuse a reload: "config reload not supported for TrustedOperators". */
const SPREAD = [
  "Put the new operator JWT (`nsc describe operator --raw`) where the servers' `operator` and Relight's operator.jwt point to.",
  "Restart the servers one at a time, because a reload does not apply a new operator JWT. Restart none while an account with streams is expired.",
];

function addKeys(operator: Operator, keys: readonly string[]): string[] {
  const missing = keys.filter((key) => !trustedIssuers(operator).includes(key));
  return [...missing.map((key) => `nsc edit operator --sk ${key}`), ...SPREAD, "Run this command again."];
}

/** How a person removes the old key from the operator once it is unused. Relight never edits the operator. */
export function retirement({ from }: KeyChange): readonly string[] {
  return [
    "If the servers' configuration has a `resolver_preload`, replace the JWTs in it that the old key signed.",
    `nsc edit operator --rm-sk ${from}`,
    ...SPREAD,
    "Then destroy the old key (in KMS: `aws kms schedule-key-deletion`).",
  ];
}

/** An account as a rotation sees it. */
export interface RotationAccount {
  readonly account: AccountId;
  readonly name: string;
  /** Its size: larger accounts are rotated later. */
  readonly streams: number;
  /** Critical by policy: rotated late, so problems show on another account first. */
  readonly critical: boolean;
  /** Servers that run a JWT signed by the old key. */
  readonly runningOn: readonly string[];
  /** Whether the resolver holds such a JWT. */
  readonly stored: boolean;
}

export interface WavePlan {
  readonly waves: readonly (readonly RotationAccount[])[];
  /** Signed by the old key but not rotated: the system account, unless requested. */
  readonly leftOut: readonly RotationAccount[];
}

/**
 * Critical accounts come after all others, and within each group those with the fewest streams come first. The system
 * account comes last and alone, because everything else depends on it.
 */
export function planWaves(
  accounts: readonly RotationAccount[],
  { size, includeSystem, systemAccount }: { size: number; includeSystem: boolean; systemAccount: string | undefined },
): WavePlan {
  const ordinary = accounts
    .filter(({ account }) => account !== systemAccount)
    .sort((a, b) => Number(a.critical) - Number(b.critical) || a.streams - b.streams || (a.name < b.name ? -1 : 1));
  const system = accounts.filter(({ account }) => account === systemAccount);
  const waves = Array.from({ length: Math.ceil(ordinary.length / size) }, (_, index) =>
    ordinary.slice(index * size, (index + 1) * size),
  );
  if (!includeSystem || system.length === 0) return { waves, leftOut: system };
  return { waves: [...waves, system], leftOut: [] };
}
