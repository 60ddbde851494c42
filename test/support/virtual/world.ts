import { jwtCodec, jwtSigner } from "../../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId, AccountSettings } from "../../../lib/domain/claims/account.ts";
import type { Operator } from "../../../lib/domain/claims/operator.ts";
import type { ExpiryPolicy } from "../../../lib/domain/expiry/expiry-policy.ts";
import { type MatchedRules, policiesOf } from "../../../lib/domain/expiry/policy-match.ts";
import { namesToType } from "../../../lib/domain/incidents/page-command.ts";
import type { RunMode } from "../../../lib/domain/ladder/mode.ts";
import { defined } from "../../../lib/domain/time/defined.ts";
import { type EpochMillis, epochMillis, type Millis, millis, toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job, NewJob } from "../../../lib/ports/jobs.ts";
import type { JwtCodec } from "../../../lib/ports/keys.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { guarded } from "../../../lib/usecases/context/mode.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { ASSETS_NEED, PROBES_NEED, RESOLVER_NEEDS, RESTARTER_NEEDS } from "../../../lib/usecases/context/writes.ts";
import { acceptDelivery, type Delivery } from "../../../lib/usecases/orders/accept-delivery.ts";
import { remediate } from "../../../lib/usecases/remediate/remediate.ts";
import type { Remediation } from "../../../lib/usecases/remediate/remediation.ts";
import { sweep } from "../../../lib/usecases/sweep/sweep.ts";
import { newPolicy } from "../../domain/policies.ts";
import { fakeClock } from "../fakes/clock.ts";
import { fakeEscalation } from "../fakes/escalation.ts";
import { type FakeJournalOptions, fakeJournal } from "../fakes/journal.ts";
import { fakeLog } from "../fakes/log.ts";
import { jobDependencies } from "../job-dependencies.ts";
import {
  type ClaimsChanges,
  claimsText,
  JETSTREAM,
  signText,
  UNLIMITED,
  type VirtualAccount,
  virtualAccount,
} from "./claims.ts";
import { virtualCluster } from "./cluster.ts";
import { keyOfSeed, type VirtualKey, virtualKey } from "./keys.ts";
import type { ServerSpec } from "./machines.ts";

/** Relight's real use cases on a virtual cluster, in virtual time. */

const DAY = 86_400;
export const START: EpochMillis = epochMillis(Date.UTC(2030, 0, 1));

const OPERATOR = virtualKey("operator", "OP");
const SIGNING_KEY = virtualKey("operator", "OP signing key");
const SYSTEM = virtualAccount("SYS");

export interface WorldSettings {
  /** How many servers, of one version, or each of them. */
  readonly servers?: number | readonly ServerSpec[];
  readonly version?: string;
  readonly isClustered?: boolean;
  /** `APP` by default, which expires in ninety days. */
  readonly accounts?: readonly (VirtualAccount & Partial<ClaimsChanges>)[];
  readonly policy?: Partial<ExpiryPolicy>;
  readonly policies?: readonly MatchedRules[];
  readonly mode?: RunMode["mode"];
  readonly allowMemoryLoss?: boolean;
  /** Whether there is a restarter. */
  readonly canRestart?: boolean;
  /** The operator's key that Relight signs with; `none`: there is none. */
  readonly signWith?: VirtualKey | "none";
  readonly strict?: boolean;
  /** Whether the resolver lists it, too. */
  readonly hasSystemAccount?: boolean;
  /** Whether the accounts' keys are configured. */
  readonly hasAccountKeys?: boolean;
  /** The accounts in the configuration; all by default. */
  readonly configured?: readonly AccountId[];
  readonly journal?: FakeJournalOptions;
  readonly start?: EpochMillis;
  /** How long sweeps leave a healthy account alone. */
  readonly verifyEvery?: Millis;
}

export const APP = virtualAccount("APP");
export const KEYS = { operator: OPERATOR, signing: SIGNING_KEY, system: SYSTEM } as const;

const WHY_MODE: Readonly<Record<RunMode["mode"], string>> = {
  look: "the configuration says readOnly: true",
  renew: "the configuration says mode: renew",
  heal: "operator.signingKey is configured",
  "heal-with-loss": "operator.signingKey is configured",
};

export function virtualWorld(settings: WorldSettings = {}) {
  const { servers = 1, version = "2.15.1", start = START, strict = false, mode = "heal" } = settings;
  const {
    accounts = [APP],
    policies = [],
    canRestart = false,
    hasAccountKeys = true,
    hasSystemAccount = true,
  } = settings;
  const { allowMemoryLoss = false, signWith = OPERATOR, verifyEvery = millis(300_000) } = settings;
  const clock = fakeClock(start);
  const operator: Operator = {
    id: OPERATOR.id,
    name: "OP",
    signingKeys: [SIGNING_KEY.id],
    strictSigningKeyUsage: strict,
    ...(hasSystemAccount ? { systemAccount: SYSTEM.id } : {}),
  };
  const specs: readonly ServerSpec[] =
    typeof servers === "number"
      ? Array.from({ length: servers }, (_, index) => ({ name: `n${index + 1}`, version }))
      : servers.map((spec) => ({ version, ...spec }));
  const { isClustered } = settings;
  const cluster = virtualCluster({
    clock,
    operator,
    servers: specs,
    ...defined({ isClustered }),
  });
  const { machines } = cluster;
  const journal = fakeJournal(clock, settings.journal);
  const escalation = fakeEscalation();
  const log = fakeLog();
  const queue: Job[] = [];
  const state = { signerIsDown: false };
  let ids = 0;
  const newId = (): string => `id-${String(ids++).padStart(4, "0")}`;

  const ownKey = strict ? SIGNING_KEY : OPERATOR;
  /** A JWT of the account's claims, signed by the operator. */
  function issue(account: VirtualAccount, changes: Partial<ClaimsChanges> = {}, key = ownKey): string {
    const iat = toSeconds(clock.now());
    return signText(claimsText(account, { jti: newId(), iat, exp: iat + 90 * DAY, iss: key.id, ...changes }), key);
  }
  if (hasSystemAccount) machines.force(issue(SYSTEM, { exp: undefined, limits: UNLIMITED }));
  for (const { id, name, key, ...changes } of accounts)
    machines.force(issue({ id, name, key }, { iat: toSeconds(start) - DAY, ...changes }));
  machines.timing.jetstream = 0;
  machines.timeline.settle();
  machines.timing.jetstream = 800;

  const settingsById = new Map<AccountId, AccountSettings>(
    accounts.map(({ id, name }) => [id, { id, name, ...(hasAccountKeys ? { signingKey: `file:${id}` } : {}) }]),
  );
  const keysById = new Map(accounts.map(({ id, key }) => [`file:${id}`, key.seed]));
  const runMode: RunMode = { mode, because: WHY_MODE[mode], dryRun: false };
  const signer =
    signWith === "none"
      ? undefined
      : async () => {
          if (state.signerIsDown) throw new RelightError("secret.unavailable", "the key service does not answer");
          return jwtSigner(signWith.id, operator, async (bytes) => {
            if (state.signerIsDown) throw new RelightError("secret.unavailable", "the key service does not answer");
            return signWith.sign(bytes);
          });
        };
  const policyOf = policiesOf(
    { policy: newPolicy(settings.policy), policies, accounts: [...settingsById.values()] },
    operator,
  );

  /** Caches verification results, because Ed25519 takes most of a test's time. */
  const attested = new Map<string, boolean>();
  const codec: JwtCodec = {
    ...jwtCodec,
    publicKeyOf: keyOfSeed,
    attests: (key, statement, signature) => {
      const all = `${key} ${signature} ${statement}`;
      const known = attested.get(all) ?? jwtCodec.attests(key, statement, signature);
      attested.set(all, known);
      return known;
    },
  };

  /** The context of one run, with its own connection. */
  function newContext(changes: Partial<Context> = {}): Context {
    const { resolver, probes, assets, reopen } = cluster.open();
    const { mode = runMode } = changes;
    return {
      mode,
      clock,
      timing: TIMING,
      newId,
      log,
      journal,
      leases: journal,
      codec,
      operator,
      policyOf,
      secrets: {
        read: async (reference) => {
          const seed = keysById.get(reference);
          if (seed !== undefined) return seed;
          throw new RelightError("secret.not_found", `${reference} is not there`);
        },
      },
      policy: { allowMemoryLoss },
      settingsOf: (account) => settingsById.get(account),
      installation: { typedName: namesToType(settingsById.values()) },
      unknownAfter: millis(5 * 60_000),
      escalation,
      ...defined({ signer }),
      resolver: guarded(mode, resolver, RESOLVER_NEEDS),
      probes: guarded(mode, probes, PROBES_NEED),
      assets: guarded(mode, assets, ASSETS_NEED),
      reopen,
      ...(canRestart ? { restarter: guarded(mode, cluster.restarter, RESTARTER_NEEDS) } : {}),
      ...changes,
    };
  }
  const context = newContext();
  const advance = (by: number): void => {
    clock.advance(millis(by));
    machines.timeline.settle();
  };
  const orderOf = (action: Job["action"], more: Partial<Job> = {}): NewJob => ({
    account: accounts[0]?.id ?? APP.id,
    action,
    trigger: "schedule",
    reason: "a test",
    ...more,
  });
  /** The dependencies of one job, with its own connection. */
  const deps = (changes: Partial<Context> = {}) => jobDependencies(newContext(changes));

  return {
    clock,
    machines,
    /** Faults to set. */
    faults: machines.faults,
    operator,
    journal,
    escalation,
    /** The pages, in order. */
    incidents: escalation.sent,
    log,
    queue,
    context,
    newContext,
    deps,
    newId,
    policyOf,
    /** Whether the operator's key is unavailable. */
    state,
    issue,
    settingsById,
    now: clock.now,
    advance,
    orderOf,
    /** One job, each on its own connection. */
    run: (action: Job["action"] = "remediate", more: Partial<Job> = {}, changes: Partial<Context> = {}) =>
      remediate(deps(changes), orderOf(action, more)),
    /** Does a job as the queue's worker does: a failed one comes again with a later sweep. */
    work: (job: Job): Promise<string> =>
      remediate(deps(), job).then(
        ({ outcome, verdict }: Remediation) => (verdict.health === "degraded" ? "degraded" : outcome),
        (error: RelightError) => error.code,
      ),
    /** One sweep, which fills the queue. */
    sweep: () => {
      const jobs = {
        enqueue: async (job: Job) => void queue.push(job),
        enqueueAll: async (all: readonly Job[]) => void queue.push(...all),
        waiting: async () => queue.length,
        drain: async () => undefined,
      };
      const { configured = accounts.map(({ id }) => id) } = settings;
      const sweeping = {
        ...deps(),
        jobs,
        configured,
        settings: { verifyEvery, atMostWaiting: 10_000 },
      };
      return sweep(sweeping, { trigger: "schedule", reason: "a test", which: "due" });
    },
    /** A delivery of the issuer's webhook. */
    deliver: (delivery: Delivery) => {
      const jobs = { enqueue: async (job: Job) => void queue.push(job) };
      return acceptDelivery({ ...context, jobs, operator: async () => operator }, delivery);
    },
  };
}

export type VirtualWorld = ReturnType<typeof virtualWorld>;

/** Claims without JetStream. */
export const NO_JETSTREAM = UNLIMITED;
export const WITH_JETSTREAM = { ...UNLIMITED, ...JETSTREAM };
