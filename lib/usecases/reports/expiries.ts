import pMap from "p-map";
import type { AccountId } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import type { Scheduled } from "../../domain/expiry/calendar.ts";
import { byUrgency, type Ending, type Expiring, type ExpiringKind, judge } from "../../domain/expiry/expiring.ts";
import {
  activationEnding,
  activationsOf,
  endingOf,
  tokenOfCredentials,
  unseenActivation,
} from "../../domain/expiry/expiring-tokens.ts";
import type { ExpiryPolicy } from "../../domain/expiry/expiry-policy.ts";
import type { FailureClass } from "../../domain/incidents/classes.ts";
import type { Trouble } from "../../domain/incidents/trouble.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { toMillis } from "../../domain/time/time.ts";
import { asRelightError, probe } from "../../errors.ts";
import type { ServerCertificates } from "../../ports/cluster.ts";
import type { Context } from "../context/context.ts";
import { escalateOnce, resolveIncidents } from "../paging/escalate.ts";
import { claimsOf, isShared, type Schedule, scheduledAccounts, type UnknownAccount } from "./schedule.ts";

/** Sources of other expiries than accounts. */
export interface ExpirySources {
  /** The policy for everything except accounts. */
  readonly policy: ExpiryPolicy;
  /** Secret references. */
  readonly operatorJwt: string;
  readonly systemCredentials: string;
  readonly credentials: readonly string[];
  /** Public keys of the operator that will be removed. */
  readonly retiring: readonly string[];
  certificates(): Promise<readonly ServerCertificates[]>;
  readonly configured: readonly AccountId[];
}

/**
 * Everything that expires, most urgent first. Changes nothing.
 * @param known the accounts' claims, if the caller has them; by default they are requested
 */
export async function findExpiries(
  context: Context,
  sources: ExpirySources,
  known?: Schedule,
): Promise<readonly Expiring[]> {
  const endings: Ending[] = await Promise.all([
    token(context, "operator", sources.operatorJwt, (text) => text),
    token(context, "system-credentials", sources.systemCredentials, tokenOfCredentials),
    ...sources.credentials.map((reference) => token(context, "credentials", reference, tokenOfCredentials)),
  ]);
  const now = context.clock.now();
  const found: Expiring[] = [];
  // The others are judged and dropped one by one, because there may be a hundred thousand.
  const shared: Scheduled[] = [];
  const accounts = known === undefined ? scheduledAccounts(context, sources.configured) : each(known);
  for await (const one of accounts) {
    if ("problem" in one) endings.push(unknownEnding(context, one));
    else {
      found.push(judge(accountEnding(context, one), one.policy, now));
      endings.push(...signedByRetiring(one, sources.retiring));
      if (isShared(one.claims.nats)) shared.push(one);
    }
  }
  endings.push(...(await activations(context, shared)), ...(await sources.certificates()).flatMap(certificateEnding));
  for (const ending of endings) found.push(judge(ending, sources.policy, now));
  return found.sort(byUrgency);
}

function* each({ accounts, unknown }: Schedule): Iterable<Scheduled | UnknownAccount> {
  yield* accounts;
  yield* unknown;
}

function unknownEnding({ operator }: Context, { account, name, problem }: UnknownAccount): Ending {
  const kind = account === undefined ? "account" : kindOf(operator, account);
  return { kind, what: name, unseen: problem, ...defined({ account }) };
}

const kindOf = ({ systemAccount }: Operator, account: AccountId): "account" | "system-account" =>
  account === systemAccount ? "system-account" : "account";

async function token(
  { secrets }: Context,
  kind: ExpiringKind,
  reference: string,
  read: (text: string) => string | undefined,
): Promise<Ending> {
  try {
    const text = await secrets.read(reference);
    return isWithoutEnd(text) ? { kind, what: reference } : endingOf(kind, reference, read(text));
  } catch (thrown) {
    return { kind, what: reference, unseen: asRelightError(thrown).message };
  }
}

/** A seed, a password or a token, as a context of the `nats` command may have: only a JWT expires. */
const isWithoutEnd = (text: string): boolean => /^\s*(\{|SU[A-Z2-7]{56}\s*$)/.test(text);

function accountEnding({ operator }: Context, { account, name, claims }: Scheduled): Ending {
  const { iat, exp } = claims;
  const kind = kindOf(operator, account);
  const span = { begins: toMillis(iat), ...(exp === undefined ? {} : { expiresAt: toMillis(exp) }) };
  return { kind, what: name, account, ...span };
}

function signedByRetiring({ account, name, claims }: Scheduled, retiring: readonly string[]): Ending[] {
  if (!retiring.includes(claims.iss)) return [];
  const fault = `its claims are signed by ${claims.iss}, which is being retired`;
  return [{ kind: "signing-key", what: name, account, fault }];
}

async function activations(context: Context, accounts: readonly Scheduled[]): Promise<readonly Ending[]> {
  const all = accounts.flatMap(({ account, name, claims }) =>
    activationsOf(claims).map((activation) => ({ account, name, activation })),
  );
  const exporters = new Set(all.map(({ activation: { exporter } }) => exporter));
  const known = new Map<string, AccountClaims>();
  for (const { account, claims } of accounts) if (exporters.has(account)) known.set(account, claims);
  return pMap(
    all,
    async ({ account, name, activation }) => {
      const exporter = activation.exporter as AccountId;
      const asked = known.has(exporter) ? undefined : await probe(() => claimsOf(context, exporter));
      if (asked?.ok === false) return unseenActivation(account, name, activation, asked.message);
      const claims = known.get(exporter) ?? asked?.value.document?.claims;
      return activationEnding(account, name, activation, claims);
    },
    { concurrency: 4 },
  );
}

function certificateEnding({ address, seen }: ServerCertificates): Ending[] {
  const base = { kind: "certificate", what: address } as const;
  if (!seen.ok) return [{ ...base, unseen: seen.message }];
  if (seen.value === undefined) return [];
  const { name, ...span } = seen.value;
  return [{ ...base, what: `${address} (${name})`, ...span }];
}

/** The failure class of each kind; jobs handle those of accounts. */
const CLASSES: Readonly<Partial<Record<ExpiringKind, FailureClass>>> = {
  operator: "operator_expiring",
  "system-credentials": "credentials_expiring",
  credentials: "credentials_expiring",
  activation: "activation_expiring",
  "signing-key": "signing_key_retiring",
  certificate: "certificate_expiring",
};

const ADVICE: Readonly<Partial<Record<FailureClass, readonly string[]>>> = {
  operator_expiring: [
    "Have the operator JWT issued again (nsc edit operator --expiry), give it to every server and to operator.jwt, and reload the servers one by one.",
  ],
  credentials_expiring: ["Create new credentials (nsc generate creds), and store them where the reference points."],
  activation_expiring: [
    "Have the exporting account issue a new token, put it into the import, and push the importing account's JWT: `relight push FILE --allow-changes`.",
  ],
  certificate_expiring: ["Renew the certificate on the named server, and reload it."],
  signing_key_retiring: ["Sign the accounts with the new key: `relight rotate-key --from OLD --to NEW` plans it."],
};

/** After a sweep: pages a person once about coming expiries, and resolves those that no longer apply. */
export async function watchExpiries(
  context: Context,
  sources: ExpirySources,
  id: string,
  known?: Schedule,
): Promise<void> {
  const job = { id, account: "-" } as const;
  const found = await findExpiries(context, sources, known);
  const near = found.filter(({ severity }) => severity === "warning" || severity === "critical");
  for (const failureClass of new Set(Object.values(CLASSES))) {
    const items = near.filter(({ kind }) => CLASSES[kind] === failureClass);
    if (items.length === 0) await resolveIncidents(context, job, (open) => open === failureClass);
    else await escalateOnce(context, job, troubleOf(failureClass, items));
  }
}

function troubleOf(failureClass: FailureClass, items: readonly Expiring[]): Trouble {
  const [first, ...others] = items;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const severity = items.some((item) => item.severity === "critical") ? "critical" : "warning";
  return {
    failureClass,
    severity,
    summary: `${first?.kind} ${first?.what}: ${first?.message}${more}`,
    advice: [...(ADVICE[failureClass] ?? []), "The command lists everything that expires, the most urgent first."],
    evidence: { items: items as unknown as JsonObject[] },
    about: items
      .map(({ what, expiresAt, severity: each }) => `${what} ${expiresAt ?? ""} ${each}`)
      .sort()
      .join("\n"),
  };
}
