import { type AccountId, isAccountId } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import { readPayload } from "../claims/jwt-text.ts";
import { exportFor, importsOf, isFetched, isRevoked, signingKeys } from "../claims/shares.ts";
import { defined } from "../time/defined.ts";
import { isJsonObject, type JsonObject } from "../time/json.ts";
import { epochSeconds, toMillis } from "../time/time.ts";
import type { Ending } from "./expiring.ts";

/** The account that an invalid JWT claims to be of; undefined if servers could read another one. */
export function subjectOf(token: string): AccountId | undefined {
  const payload = readPayload(token) ?? {};
  const [key = "", ...others] = Object.keys(payload).filter((name) => name.toUpperCase() === "SUB");
  const subject = payload[key];
  return others.length === 0 && typeof subject === "string" && isAccountId(subject) ? subject : undefined;
}

const OTHER_KEY = /^[OUNCX][A-Z2-7]{55}$/;

/** Whether a JWT is about an operator, a user or a server: then it is no account's, whatever else is in it. */
export function isForOthers(token: string): boolean {
  const subjects = Object.entries(readPayload(token) ?? {}).filter(([name]) => name.toUpperCase() === "SUB");
  const [, subject] = subjects[0] ?? [];
  return subjects.length === 1 && typeof subject === "string" && OTHER_KEY.test(subject);
}

/** The user JWT within a credentials file. */
export function tokenOfCredentials(text: string): string | undefined {
  return /-----BEGIN NATS USER JWT-----\s+(\S+)\s+-+END NATS USER JWT/.exec(text)?.[1];
}

/** The expiry of a JWT. */
export function endingOf(kind: Ending["kind"], what: string, token: string | undefined): Ending {
  const payload = token === undefined ? undefined : readPayload(token);
  if (payload === undefined) return { kind, what, unseen: "it contains no NATS JWT" };
  const name = payload["name"];
  return { kind, what: typeof name === "string" ? `${what} (${name})` : what, ...spanOf(payload) };
}

/** An unreadable expiry is unknown, not infinite. */
function spanOf(payload: JsonObject): Pick<Ending, "begins" | "expiresAt" | "unseen"> {
  const { iat, exp } = payload;
  if (exp !== undefined && exp !== null && !(Number.isSafeInteger(exp) && Number(exp) >= 0))
    return { unseen: `its exp (${JSON.stringify(exp)}) is not a time in whole seconds` };
  return {
    ...(typeof iat === "number" ? { begins: toMillis(epochSeconds(iat)) } : {}),
    ...(typeof exp === "number" && exp > 0 ? { expiresAt: toMillis(epochSeconds(exp)) } : {}),
  };
}

export interface Activation {
  /** The exporting account. */
  readonly exporter: string;
  readonly subject: string;
  readonly payload: JsonObject | undefined;
}

/** The activation tokens in an account's imports. Tokens that are URLs are ignored. */
export function activationsOf(claims: AccountClaims): readonly Activation[] {
  return importsOf(claims).flatMap(({ exporter, subject, token }) => {
    if (token === "" || isFetched(token)) return [];
    return [{ exporter, subject, payload: readPayload(token) }];
  });
}

/**
 * The expiry of an activation token, and whether its exporter still accepts it.
 * @param exporter the exporter's claims; undefined if unknown
 */
export function activationEnding(
  importer: AccountId,
  name: string,
  { exporter: id, subject, payload }: Activation,
  exporter: AccountClaims | undefined,
): Ending {
  const what = `${name}: import of ${subject} from ${exporter?.name || id}`;
  const base = { kind: "activation", what, account: importer } as const;
  if (payload === undefined) return { ...base, unseen: "its token is not a NATS JWT" };
  const fault = exporter === undefined ? "its exporter is unknown" : faultOf(importer, payload, exporter);
  return { ...base, ...spanOf(payload), ...defined({ fault }) };
}

/** The same if the exporter's claims could not be read: whether it accepts the token is unknown. */
export function unseenActivation(
  importer: AccountId,
  name: string,
  { exporter, subject }: Activation,
  problem: string,
): Ending {
  const what = `${name}: import of ${subject} from ${exporter}`;
  return { kind: "activation", what, account: importer, unseen: problem };
}

function faultOf(importer: AccountId, payload: JsonObject, exporter: AccountClaims): string | undefined {
  const nats = isJsonObject(payload["nats"]) ? payload["nats"] : {};
  const offered = exportFor(exporter, String(nats["subject"]), String(nats["kind"]));
  if (offered === undefined) return "its exporter no longer exports this subject";
  const keys = [exporter.sub, ...signingKeys(exporter)];
  if (!keys.includes(String(payload["iss"]))) return "its signing key is no longer one of its exporter's";
  return isRevoked(offered, importer, Number(payload["iat"])) ? "its exporter revoked it" : undefined;
}
