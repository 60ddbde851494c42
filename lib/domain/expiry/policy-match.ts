import type { AccountId, AccountSettings } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import type { Operator } from "../claims/operator.ts";
import type { ExpiryPolicy, PolicyRules } from "./expiry-policy.ts";

/** What accounts a rule is for: those that fit each kind that is given, by at least one entry of it. */
export interface PolicyMatch {
  readonly accounts?: readonly AccountId[];
  /** Names as people or the claims give them; `*` stands for anything. */
  readonly names?: readonly string[];
  /** Tags of the claims (`nats.tags`), in any case, as NATS compares them. */
  readonly tags?: readonly string[];
}

export interface MatchedRules extends PolicyRules {
  readonly match: PolicyMatch;
}

export interface PolicySubject {
  readonly account: AccountId;
  /** As configured. */
  readonly name?: string | undefined;
  /** Absent where nobody knows them: then nothing fits by tag, nor by the name in them. */
  readonly claims?: AccountClaims | undefined;
}

/**
 * One account's policy: the general one, then each rule that fits, in order, then what stands with the account;
 * what comes later wins, key by key.
 */
export function policyOf(
  general: ExpiryPolicy,
  rules: readonly MatchedRules[],
  own: PolicyRules | undefined,
  subject: PolicySubject,
): ExpiryPolicy {
  const fitting = rules.filter(({ match }) => fits(match, subject));
  return Object.assign({}, general, ...fitting.map(({ match: _match, ...rest }) => rest), own);
}

export interface Policies {
  readonly policy: ExpiryPolicy;
  readonly policies: readonly MatchedRules[];
  readonly accounts: readonly Pick<AccountSettings, "id" | "name" | "policy">[];
}

/**
 * Every account's policy. Nobody but a person renews the system account, unless a rule for it says otherwise: a
 * fault there locks everybody out, Relight included.
 */
export function policiesOf(
  { policy, policies, accounts }: Policies,
  { systemAccount }: Pick<Operator, "systemAccount">,
): (account: AccountId, claims: AccountClaims | undefined) => ExpiryPolicy {
  const settings = new Map(accounts.map((account) => [account.id, account]));
  return (account, claims) => {
    const general = account === systemAccount ? { ...policy, manual: true } : policy;
    const own = settings.get(account);
    return policyOf(general, policies, own?.policy, { account, name: own?.name, claims });
  };
}

function fits({ accounts, names, tags }: PolicyMatch, { account, name, claims }: PolicySubject): boolean {
  if (accounts?.includes(account) === false) return false;
  if (names !== undefined && !names.some((pattern) => isLike(pattern, name) || isLike(pattern, claims?.name)))
    return false;
  if (tags === undefined) return true;
  const tagged = tagsOf(claims).map((tag) => tag.toLowerCase());
  return tags.some((tag) => tagged.includes(tag.toLowerCase()));
}

/** `team-*` against `team-orders`. */
function isLike(pattern: string, text: string | undefined): boolean {
  if (text === undefined) return false;
  return pattern.includes("*") ? expressionOf(pattern).test(text) : pattern === text;
}

/** Made once for each pattern of the configuration: a sweep holds them against every account. */
const expressions = new Map<string, RegExp>();

function expressionOf(pattern: string): RegExp {
  const known = expressions.get(pattern);
  if (known !== undefined) return known;
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`, "s");
  expressions.set(pattern, expression);
  return expression;
}

function tagsOf(claims: AccountClaims | undefined): readonly string[] {
  const tags = claims?.nats["tags"];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
}
