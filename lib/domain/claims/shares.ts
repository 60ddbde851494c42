import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { AccountClaims } from "./claims.ts";

/** What accounts export and import by their claims. */

export type ShareType = "stream" | "service";

/** What an account offers to others. */
export interface Export {
  readonly subject: string;
  readonly type: ShareType;
  /** Whether an import needs an activation token. */
  readonly needsToken: boolean;
  /** The place in the subject at which the importer's id must be, from 1; 0 if anywhere. */
  readonly idAt: number;
  /** By account, or `*`: until when its tokens are revoked, in epoch seconds. */
  readonly revocations: JsonObject;
}

/** What an account takes from another. */
export interface Import {
  readonly exporter: string;
  /** The subject in the exporting account. */
  readonly subject: string;
  /** `stream` or `service`; other words have no effect. */
  readonly type: string;
  /** The activation token; empty if there is none. */
  readonly token: string;
}

export function exportsOf({ nats }: AccountClaims): readonly Export[] {
  return objects(nats["exports"]).flatMap((entry) => {
    const { subject, type, token_req, account_token_position: place, revocations } = entry;
    if (typeof subject !== "string" || !isType(type)) return [];
    const idAt = typeof place === "number" ? place : 0;
    const revoked = isJsonObject(revocations) ? revocations : {};
    return [{ subject, type, needsToken: token_req === true, idAt, revocations: revoked }];
  });
}

/** A service's old `to` is the subject in the exporting account (nats-server, `AddServiceImportWithClaim`). */
export function importsOf({ nats }: AccountClaims): readonly Import[] {
  return objects(nats["imports"]).flatMap(({ account, subject, type, to, local_subject: local, token }) => {
    if (typeof account !== "string" || typeof subject !== "string") return [];
    const isRenamed = type === "service" && !local && typeof to === "string" && to !== "";
    const taken = { exporter: account, subject: isRenamed ? to : subject, type: typeof type === "string" ? type : "" };
    return [{ ...taken, token: typeof token === "string" ? token : "" }];
  });
}

/** Whether a token is an address from which servers fetch it. */
export const isFetched = (token: string): boolean => /^\w+:\/\//.test(token);

/** The export that servers match an import with: that of the same subject, otherwise one that covers it. */
export function exportFor(claims: AccountClaims, subject: string, type: string): Export | undefined {
  const offered = exportsOf(claims).filter((one) => one.type === type);
  return offered.find((one) => one.subject === subject) ?? offered.find((one) => covers(one.subject, subject));
}

/** Whether the export's revocations cover a token that was issued then to this account; epoch seconds. */
export function isRevoked({ revocations }: Export, importer: string, issuedAt: number): boolean {
  const until = Math.max(...[importer, "*"].map((key) => Number(revocations[key] ?? 0)));
  return until > 0 && issuedAt <= until;
}

/** The account's signing keys: plain ones, and scoped ones, which are objects with a `key`. */
export function signingKeys({ nats }: AccountClaims): readonly string[] {
  const keys = nats["signing_keys"];
  if (!Array.isArray(keys)) return [];
  return keys.map((key: Json) => (isJsonObject(key) ? String(key["key"]) : String(key)));
}

/** Whether `pattern` matches everything that `subject` matches; both may have wildcards. */
export function covers(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split("."), subject.split(".")];
  for (const [index, token] of wanted.entries()) {
    if (token === ">") return given.length > index;
    const other = given[index];
    if (other === undefined || other === ">") return false;
    if (token !== "*" && token !== other) return false;
  }
  return wanted.length === given.length;
}

const isType = (type: Json | undefined): type is ShareType => type === "stream" || type === "service";

function objects(list: Json | undefined): readonly JsonObject[] {
  return Array.isArray(list) ? list.filter(isJsonObject) : [];
}
