/** Why a person is paged, the worst first: an account's page is about the first that applies. */
export const FAILURE_CLASSES = [
  "account_deleted",
  "account_expired",
  "jetstream_dead",
  "account_missing",
  /** Only limits: servers refuse messages or clients. */
  "limits_reached",
  /** Only unacknowledged losses. */
  "assets_lost",
  /** The journal has an entry that Relight would act on, but its proof is missing or wrong. */
  "journal_unproved",
  "renewal_failed",
  /** For a critical account, the servers, the resolver and the journal have different claims. */
  "readings_disagree",
  "push_refused",
  /** Not renewed by the policy's thresholds: critical here, a warning below. */
  "expiry_imminent",
  "unknown",
  /** Somebody pushed outdated claims over Relight's. */
  "claims_overwritten",
  "claims_differ",
  "degraded",
  "expiry_near",
  "cluster_unreachable",
  /** Expiries of other things than accounts, and signing keys to be removed. */
  "operator_expiring",
  "credentials_expiring",
  "certificate_expiring",
  "activation_expiring",
  "signing_key_retiring",
  /** A CloudWatch alarm of Relight's own stack; one incident per alarm. */
  "stack_alarm",
] as const;

export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** What pages say of a class. docs/runbook.md has a section for each; a test enforces it. */
export interface ClassText {
  /** What is wrong, to follow the account's name. */
  readonly title: string;
  /** What users notice, if nothing more exact is known. Sentences. */
  readonly impact: string;
  /** How it ended, to follow the account's name; "after 12 min" follows. */
  readonly end: string;
}

const REFUSED = "Servers refuse every client of the account: nobody can connect, publish or consume.";
const NOT_YET = "Nothing fails yet. Once the claims expire, servers refuse every client of the account.";

export const CLASS_TEXTS: Readonly<Record<FailureClass, ClassText>> = {
  account_deleted: { title: "the account was deleted", impact: REFUSED, end: "the account is back" },
  account_expired: { title: "the account has expired", impact: REFUSED, end: "the account is valid and works again" },
  jetstream_dead: {
    title: "JetStream is dead",
    impact: "Publishers get 503 no responders, and consumers get nothing.",
    end: "JetStream works again",
  },
  account_missing: { title: "the account is missing", impact: REFUSED, end: "the account is there and works again" },
  limits_reached: {
    title: "a limit is reached",
    impact: "Servers refuse messages or new clients.",
    end: "servers accept everything again",
  },
  assets_lost: {
    title: "streams, consumers or messages were lost",
    impact: "What was lost is missing for its users.",
    end: "every loss is restored or acknowledged",
  },
  journal_unproved: {
    title: "the journal has an entry without a valid proof",
    impact: "Nothing fails by itself. Relight does not act on the entry, so a remedy may be unfinished.",
    end: "the journal has no such entry any more",
  },
  renewal_failed: { title: "the renewal failed", impact: NOT_YET, end: "the account is renewed" },
  readings_disagree: {
    title: "not renewed, because its claims are not the same everywhere",
    impact: NOT_YET,
    end: "its claims are the same everywhere again",
  },
  push_refused: {
    title: "new claims were refused",
    impact: "The new claims are not in force. The account goes on with those that it has.",
    end: "the account works without the refused claims",
  },
  expiry_imminent: {
    title: "the account is about to expire and was not renewed",
    impact: NOT_YET,
    end: "the account is renewed",
  },
  unknown: {
    title: "its health is unknown",
    impact: "Not known: the account could not be checked.",
    end: "the account works, and can be checked again",
  },
  claims_overwritten: {
    title: "outdated claims were pushed over Relight's",
    impact: "Nothing fails by itself. The account expires earlier than it should, or a change of its limits is undone.",
    end: "the outdated claims are no longer in force",
  },
  claims_differ: {
    title: "the claims in force differ from the source of truth",
    impact: "Nothing fails by itself. The account does not run the claims that it should.",
    end: "the claims are the same again",
  },
  degraded: {
    title: "something works, but not as it should",
    impact: "Nothing fails yet. One more fault may stop it.",
    end: "everything works as it should again",
  },
  expiry_near: {
    title: "the account expires soon and was not renewed",
    impact: NOT_YET,
    end: "the account is renewed",
  },
  cluster_unreachable: {
    title: "Relight can't check it",
    impact: "Not known. Relight renews and heals nothing until it can reach the cluster.",
    end: "sweeps work again",
  },
  operator_expiring: {
    title: "the operator JWT expires soon or has expired",
    impact: "Servers that start with an expired operator JWT accept no account.",
    end: "the operator JWT is valid for long again",
  },
  credentials_expiring: {
    title: "credentials expire soon or have expired",
    impact: "Whoever uses them can't connect once they expire. With Relight's own, nothing is renewed or healed.",
    end: "the credentials are valid for long again",
  },
  certificate_expiring: {
    title: "a certificate expires soon or has expired",
    impact: "Once it expires, clients that check it refuse to connect.",
    end: "the certificates are valid for long again",
  },
  activation_expiring: {
    title: "an import's activation token expires soon or has expired",
    impact: "Once it expires, the importing account receives nothing through that import.",
    end: "the activation tokens are valid for long again",
  },
  signing_key_retiring: {
    title: "a retiring signing key is still in use",
    impact: "Nothing fails yet. Once the key is removed from the operator, servers refuse the accounts that it signed.",
    end: "no account is signed by a retiring key any more",
  },
  stack_alarm: {
    title: "an alarm of Relight's own stack",
    impact: "Nothing fails by itself. Relight may check, renew or heal accounts late or not at all.",
    end: "the alarm is over",
  },
};

/** Classes in which users notice something. A page says since when they do. */
export const DOWN: readonly FailureClass[] = [
  ...(["account_deleted", "account_expired", "jetstream_dead"] as const),
  ...(["account_missing", "limits_reached", "assets_lost"] as const),
];

/** Events of a newer version may have other classes. */
export const textOf = (failureClass: string): ClassText =>
  CLASS_TEXTS[failureClass as FailureClass] ?? { title: failureClass, impact: "Not known.", end: "it is over" };
