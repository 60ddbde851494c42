import type { AccountId } from "../../domain/claims/account.ts";
import type { Operator } from "../../domain/claims/operator.ts";
import { gate } from "../../domain/gate/gate.ts";
import { millis, toSeconds } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Jobs } from "../../ports/jobs.ts";
import type { JwtCodec } from "../../ports/keys.ts";
import type { Leases } from "../../ports/leases.ts";
import type { Log } from "../../ports/log.ts";
import { waitingKey } from "../job/waiting.ts";

/** The issuer's notice that an account changed, possibly with its new JWT. */
export interface Delivery {
  /** The webhook's id; the same for every repetition. */
  readonly id: string;
  /** A hash of its body: a repetition has the same one. */
  readonly digest: string;
  readonly account: AccountId;
  readonly token?: string;
  readonly reason: string;
}

export interface Acceptance {
  /** `coalesced`: a queued job that has not begun will do the same. */
  readonly outcome: "queued" | "repeated" | "coalesced";
  readonly account: AccountId;
}

interface DeliveryDependencies {
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly leases: Leases;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly codec: JwtCodec;
  /** The operator; read only if there is a JWT. */
  readonly operator: () => Promise<Operator>;
}

/** Longer than senders retry (Standard Webhooks: about three days). */
const REMEMBERED = millis(4 * 24 * 60 * 60_000);

/** Longer than the function may run, but shorter than the time until the sender's third try (five minutes). */
const ACCEPTING = millis(2 * 60_000);

/** Longer than a job waits in a queue that works; one that was lost must not swallow notices for ever. */
const WAITS = millis(15 * 60_000);

/**
 * Accepts a verified delivery of the issuer: queues it once, however often it is repeated. Checks a JWT as far as possible
 * without the cluster, to report problems to the issuer at once; the job checks it again against the claims in force. Only
 * queued deliveries are remembered: if a run is killed before, it leaves a lease of two minutes, and a repetition is
 * accepted afterwards.
 * Deliveries that ask for the same while a job waits are coalesced.
 * @throws RelightError `jwt.malformed`, `gate.refused`, `webhook.busy`, `webhook.conflict`, `queue.unavailable`, `journal.unavailable`.
 */
export async function acceptDelivery(deps: DeliveryDependencies, delivery: Delivery): Promise<Acceptance> {
  const { newId, leases } = deps;
  const { id, account, token } = delivery;
  if (token !== undefined) await passFirstGate(deps, account, token);
  // Each attempt is a different holder, so a repetition finds the id taken.
  const holder = newId();
  const accepting = `accepting/${id}`;
  if (!(await leases.acquire(accepting, holder, ACCEPTING)))
    throw new RelightError("webhook.busy", `another run is handling delivery ${id}`);
  try {
    return await acceptOnce(deps, delivery, holder);
  } finally {
    await orWarn(deps, id, leases.release(accepting, holder));
  }
}

async function acceptOnce(
  deps: DeliveryDependencies,
  { id, digest, account, token, reason }: Delivery,
  holder: string,
): Promise<Acceptance> {
  const { leases, jobs, log } = deps;
  const memory = `webhook/${id}`;
  // For zero time, only to check whether it is remembered.
  if (!(await leases.acquire(memory, holder, millis(0)))) {
    if (await leases.acquire(memory, digest, REMEMBERED)) return { outcome: "repeated", account };
    throw new RelightError("webhook.conflict", `the id ${id} was used before, with another body`);
  }
  const waiting = waitingKey({ account, token });
  if (!(await leases.acquire(waiting, memory, WAITS))) {
    await orWarn(deps, id, leases.acquire(memory, digest, REMEMBERED));
    return { outcome: "coalesced", account };
  }
  const job = { account, trigger: "webhook", reason, id: memory, correlation: id } as const;
  try {
    await jobs.enqueue(token === undefined ? { ...job, action: "remediate" } : { ...job, action: "push", token });
  } catch (thrown) {
    await orWarn(deps, id, leases.release(waiting, memory));
    throw thrown;
  }
  await orWarn(deps, id, leases.acquire(memory, digest, REMEMBERED));
  log.info("queued a delivery from the issuer", { account, correlation: id });
  return { outcome: "queued", account };
}

/** Only logs failures: the delivery is queued; at worst a repetition is queued again, and its job finds nothing to do. */
async function orWarn({ log }: DeliveryDependencies, id: string, work: Promise<unknown>): Promise<void> {
  await work.catch((thrown: unknown) => {
    log.warn("a delivery's lease failed", { correlation: id, error: asRelightError(thrown).toJSON() });
  });
}

async function passFirstGate(deps: DeliveryDependencies, account: AccountId, token: string): Promise<void> {
  const { codec, clock } = deps;
  const operator = await deps.operator();
  const { document: candidate, signatureValid } = codec.decode(token);
  const now = toSeconds(clock.now());
  const decision = gate({
    account,
    operator,
    candidate,
    signatureValid,
    allowance: "nothing",
    now,
    notAsked: true,
  });
  if (decision.decision === "accept") return;
  const reasons = decision.refusals.map(({ message }) => message).join("; ");
  throw new RelightError("gate.refused", `the delivered JWT was refused: ${reasons}`, {
    details: { refusals: decision.refusals.map(({ code, message }) => ({ code, message })) },
  });
}
