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

/** What the issuer says: an account changed, with its new JWT or without. */
export interface Delivery {
  /** The webhook's id; the same for every repetition. */
  readonly id: string;
  readonly account: AccountId;
  readonly token?: string;
  readonly reason: string;
}

export interface Acceptance {
  readonly outcome: "queued" | "repeated";
  readonly account: AccountId;
}

interface DeliveryDependencies {
  readonly newId: () => string;
  readonly clock: Clock;
  readonly log: Log;
  readonly leases: Leases;
  readonly jobs: Pick<Jobs, "enqueue">;
  readonly codec: JwtCodec;
  /** Whom to trust; only asked where a JWT was delivered. */
  readonly operator: () => Promise<Operator>;
}

/** Longer than any sender's repetitions (Standard Webhooks: about three days). */
const REMEMBERED = millis(4 * 24 * 60 * 60_000);

/** Longer than a function that takes a delivery may run, and over before the sender's third try after five minutes. */
const ACCEPTING = millis(2 * 60_000);

/**
 * Takes a delivery that is proved to be the issuer's: queues it once, whatever is repeated. A JWT is checked
 * here as far as it can be without the cluster, so that the issuer hears at once what is wrong with it; the
 * job passes it through the whole gate again, against the claims in force. Only what is queued is remembered: a run
 * that is killed before leaves no more than a lease of two minutes, and the sender's repetition gets through.
 * @throws RelightError `jwt.malformed`, `gate.refused`, `webhook.busy`, `queue.unavailable`, `journal.unavailable`.
 */
export async function acceptDelivery(deps: DeliveryDependencies, delivery: Delivery): Promise<Acceptance> {
  const { newId, leases } = deps;
  const { id, account, token } = delivery;
  if (token !== undefined) await passFirstGate(deps, account, token);
  // Every attempt is a holder of its own, so that a repetition finds the id taken.
  const holder = newId();
  const accepting = `accepting/${id}`;
  if (!(await leases.acquire(accepting, holder, ACCEPTING)))
    throw new RelightError("webhook.busy", `another run takes the delivery ${id}`);
  try {
    return await acceptOnce(deps, delivery, holder);
  } finally {
    await orWarn(deps, id, leases.release(accepting, holder));
  }
}

async function acceptOnce(
  deps: DeliveryDependencies,
  { id, account, token, reason }: Delivery,
  holder: string,
) {
  const { leases, jobs, log } = deps;
  const memory = `webhook/${id}`;
  // For no time at all: this only asks whether it is remembered.
  if (!(await leases.acquire(memory, holder, millis(0)))) return { outcome: "repeated", account } as const;
  const job = { account, trigger: "webhook", reason, id: memory, correlation: id } as const;
  await jobs.enqueue(
    token === undefined ? { ...job, action: "remediate" } : { ...job, action: "push", token },
  );
  await orWarn(deps, id, leases.acquire(memory, holder, REMEMBERED));
  log.info("queued a delivery of the issuer", { account, correlation: id });
  return { outcome: "queued", account } as const;
}

/** What is queued is taken: at worst a repetition is queued again, and its job finds nothing to do. */
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
  throw new RelightError("gate.refused", `the delivered JWT is refused: ${reasons}`, {
    details: { refusals: decision.refusals.map(({ code, message }) => ({ code, message })) },
  });
}
