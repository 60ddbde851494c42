import type { PolicyRules } from "./expiry-policy.ts";

declare const nkey: unique symbol;

/** The public key of an account: `A` and 55 more characters of base32. */
export type AccountId = string & { readonly [nkey]: "account" };

const ACCOUNT_ID = /^A[A-Z2-7]{55}$/;

/** Whether `text` has the shape of an account's public key. The checksum is the codec's business. */
export function isAccountId(text: string): text is AccountId {
  return ACCOUNT_ID.test(text);
}

/** What a person configured about an account. Accounts that only the resolver knows have none of it. */
export interface AccountSettings {
  readonly id: AccountId;
  readonly name?: string;
  /** Secret reference of an account key or account signing key; with it Relight sees as the account sees. */
  readonly signingKey?: string;
  /** Overrides the policy's leave for remedies that lose the data of memory streams. */
  readonly allowMemoryLoss?: boolean;
  /** Overrides the expiry policy, key by key. */
  readonly policy?: PolicyRules;
}
