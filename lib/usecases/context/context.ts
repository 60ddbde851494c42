import type { AccountId, AccountSettings } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import type { OnDifference } from "../../domain/claims/claims-source.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import type { ExpiryPolicy } from "../../domain/expiry/expiry-policy.ts";
import type { SystemUser } from "../../domain/gate/lockout.ts";
import type { EntryKind } from "../../domain/journal/journal.ts";
import { type RunMode, withLoss } from "../../domain/ladder/mode.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import type { Millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Cluster } from "../../ports/cluster.ts";
import type { Escalation } from "../../ports/escalation.ts";
import type { Journal } from "../../ports/journal.ts";
import type { JwtCodec, Signer } from "../../ports/keys.ts";
import type { Leases } from "../../ports/leases.ts";
import type { Log } from "../../ports/log.ts";
import type { Tracer } from "../../ports/observers.ts";
import type { Restarter } from "../../ports/remedies.ts";
import type { Secrets } from "../../ports/secrets.ts";
import type { ClaimsSource } from "../../ports/source.ts";
import { withProof } from "../journal/proof.ts";
import { requireMode } from "./mode.ts";
import type { Timing } from "./timing.ts";

/** All that the use cases need from the world: one value per run, made by `compose`. */
export interface Context extends Pick<Cluster, "resolver" | "probes" | "assets" | "reopen"> {
  /** What may be changed; the ports obey it, too. */
  readonly mode: RunMode;
  readonly clock: Clock;
  readonly timing: Timing;
  /** A random id, unique among JWTs and jobs. */
  readonly newId: () => string;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly journal: Journal;
  readonly leases: Leases;
  readonly escalation: Escalation;
  readonly codec: JwtCodec;
  readonly operator: Operator;
  /**
   * Absent where no key to sign with is configured: then nothing can be renewed or pushed anew. The key is read
   * when this is first called. @throws RelightError `secret.*`, `signer.*`
   */
  readonly signer?: () => Promise<Signer>;
  /** The user of the system account that Relight is connected as; undefined where its JWT can't be read. */
  readonly systemUser?: () => Promise<SystemUser | undefined>;
  /** Absent where no source of truth is configured. */
  readonly source?: { readonly claims: ClaimsSource; readonly onDifference: OnDifference };
  /** Absent where no way to restart servers is configured: then none is restarted. */
  readonly restarter?: Restarter;
  /** Why there is none, although a way is configured. */
  readonly whyNoRestart?: string;
  readonly policy: { readonly allowMemoryLoss: boolean };
  /** How long nobody is called about what is only unknown; at once by default. */
  readonly unknownAfter?: Millis;
  /** The expiry policy of one account; its claims say which rules fit it. */
  readonly policyOf: (account: AccountId, claims: AccountClaims | undefined) => ExpiryPolicy;
  /** What is configured about an account; undefined for one that only the resolver knows. */
  readonly settingsOf: (account: AccountId) => AccountSettings | undefined;
  /** Of what triggered the job under way: in each of its log lines and pages. */
  readonly correlation?: string;
  /** Absent where nobody looks at traces. */
  readonly tracer?: Tracer;
  /** How long to wait for an account on which another job works; not at all by default. */
  readonly waitsWhileBusy?: Millis;
  /** Aborted when a person wants to stop; looked at between two steps, never within one. */
  readonly signal?: AbortSignal;
}

/** What may be changed for one account. */
export const modeFor = (context: Context, account: AccountId): RunMode =>
  withLoss(context.mode, mayLose(context, account));

/** Whether the policy allows remedies that lose what the account holds in memory, where remedies are allowed at all. */
export function mayLose(
  { settingsOf, policy }: Pick<Context, "settingsOf" | "policy">,
  account: AccountId,
): boolean {
  return settingsOf(account)?.allowMemoryLoss ?? policy.allowMemoryLoss;
}

/** What people call the account: as it is configured, else as its claims have it; its id where it has no name. */
export function nameOf(
  { settingsOf }: Pick<Context, "settingsOf">,
  account: AccountId,
  claims?: Pick<AccountClaims, "name">,
): string {
  return settingsOf(account)?.name ?? (claims?.name || account);
}

/** A job under way: its id ties its journal entries together, and holds the account's lease. */
export interface RunningJob {
  readonly id: string;
  readonly account: AccountId;
  /** Aborted when the job's lease was lost, so that another may be at work. */
  readonly lost: AbortSignal;
  /** The newest job on the account before this one, if it did not end. */
  readonly resumes?: string;
  /** A person at the command ordered the account's return, although somebody deleted it. */
  readonly undelete?: true;
}

/** The account's key, if one is configured. @throws RelightError `secret.*` */
export async function accountKeyOf(context: Context, account: AccountId): Promise<string | undefined> {
  const reference = context.settingsOf(account)?.signingKey;
  return reference === undefined ? undefined : context.secrets.read(reference);
}

/**
 * Appends an entry, with a proof where a later run would act on it and there is a key to sign with.
 * @throws RelightError `journal.*`, and for what must be proved to be closed again `secret.*`, `signer.*`.
 */
export async function record(
  context: Pick<Context, "journal" | "clock"> & Partial<Pick<Context, "signer" | "log" | "mode">>,
  job: { readonly id: string; readonly account: AccountId | "-" },
  kind: EntryKind,
  data: JsonObject,
): Promise<void> {
  const entry = { at: context.clock.now(), job: job.id, account: job.account, kind, data };
  await context.journal.append(await withProof(context, entry));
}

/** @throws RelightError `signer.missing` */
export async function requireAccountKey(
  context: Context,
  { account }: Pick<RunningJob, "account">,
): Promise<string> {
  const key = await accountKeyOf(context, account);
  if (key !== undefined) return key;
  throw new RelightError("signer.missing", `the signingKey of account ${account} is not configured`);
}

/**
 * Before the first step that it is needed for: a key that can't be used stops nothing midway. Where nothing may be
 * signed the key is not even read. @throws RelightError `secret.*`, `signer.*`, `mode.forbids`
 */
export async function requireSigner({ signer, mode }: Context): Promise<Signer> {
  if (signer === undefined) throw new RelightError("signer.missing", "there is no key to sign with");
  requireMode(mode, "renew", "signing");
  return signer();
}

/** Asked between two steps. @throws RelightError `interrupted` if a person asked to stop, or the lease was lost. */
export function assertNotInterrupted({ signal }: Context, { lost }: RunningJob): void {
  if (lost.aborted)
    throw new RelightError("interrupted", "stopped between two steps: the account's lease was lost");
  if (signal?.aborted) throw new RelightError("interrupted", "stopped between two steps, as asked");
}
