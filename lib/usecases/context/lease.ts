import pWaitFor, { TimeoutError } from "p-wait-for";
import { defined } from "../../domain/time/defined.ts";
import { millis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Context } from "./context.ts";

/** A lease outlives its dead holder by no more than this, so that nobody waits long to finish its job. */
const LASTS = millis(30_000);
/**
 * How long a job waits that a queue gives out. To fail costs it more: the message is seen again only after the
 * queue's visibility timeout (18 minutes in serverless.yml) with all that stands behind it, and each such return is
 * one of the few before the dead letters. So it waits for longer than a lease outlives its holder.
 */
export const WAITS_WHILE_BUSY = millis(LASTS + 5_000);
/** How often a busy account is asked for; milliseconds. */
const ASKED_EVERY = 1_000;
/** How often a living holder extends it; milliseconds. */
const HEARTBEAT = 10_000;

/** The account that a job works on, or the restarts of the whole cluster: one at a time. */
export type LeaseKey = `account/${string}` | "restarts";

/**
 * Works while holding a lease. `signal` is aborted if the lease is lost all the same (the process
 * was stopped for half a minute): then somebody else may be at work, and no further step is taken.
 * @throws RelightError `account.busy`, `restart.busy` if another job holds it.
 */
export async function withLease<T>(
  context: Context,
  key: LeaseKey,
  holder: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!(await acquired(context, key, holder))) throw busy(key);
  const { leases, log } = context;
  const lost = new AbortController();
  const beat = async (): Promise<void> => {
    if (await leases.acquire(key, holder, LASTS)) return;
    log.error("a lease was lost", { key });
    lost.abort();
  };
  let beating = Promise.resolve();
  const heart = setInterval(() => {
    // A heartbeat that fails once is no loss: the lease lasts for two more.
    beating = beat().catch((thrown: unknown) => {
      log.warn("a heartbeat failed", { key, error: asRelightError(thrown).toJSON() });
    });
  }, HEARTBEAT);
  try {
    return await work(lost.signal);
  } finally {
    clearInterval(heart);
    // One that is under way would take the lease again after it was given up.
    await beating;
    await leases.release(key, holder);
  }
}

/** Whoever may wait does so until a dead holder's lease would be over; a living one is done by then, mostly. */
async function acquired(
  { leases, signal, waitsWhileBusy = millis(0) }: Context,
  key: LeaseKey,
  holder: string,
): Promise<boolean> {
  if (await leases.acquire(key, holder, LASTS)) return true;
  if (key === "restarts" || waitsWhileBusy === 0) return false;
  try {
    await pWaitFor(() => leases.acquire(key, holder, LASTS), {
      interval: ASKED_EVERY,
      timeout: waitsWhileBusy,
      before: false,
      ...defined({ signal }),
    });
    return true;
  } catch (thrown) {
    if (thrown instanceof TimeoutError || signal?.aborted) return false;
    throw thrown;
  }
}

function busy(key: LeaseKey): RelightError {
  if (key === "restarts")
    return new RelightError("restart.busy", "another job restarts servers; only one may at a time");
  return new RelightError("account.busy", `another job works on ${key.replace("account/", "")}`);
}
