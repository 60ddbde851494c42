import type { AccountId } from "../domain/account.ts";
import { gate } from "../domain/gate.ts";
import type { Operator } from "../domain/operator.ts";
import { millis, toSeconds } from "../domain/time.ts";
import { RelightError } from "../errors.ts";
import type { Clock, Jobs, JwtCodec, Leases, Log } from "../ports.ts";

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

interface Desk {
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

/**
 * Takes a delivery that is proved to be the issuer's: queues it once, whatever is repeated. A JWT is checked
 * here as far as it can be without the cluster, so that the issuer hears at once what is wrong with it; the
 * job passes it through the whole gate again, against the claims in force.
 * @throws RelightError `jwt.malformed`, `gate.refused`, `queue.unavailable`.
 */
export async function acceptDelivery(desk: Desk, delivery: Delivery): Promise<Acceptance> {
  const { id, account, token, reason } = delivery;
  if (token !== undefined) await passFirstGate(desk, account, token);
  const memory = `webhook/${id}`;
  // Every attempt is a holder of its own, so that a repetition finds the id taken.
  const holder = desk.newId();
  if (!(await desk.leases.acquire(memory, holder, REMEMBERED))) return { outcome: "repeated", account };
  try {
    const job = { account, trigger: "webhook", reason, id: memory, correlation: id } as const;
    await desk.jobs.enqueue(
      token === undefined ? { ...job, action: "remediate" } : { ...job, action: "push", token },
    );
  } catch (error) {
    // Not queued, so not remembered: the sender's repetition must get through.
    await desk.leases.release(memory, holder);
    throw error;
  }
  desk.log.info("queued a delivery of the issuer", { account, correlation: id });
  return { outcome: "queued", account };
}

async function passFirstGate(desk: Desk, account: AccountId, token: string): Promise<void> {
  const { codec, clock } = desk;
  const operator = await desk.operator();
  const { document: candidate, signatureValid } = codec.decode(token);
  const now = toSeconds(clock.now());
  const decision = gate({ account, operator, candidate, signatureValid, leave: "nothing", now });
  if (decision.decision === "accept") return;
  const reasons = decision.refusals.map(({ message }) => message).join("; ");
  throw new RelightError("gate.refused", `the delivered JWT is refused: ${reasons}`, {
    details: { refusals: decision.refusals.map(({ code, message }) => ({ code, message })) },
  });
}
