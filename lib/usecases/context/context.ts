import type { AccountId, AccountSettings } from "../../domain/claims/account.ts";
import type { AccountClaims } from "../../domain/claims/claims.ts";
import type { OnDifference } from "../../domain/claims/claims-source.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import type { AccountHealth } from "../../domain/doctor/layers-facts.ts";
import type { ExpiryPolicy } from "../../domain/expiry/expiry-policy.ts";
import type { SystemUser } from "../../domain/gate/lockout.ts";
import type { Installation } from "../../domain/incidents/page-command.ts";
import type { PageDraft } from "../../domain/incidents/trouble.ts";
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
import type { Turns } from "./turns.ts";

/** Everything that use cases need from outside; `compose` creates one per run. */
export interface Context extends Pick<Cluster, "resolver" | "probes" | "assets" | "reopen"> {
  /** What may be changed. The ports enforce it too. */
  readonly mode: RunMode;
  readonly clock: Clock;
  readonly timing: Timing;
  /** Creates a random id for a JWT or job. */
  readonly newId: () => string;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly journal: Journal;
  readonly leases: Leases;
  readonly escalation: Escalation;
  readonly codec: JwtCodec;
  readonly operator: Operator;
  /**
   * Absent if no signing key is configured: then nothing can be renewed or signed. Reads the key at the first call.
   * @throws RelightError `secret.*`, `signer.*`
   */
  readonly signer?: () => Promise<Signer>;
  /** The system account's user that Relight is connected as; undefined if its JWT can't be read. */
  readonly systemUser?: () => Promise<SystemUser | undefined>;
  /** Absent if no source of truth is configured. */
  readonly source?: { readonly claims: ClaimsSource; readonly onDifference: OnDifference };
  /** Absent if no restart method is configured: then no server is restarted. */
  readonly restarter?: Restarter;
  /** Why there is no restarter although a method is configured. */
  readonly whyNoRestart?: string;
  readonly policy: { readonly allowMemoryLoss: boolean };
  /** How long to wait before paging for `unknown`; by default not at all. */
  readonly unknownAfter?: Millis;
  /** The expiry policy of one account; its claims decide which rules match. */
  readonly policyOf: (account: AccountId, claims: AccountClaims | undefined) => ExpiryPolicy;
  /** The account's configuration; undefined for an account that is not configured. */
  readonly settingsOf: (account: AccountId) => AccountSettings | undefined;
  /** What pages need to know of this installation; by default they name accounts by their ids. */
  readonly installation?: Installation;
  /** Collects what the current job pages about; absent outside of jobs. */
  readonly draft?: PageDraft;
  /** The id of the current job's trigger, for its log lines and pages. */
  readonly correlation?: string;
  /** Absent without tracing. */
  readonly tracer?: Tracer;
  /** Called with each check of an account, for whoever shows more of it than its verdict. */
  readonly onLook?: (look: Pick<AccountHealth, "observation" | "verdict" | "claims">) => unknown;
  /** How long to wait for an account that another job works on; by default not at all. */
  readonly waitsWhileBusy?: Millis;
  /** Shared by the jobs of this process: how many accounts may be remedied at once; any number by default. */
  readonly remedyTurns?: Turns;
  /** Aborted when a person wants to stop. Checked between steps, never within one. */
  readonly signal?: AbortSignal;
}

/** What may be changed for one account. */
export const modeFor = (context: Context, account: AccountId): RunMode =>
  withLoss(context.mode, mayLose(context, account));

/** Whether the policy allows remedies that lose the account's data in memory. */
export function mayLose({ settingsOf, policy }: Pick<Context, "settingsOf" | "policy">, account: AccountId): boolean {
  return settingsOf(account)?.allowMemoryLoss ?? policy.allowMemoryLoss;
}

/** The account's name from the configuration or its claims, or its id if it has none. */
export function nameOf(
  { settingsOf }: Pick<Context, "settingsOf">,
  account: AccountId,
  claims?: Pick<AccountClaims, "name">,
): string {
  return settingsOf(account)?.name ?? (claims?.name || account);
}

/** A running job. Its id is in all its journal entries and holds the account's lease. */
export interface RunningJob {
  readonly id: string;
  readonly account: AccountId;
  /** Aborted when the job lost its lease, because another job may be running. */
  readonly lost: AbortSignal;
  /** The previous job on the account, if it did not end. */
  readonly resumes?: string;
  /** A person wants the account back although somebody deleted it. */
  readonly undelete?: true;
}

/** The account's key, if one is configured. @throws RelightError `secret.*` */
export async function accountKeyOf(context: Context, account: AccountId): Promise<string | undefined> {
  const reference = context.settingsOf(account)?.signingKey;
  return reference === undefined ? undefined : context.secrets.read(reference);
}

/**
 * Appends an entry, with a proof if a later run would act on it and there is a signing key.
 * @throws RelightError `journal.*`, and for entries that must be proved `secret.*`, `signer.*`.
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
export async function requireAccountKey(context: Context, { account }: Pick<RunningJob, "account">): Promise<string> {
  const key = await accountKeyOf(context, account);
  if (key !== undefined) return key;
  throw new RelightError("signer.missing", `the signingKey of account ${account} is not configured`);
}

/**
 * Called before the first step that needs the key, because an unusable key must not stop a job midway. If nothing may be
 * signed, the key is not read. @throws RelightError `secret.*`, `signer.*`, `mode.forbids`
 */
export async function requireSigner({ signer, mode }: Context): Promise<Signer> {
  if (signer === undefined) throw new RelightError("signer.missing", "there is no key to sign with");
  requireMode(mode, "renew", "signing");
  return signer();
}

/** Called between steps. @throws RelightError `interrupted` if a person asked to stop or the lease was lost. */
export function assertNotInterrupted({ signal }: Context, { lost }: RunningJob): void {
  if (lost.aborted) throw new RelightError("interrupted", "stopped between two steps: the account's lease was lost");
  if (signal?.aborted) throw new RelightError("interrupted", "stopped between two steps, as requested");
}
