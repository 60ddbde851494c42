import type { AccountId, AccountSettings } from "../claims/account.ts";
import type { AccountClaims } from "../claims/claims.ts";
import type { Operator } from "../claims/operator.ts";
import type { ExpiryPolicy, PolicyRules } from "./expiry-policy.ts";

/** Which accounts a rule applies to. An account must match an entry of each given kind. */
export interface PolicyMatch {
  readonly accounts?: readonly AccountId[];
  /** Names from the configuration or the claims; `*` matches anything. */
  readonly names?: readonly string[];
  /** Tags of the claims (`nats.tags`), compared case-insensitively, as in NATS. */
  readonly tags?: readonly string[];
}

export interface MatchedRules extends PolicyRules {
  readonly match: PolicyMatch;
}

export interface PolicySubject {
  readonly account: AccountId;
  /** As configured. */
  readonly name?: string | undefined;
  /** Absent if unknown: then nothing matches by tag, or by the name in the claims. */
  readonly claims?: AccountClaims | undefined;
}

/**
 * One account's policy: the general one, then each matching rule in order, then the account's own. Later ones win, key by
 * key.
 */
export function policyOf(
  general: ExpiryPolicy,
  rules: readonly MatchedRules[],
  own: PolicyRules | undefined,
  subject: PolicySubject,
): ExpiryPolicy {
  return merged(general, rulesFor(rules, subject), own);
}

const rulesFor = (rules: readonly MatchedRules[], subject: PolicySubject): readonly MatchedRules[] =>
  rules.filter(({ match }) => fits(match, subject));

const merged = (general: ExpiryPolicy, rules: readonly MatchedRules[], own: PolicyRules | undefined): ExpiryPolicy =>
  Object.assign({}, general, ...rules.map(({ match: _match, ...rest }) => rest), own);

export interface Policies {
  readonly policy: ExpiryPolicy;
  readonly policies: readonly MatchedRules[];
  readonly accounts: readonly Pick<AccountSettings, "id" | "name" | "policy">[];
}

/**
 * The policies of all accounts. The system account is manual by default, because a mistake there locks out everybody,
 * including Relight.
 */
export function policiesOf(
  { policy, policies, accounts }: Policies,
  { systemAccount }: Pick<Operator, "systemAccount">,
): (account: AccountId, claims: AccountClaims | undefined) => ExpiryPolicy {
  const settings = new Map(accounts.map((account) => [account.id, account]));
  // Accounts that the same rules fit share one policy, because there may be a hundred thousand.
  const shared = new Map<string, ExpiryPolicy>();
  const sharedBy = (rules: readonly MatchedRules[]): ExpiryPolicy => {
    const key = rules.map((rule) => policies.indexOf(rule)).join();
    const known = shared.get(key) ?? merged(policy, rules, undefined);
    shared.set(key, known);
    return known;
  };
  return (account, claims) => {
    const own = settings.get(account);
    const fitting = rulesFor(policies, { account, name: own?.name, claims });
    if (account !== systemAccount && own?.policy === undefined) return sharedBy(fitting);
    return merged(account === systemAccount ? { ...policy, manual: true } : policy, fitting, own?.policy);
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

/** Cached regular expressions, because a sweep matches them against every account. */
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
