import type { PolicyRules } from "../expiry/expiry-policy.ts";

declare const nkey: unique symbol;

/** The public key of an account: `A` and 55 more characters of base32. */
export type AccountId = string & { readonly [nkey]: "account" };

const ACCOUNT_ID = /^A[A-Z2-7]{55}$/;

/** Whether `text` looks like an account's public key. Does not check the checksum. */
export function isAccountId(text: string): text is AccountId {
  return ACCOUNT_ID.test(text);
}

/** An account's entry in the configuration. */
export interface AccountSettings {
  readonly id: AccountId;
  readonly name?: string;
  /** Secret reference of an account key or account signing key; lets Relight check as the account. */
  readonly signingKey?: string;
  /** Overrides the policy: allows remedies that lose the data of memory streams. */
  readonly allowMemoryLoss?: boolean;
  /** Overrides the expiry policy, key by key. */
  readonly policy?: PolicyRules;
  /** JetStream domains that must answer the account. */
  readonly domains?: readonly string[];
  /** Leafnodes that must be bound to the account. */
  readonly leafnodes?: readonly ExpectedLeafnode[];
}

/** A leafnode that must be bound to an account. */
export interface ExpectedLeafnode {
  /** The leafnode's server name. */
  readonly name: string;
  /** The JetStream domain beyond it. */
  readonly domain?: string;
}

/** What must exist for an account according to the configuration. */
export interface Expectations {
  readonly domains: readonly string[];
  readonly leafnodes: readonly ExpectedLeafnode[];
}

export const NOTHING_EXPECTED: Expectations = { domains: [], leafnodes: [] };

/** Includes the domains of the expected leafnodes. */
export function expectationsOf(settings: AccountSettings | undefined): Expectations {
  const { domains = [], leafnodes = [] } = settings ?? {};
  const beyond = leafnodes.flatMap(({ domain }) => domain ?? []);
  return { domains: [...new Set([...domains, ...beyond])], leafnodes };
}

/** The beginning of an account's id, for people: enough to tell accounts apart, and commands accept it. */
export const shortId = (account: string): string => account.slice(0, 8);
