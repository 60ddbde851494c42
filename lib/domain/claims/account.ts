import type { PolicyRules } from "../expiry/expiry-policy.ts";

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
  /** JetStream domains that the account is to have. */
  readonly domains?: readonly string[];
  /** Leafnodes that are to be connected to it. */
  readonly leafnodes?: readonly ExpectedLeafnode[];
}

/** A leafnode that is to be bound to an account. */
export interface ExpectedLeafnode {
  /** The name of the leaf's server. */
  readonly name: string;
  /** The JetStream domain beyond it. */
  readonly domain?: string;
}

/** What is to be there for an account, beside what the servers know of. */
export interface Expectations {
  readonly domains: readonly string[];
  readonly leafnodes: readonly ExpectedLeafnode[];
}

export const NOTHING_EXPECTED: Expectations = { domains: [], leafnodes: [] };

/** A leafnode's domain is expected like one that is named itself. */
export function expectationsOf(settings: AccountSettings | undefined): Expectations {
  const { domains = [], leafnodes = [] } = settings ?? {};
  const beyond = leafnodes.flatMap(({ domain }) => domain ?? []);
  return { domains: [...new Set([...domains, ...beyond])], leafnodes };
}
