import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { type VirtualKey, virtualKey } from "./keys.ts";

/** The claims of accounts in a virtual cluster, and their JWTs. */

export const UNLIMITED = {
  subs: -1,
  data: -1,
  payload: -1,
  imports: -1,
  exports: -1,
  conn: -1,
  leaf: -1,
  wildcards: true,
};
export const JETSTREAM = {
  mem_storage: 2 ** 26,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
  max_ack_pending: -1,
};

export interface VirtualAccount {
  readonly id: AccountId;
  readonly name: string;
  readonly key: VirtualKey;
}

export function virtualAccount(name: string): VirtualAccount {
  const key = virtualKey("account", name);
  return { id: key.id as AccountId, name, key };
}

/** How JWTs of one account differ; seconds since 1970. */
export interface ClaimsChanges {
  readonly jti: string;
  readonly iat: number;
  /** Absent: it never expires. */
  readonly exp?: number | undefined;
  readonly nbf?: number;
  readonly iss?: string;
  readonly limits?: JsonObject;
  readonly nats?: JsonObject;
}

/** The account's claims, as a payload. */
export function claimsText(
  { id, name, key }: VirtualAccount,
  { limits = { ...UNLIMITED, ...JETSTREAM }, nats = {}, ...changes }: ClaimsChanges,
): string {
  const own = { limits, signing_keys: [key.id], type: "account", version: 2 };
  return JSON.stringify({ ...changes, sub: id, name, nats: { ...own, ...nats } });
}

const part = (text: string): string => Buffer.from(text).toString("base64url");
const HEADER = part(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" }));

/** A JWT of exactly this payload. */
export function signText(payload: string, key: VirtualKey): string {
  const body = `${HEADER}.${part(payload)}`;
  return `${body}.${Buffer.from(key.sign(Buffer.from(body))).toString("base64url")}`;
}
