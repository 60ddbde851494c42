import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { covers, exportsOf, importsOf } from "../claims/shares.ts";
import { limitsOf } from "../limits/jetstream-limits.ts";
import type { Observation } from "../observation/observation.ts";
import { isJsonObject, type Json } from "../time/json.ts";
import { formatSize } from "../time/sizes.ts";
import { listed } from "../time/text.ts";
import { type Check, check, NEAR } from "./checks.ts";

/** Checks of what accounts' claims say, beside their imports. */

export interface Claimed {
  readonly name: string;
  readonly claims?: AccountClaims;
  /** The claims as text. */
  readonly text?: string;
}

/** More revocations than anybody reads. */
export const MANY_REVOCATIONS = 500;
/** Names in a message. */
const MOST = 5;

/**
 * Exports that no account imports.
 * @param accounts all accounts, with claims; if some are unknown, nothing can be said
 * @param systemAccount exports what servers answer, whether anybody imports it or not
 */
export function exportChecks(accounts: readonly Claimed[], systemAccount: string | undefined): readonly Check[] {
  const taken = accounts.flatMap(({ claims }) => (claims === undefined ? [] : importsOf(claims)));
  return accounts.flatMap(({ name, claims }) => {
    if (claims === undefined || claims.sub === systemAccount) return [];
    const own = taken.filter(({ exporter }) => exporter === claims.sub);
    return exportsOf(claims).flatMap(({ subject, type, needsToken, idAt }) => {
      const open = subject === ">" && !needsToken && idAt === 0;
      const isUsed = own.some((one) => one.type === type && covers(subject, one.subject));
      return [
        ...(isUsed
          ? []
          : [check("export.unused", { account: name }, `nobody imports its ${type} ${subject}`, { subject, type })]),
        ...(open
          ? [
              check("export.everything", { account: name }, `every account may import every ${type} of it`, {
                subject,
                type,
              }),
            ]
          : []),
      ];
    });
  });
}

/** Accounts that have the same name. */
export function accountNameChecks(accounts: readonly Claimed[]): readonly Check[] {
  const byName = new Map<string, string[]>();
  for (const { claims } of accounts)
    if (claims?.name) byName.set(claims.name, [...(byName.get(claims.name) ?? []), claims.sub]);
  return [...byName].flatMap(([name, ids]) => {
    if (ids.length < 2) return [];
    const message = `${ids.length} accounts are called ${name}: ${listed(ids, MOST)}`;
    return [check("account.name_twice", { account: name }, message, { accounts: ids })];
  });
}

/** The smallest message that a server accepts. */
export interface SmallestPayload {
  readonly server: string;
  readonly bytes: number;
}

/** A JWT that does not, or soon not, fit into a message. */
export function sizeChecks({ name, text }: Claimed, smallest: SmallestPayload | undefined): readonly Check[] {
  if (text === undefined || smallest === undefined) return [];
  const { server, bytes: limit } = smallest;
  const size = jwtSize(text);
  if (size < limit * NEAR) return [];
  const code = size > limit ? "claims.too_large" : "claims.size_near";
  const message = `its JWT has ${formatSize(size)}, and ${server} accepts messages of ${formatSize(limit)}`;
  return [check(code, { account: name, server }, message, { size, limit })];
}

/** The header and the signature of every JWT of NATS, encoded, with two dots. */
const AROUND = 47 + 86 + 2;
/** Bytes of the JWT with these claims, in base64 without padding. */
const jwtSize = (text: string): number => Math.ceil((new TextEncoder().encode(text).length * 4) / 3) + AROUND;

export function revocationChecks({ name, claims }: Claimed): readonly Check[] {
  if (claims === undefined) return [];
  const own = sizeOf(claims.nats["revocations"]);
  const revocations = exportsOf(claims).reduce((sum, { revocations: those }) => sum + sizeOf(those), own);
  if (revocations <= MANY_REVOCATIONS) return [];
  const message = `its claims have ${revocations} revocations`;
  return [check("claims.revocations", { account: name }, message, { revocations, limit: MANY_REVOCATIONS })];
}

const sizeOf = (value: Json | undefined): number => (isJsonObject(value) ? Object.keys(value).length : 0);

/** Leafnode connections near the limit of the claims. Each server counts those of all servers. */
export function leafnodeLimitChecks(
  { name, claims }: Claimed,
  { running }: Pick<Observation, "running">,
): readonly Check[] {
  const limit = claims === undefined ? 0 : Number(limitsOf(claims)["leaf"] ?? 0);
  const used = loaded({ running }).reduce((sum, { connections }) => sum + (connections?.leafnodes ?? 0), 0);
  if (limit <= 0 || used < limit * NEAR) return [];
  const message = `${used} of ${limit} leafnode connections (leaf) are in use`;
  return [check("account.leafnodes_near", { account: name }, message, { used, limit })];
}
