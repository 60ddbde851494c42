import type { AccountId } from "../../lib/domain/claims/account.ts";
import { parseAccountClaims } from "../../lib/domain/claims/claims.ts";
import type { Operator } from "../../lib/domain/claims/operator.ts";
import type { ExpiryPolicy } from "../../lib/domain/expiry/expiry-policy.ts";
import { type MatchedRules, policiesOf } from "../../lib/domain/expiry/policy-match.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import { type EpochMillis, type Millis, millis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Job, Jobs } from "../../lib/ports/jobs.ts";
import type { Journal } from "../../lib/ports/journal.ts";
import type { DecodedJwt, JwtCodec } from "../../lib/ports/keys.ts";
import type { Leases } from "../../lib/ports/leases.ts";
import type { Context } from "../../lib/usecases/context/context.ts";
import { TIMING } from "../../lib/usecases/context/timing.ts";
import { acceptDelivery, type Delivery } from "../../lib/usecases/orders/accept-delivery.ts";
import { remediate } from "../../lib/usecases/remediate/remediate.ts";
import { sweep } from "../../lib/usecases/sweep/sweep.ts";
import { fakeClock } from "./fakes/clock.ts";
import { jobDependencies } from "./job-dependencies.ts";
import { simulatedCluster } from "./simulated-cluster.ts";
import { simulatedJournal } from "./simulated-journal.ts";

/** Relight's real use cases on ports held in memory, driven by a clock and by chance that are given. */

export type Chance = () => number;

/** mulberry32: chance that is the same for the same seed. */
export function chance(seed: number): Chance {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A public key's shape, from chance. */
export const keyOf = (kind: "A" | "O", random: Chance): string =>
  kind +
  Array.from({ length: 55 }, () => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Math.floor(random() * 32)]).join("");

/** Tokens that only stand for JWTs: real signatures would take longer than two years. */
const codec: JwtCodec & { readonly known: Map<string, DecodedJwt> } = {
  known: new Map(),
  decode(token) {
    const known = this.known.get(token);
    if (known !== undefined) return known;
    const parsed = parseAccountClaims(token.slice("signed ".length));
    if (!parsed.ok) throw new RelightError("jwt.malformed", parsed.problem);
    const jwt = { token, document: parsed.document, signatureValid: token.startsWith("signed ") };
    this.known.set(token, jwt);
    return jwt;
  },
  publicKeyOf: (seed) => seed,
  attests: (_key, statement, signature) => signature === `signed ${statement}`,
};

export interface SimulatedAccount {
  readonly account: AccountId;
  readonly name: string;
  readonly iat: number;
  readonly exp?: number;
}

export interface WorldSettings {
  readonly seed: number;
  readonly start: EpochMillis;
  readonly accounts: readonly SimulatedAccount[];
  readonly policy: ExpiryPolicy;
  readonly policies: readonly MatchedRules[];
  readonly operator: Operator;
  /** A journal that forgets what only people read, by default: two years are long. */
  readonly journalOn?: (clock: Clock) => Journal & Leases;
  readonly tags?: (account: SimulatedAccount) => readonly string[];
  /** How long a healthy account is left alone; five minutes unless given. */
  readonly verifyEvery?: Millis;
}

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const absent = (): never => {
  throw new Error("nothing in the simulation asks for this");
};

export function simulatedWorld(settings: WorldSettings) {
  const { seed, start, accounts, policy, policies, operator, journalOn = simulatedJournal } = settings;
  const { verifyEvery = millis(300_000) } = settings;
  const random = chance(seed);
  const clock = fakeClock(start);
  const servers = ["n1", "n2", "n3"].map((name) => ({ name, skew: millis(0) }));
  const cluster = simulatedCluster(clock, codec, servers);
  const journal = journalOn(clock);
  const incidents: Incident[] = [];
  const signer = { publicKey: operator.id, down: false };
  let ids = 0;
  const newId = (): string => `${ids++}-${Math.floor(random() * 2 ** 32).toString(16)}`;
  const queue: Job[] = [];
  const jobs: Jobs = {
    enqueue: async (job) => void queue.push(job),
    enqueueAll: async (all) => void queue.push(...all),
    waiting: async () => queue.length,
    drain: async () => undefined,
  };
  const policyOf = policiesOf({ policy, policies, accounts: [] }, operator);
  const sign = async (text: string): Promise<string> => {
    if (signer.down) throw new RelightError("secret.unavailable", "the key service does not answer");
    return `signed ${text}`;
  };
  const health = async () => ({ expected: servers.length, servers: [] });
  const context: Context = {
    mode: { mode: "heal", because: "a test says so", dryRun: false },
    clock,
    timing: TIMING,
    newId,
    log: silent,
    journal,
    leases: journal,
    codec,
    operator,
    policyOf,
    secrets: { read: absent },
    policy: { allowMemoryLoss: false },
    settingsOf: () => undefined,
    unknownAfter: millis(5 * 60_000),
    escalation: { send: async (incident) => void incidents.push(incident) },
    signer: async () => ({ publicKey: operator.id, sign: ({ text }) => sign(text), attest: sign }),
    resolver: cluster.resolver,
    reopen: absent,
    probes: {
      ...cluster,
      meta: absent,
      hosted: absent,
      health,
      trust: absent,
      capacity: absent,
      deletions: absent,
    },
    assets: { recreate: absent, stepDown: absent, configure: absent, forbidden: async () => [] },
  };
  const configured = accounts.map(({ account }) => account);

  const claimsText = ({ account, name, iat, exp }: SimulatedAccount, jti: string): string =>
    JSON.stringify({
      jti,
      iat,
      ...(exp === undefined ? {} : { exp }),
      iss: operator.id,
      sub: account,
      name,
      nats: { limits: { conn: -1, subs: -1 }, type: "account", version: 2 },
    });
  for (const account of accounts) cluster.force(`signed ${claimsText(account, newId())}`);

  return {
    cluster,
    signer,
    servers,
    incidents,
    queue,
    policyOf,
    newId,
    context,
    now: clock.now,
    advance: clock.advance,
    /** One sweep, which fills the queue. */
    sweep: () =>
      sweep(
        {
          ...context,
          metrics: { emit: () => undefined },
          jobs,
          configured,
          settings: { verifyEvery, atMostWaiting: 10_000 },
        },
        { trigger: "schedule", reason: "the simulation", which: "due" },
      ),
    /** Does a job as the queue's worker does: what fails comes again with a later sweep. */
    work: (job: Job) =>
      remediate(jobDependencies(context), job).then(
        ({ outcome, verdict }) => (verdict.verdict === "degraded" ? "degraded" : outcome),
        (error: RelightError) => error.code,
      ),
    /** What the issuer's webhook brings. */
    deliver: (delivery: Delivery) =>
      acceptDelivery({ ...context, jobs, operator: async () => operator }, delivery),
    /** A JWT that the issuer makes of the account's claims. */
    issue: (account: SimulatedAccount) => `signed ${claimsText(account, newId())}`,
  };
}
