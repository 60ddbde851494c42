import { type AccountId, shortId } from "../../domain/claims/account.ts";
import { type EpochMillis, isoTime, millis } from "../../domain/time/time.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { type Context, nameOf } from "./context.ts";
import { waitUntil } from "./wait-until.ts";

/** What a lease protects: an account, or all server restarts of the cluster. */
export type LeaseKey = `account/${string}` | "restarts";

/**
 * Does the work while holding a lease. `signal` is aborted if the lease is lost, for instance because the process was
 * suspended for half a minute. Then another job may be running, and no further step is taken.
 * @throws RelightError `account.busy`, `restart.busy` if another job holds it.
 */
export async function withLease<T>(
  context: Context,
  key: LeaseKey,
  holder: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (!(await acquired(context, key, holder))) throw await busy(context, key);
  const [done, lost] = [new AbortController(), new AbortController()];
  const beating = keep(context, key, holder, { done: done.signal, onLost: () => lost.abort() });
  try {
    return await work(lost.signal);
  } finally {
    done.abort();
    // A running heartbeat would take the lease again after its release.
    await beating;
    await context.leases.release(key, holder);
  }
}

/** Extends the lease until the work is done. */
async function keep(
  { leases, log, clock, timing }: Context,
  key: LeaseKey,
  holder: string,
  { done, onLost }: { readonly done: AbortSignal; readonly onLost: () => void },
): Promise<void> {
  const beat = async (): Promise<void> => {
    if (await leases.acquire(key, holder, timing.leaseLasts)) return;
    log.error("a lease was lost", { key });
    onLost();
  };
  let beating = Promise.resolve();
  for (;;) {
    await clock.sleep(timing.leaseHeartbeat, done);
    if (done.aborted) return beating;
    // Not awaited: the next heartbeat is due anyway, and a failed one does no harm.
    beating = beat().catch((thrown: unknown) => {
      log.warn("a lease could not be renewed", { key, error: asRelightError(thrown).toJSON() });
    });
  }
}

/** Waits, if allowed, until a crashed holder's lease would end; a live holder has usually finished by then. */
async function acquired(
  { leases, signal, clock, timing, waitsWhileBusy = millis(0) }: Context,
  key: LeaseKey,
  holder: string,
): Promise<boolean> {
  const timeout = key === "restarts" ? millis(0) : waitsWhileBusy;
  const { interval } = timing.busy;
  const acquire = () => leases.acquire(key, holder, timing.leaseLasts);
  return waitUntil(clock, acquire, { interval, timeout, signal });
}

async function busy(context: Context, key: LeaseKey): Promise<RelightError> {
  if (key === "restarts")
    return new RelightError("restart.busy", "another job is restarting servers; only one may at a time");
  const account = key.slice("account/".length) as AccountId;
  const name = nameOf(context, account);
  const until = await heldUntil(context, key);
  const end = until === undefined ? "" : `; its lease ends at ${isoTime(until)} unless it goes on`;
  return new RelightError(
    "account.busy",
    `another job is working on ${name === account ? shortId(account) : name}${end}`,
    {
      details: { account, ...(until === undefined ? {} : { until: isoTime(until) }) },
    },
  );
}

/** Only for a person who waits: functions may not read leases, and nobody reads their message at once. */
async function heldUntil({ leases, waitsWhileBusy }: Context, key: LeaseKey): Promise<EpochMillis | undefined> {
  if (waitsWhileBusy !== undefined) return undefined;
  return leases.heldUntil(key).catch(() => undefined);
}
