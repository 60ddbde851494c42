import type { AccountId } from "../claims/account.ts";

/** What a search of this machine found for `relight init`. Paths and public keys only, never a secret. */

/** A key whose seed is in a file. */
export interface FoundKey {
  readonly publicKey: string;
  readonly file: string;
}

export interface FoundAccount {
  readonly id: AccountId;
  readonly name: string;
  /** A key that can sign users with all permissions, if its seed was found. */
  readonly key?: FoundKey;
}

export interface FoundOperator {
  readonly name: string;
  /** Its public key. */
  readonly id: string;
  /** The secret reference of its JWT. */
  readonly jwt: string;
  /** nsc's folder of this operator; absent if only the JWT was named. */
  readonly folder?: string;
  /** Whether it is the one that nsc works with at the moment. */
  readonly isCurrent: boolean;
  /** The clients' addresses of its servers, as its JWT has them. */
  readonly serviceUrls: readonly string[];
  readonly systemAccount?: string;
  /** Keys that servers accept on account JWTs: signing keys first, the identity key last. */
  readonly keys: readonly FoundKey[];
  /** Credentials files of users of the system account that have not expired; the best first. */
  readonly systemCredentials: readonly string[];
  /** Without the system account. */
  readonly accounts: readonly FoundAccount[];
}

/** A context of the `nats` command that Relight can use. */
export interface FoundContext {
  readonly name: string;
  readonly servers: readonly string[];
  /** The account of its user, if known. */
  readonly account?: string;
}

export interface Found {
  readonly operators: readonly FoundOperator[];
  /** Where nsc's stores were looked for. */
  readonly stores: readonly string[];
  readonly contexts: readonly FoundContext[];
  /** Addresses on this machine where something listens. */
  readonly local: readonly string[];
}
