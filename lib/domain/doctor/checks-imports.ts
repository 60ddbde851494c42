import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { readPayload } from "../claims/jwt-text.ts";
import {
  covers,
  type Export,
  exportFor,
  type Import,
  importsOf,
  isFetched,
  isRevoked,
  signingKeys,
} from "../claims/shares.ts";
import type { Evidence, Observation, Probe } from "../observation/observation.ts";
import { isJsonObject, type JsonObject } from "../time/json.ts";
import { epochSeconds, isoTime, toMillis } from "../time/time.ts";
import type { CheckCode } from "./check-codes.ts";
import { type Check, check } from "./checks.ts";

/**
 * The claims of the accounts that imports name. Undefined: nobody knows the account. A failed probe says nothing about
 * the import.
 */
export type ExporterOf = (account: string) => Probe<AccountClaims | undefined>;

/** An account whose imports are checked. */
export interface Importer {
  readonly name: string;
  readonly claims?: AccountClaims;
  readonly observation: Pick<Observation, "running" | "at">;
}

/**
 * Imports in the claims that are not in force, and why: as nats-server 2.9 to 2.15 decides (`checkActivation` and
 * `checkAuth` in accounts.go, `Import.Validate` of its JWT library).
 */
export function importChecks({ name, claims, observation }: Importer, exporterOf: ExporterOf): readonly Check[] {
  if (claims === undefined) return [];
  const incompleteOn = loaded(observation).flatMap(({ server, incomplete }) => (incomplete ? [server] : []));
  const now = observation.at / 1000;
  const judged = importsOf(claims).map((one) => judgeImport(claims, one, exporterOf(one.exporter), now));
  const found = judged.flatMap((fault) => {
    if (fault === undefined || fault === "unknown") return [];
    const { code, why, more, taken, exporter } = fault;
    const { exporter: id, subject, type } = taken;
    const message = `the import of ${type} ${subject} from ${exporter || id} is not in force: ${why}`;
    return [check(code, { account: name }, message, { exporter: id, subject, type, incompleteOn, ...more })];
  });
  if (found.length > 0 || incompleteOn.length === 0 || judged.includes("unknown")) return found;
  const message = `${incompleteOn.join(", ")} could not bring all imports into force, and the claims do not tell why`;
  return [check("import.incomplete", { account: name }, message, { servers: incompleteOn })];
}

interface ImportFault {
  readonly code: CheckCode;
  readonly why: string;
  readonly more?: Evidence;
}

/** The import in question, and its exporter's name. */
interface Judged extends ImportFault {
  readonly taken: Import;
  readonly exporter: string;
}

function judgeImport(
  importer: AccountClaims,
  taken: Import,
  exporter: Probe<AccountClaims | undefined>,
  now: number,
): Judged | "unknown" | undefined {
  if (!exporter.ok) return "unknown";
  const claims = exporter.value;
  if (claims === undefined)
    return { code: "import.no_exporter", why: "nobody knows that account", taken, exporter: "" };
  const fault = faultOf(importer, taken, claims, now);
  return fault === undefined ? undefined : { ...fault, taken, exporter: claims.name };
}

function faultOf(
  importer: AccountClaims,
  taken: Import,
  exporter: AccountClaims,
  now: number,
): ImportFault | undefined {
  const { subject, type, token } = taken;
  const offered = exportFor(exporter, subject, type);
  if (offered === undefined) return { code: "import.no_export", why: `no ${type} that it exports covers this subject` };
  const { idAt } = offered;
  if (idAt > 0) {
    if (subject.split(".")[idAt - 1] === importer.sub) return undefined;
    const why = `the export wants the importing account's id as token ${idAt} of the subject`;
    return { code: "import.not_its_place", why, more: { place: idAt } };
  }
  if (!offered.needsToken) return undefined;
  if (token === "") return { code: "import.no_token", why: "the export needs an activation token, and it has none" };
  // What a server fetched is not seen; it says itself whether the import is in force.
  return isFetched(token) ? undefined : tokenFault(importer, taken, exporter, offered, now);
}

function tokenFault(
  importer: AccountClaims,
  taken: Import,
  exporter: AccountClaims,
  offered: Export,
  now: number,
): ImportFault | undefined {
  const payload = readPayload(taken.token);
  const wrong = payload === undefined ? "it is no NATS JWT" : mismatch(importer, taken, payload);
  if (payload === undefined || wrong !== undefined)
    return { code: "import.token_wrong", why: `its token does not fit: ${wrong}`, more: { why: wrong ?? "" } };
  const [exp, nbf, issuedAt] = [payload["exp"], payload["nbf"], payload["iat"]].map((time) => Number(time ?? 0));
  if (exp && exp <= now) {
    const at = isoTime(toMillis(epochSeconds(exp)));
    return { code: "import.token_expired", why: `its token expired at ${at}`, more: { at } };
  }
  if (nbf && nbf > now) {
    const at = isoTime(toMillis(epochSeconds(nbf)));
    return { code: "import.token_early", why: `its token is valid from ${at} on`, more: { at } };
  }
  const key = String(payload["iss"]);
  if (![exporter.sub, ...signingKeys(exporter)].includes(key))
    return {
      code: "import.token_key",
      why: `its token is signed by ${key}, which is no key of its exporter`,
      more: { key },
    };
  return isRevoked(offered, importer.sub, issuedAt ?? 0)
    ? { code: "import.token_revoked", why: "its exporter revoked its token" }
    : undefined;
}

/** What of a token is for something else than the import; undefined if nothing is. */
function mismatch(
  importer: AccountClaims,
  { exporter, subject, type }: Import,
  payload: JsonObject,
): string | undefined {
  const nats = isJsonObject(payload["nats"]) ? payload["nats"] : {};
  const { subject: granted, kind, issuer_account: of } = nats;
  if (payload["iss"] !== exporter && of !== exporter) return "it is another account's";
  if (payload["sub"] !== importer.sub) return "it is for another account";
  if (kind !== type) return `it is for a ${String(kind)}`;
  return covers(String(granted), subject) ? undefined : `it is for ${String(granted)}`;
}
