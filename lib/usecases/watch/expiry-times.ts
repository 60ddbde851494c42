import type { AccountId } from "../../domain/claims/account.ts";
import { type EpochMillis, type Millis, millis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";

/** When the claims of an account expire, as a sweep or a job knows it. */
export interface KnownExpiry {
  readonly account: AccountId;
  readonly at: EpochMillis;
}

export interface ExpiryTimesSettings {
  readonly clock: Clock;
  /** Called right after the known expiry. */
  readonly onExpiry: (account: AccountId) => void;
}

export interface ExpiryTimes {
  /** Newer knowledge of an account replaces older. What has expired already is somebody else's to find. */
  note(known: readonly KnownExpiry[]): void;
  stop(): void;
}

/** Servers count whole seconds; milliseconds. */
const COUNTED = 1_000;
/** Timers of Node don't last longer than 24 days; milliseconds. */
const LONGEST_SLEEP = 12 * 60 * 60_000;
/** Of further accounts the next sweep knows more. */
const MOST = 10_000;

/** Says when accounts expire, because servers tell nobody about an account that no client uses. */
export function expiryTimes({ clock, onExpiry }: ExpiryTimesSettings): ExpiryTimes {
  const times = new Map<AccountId, EpochMillis>();
  let armed = new AbortController();
  let stopped = false;

  function note(known: readonly KnownExpiry[]): void {
    for (const { account, at } of known) {
      times.delete(account);
      if (at > clock.now() && times.size < MOST) times.set(account, at);
    }
    arm();
  }

  function arm(): void {
    armed.abort();
    if (stopped || times.size === 0) return;
    armed = new AbortController();
    const { signal } = armed;
    void clock.sleep(untilFirst(), signal).then(() => {
      if (!signal.aborted) tell();
    });
  }

  function untilFirst(): Millis {
    let first = Number.POSITIVE_INFINITY;
    for (const at of times.values()) first = Math.min(first, at);
    return millis(Math.min(LONGEST_SLEEP, Math.max(0, first + COUNTED - clock.now())));
  }

  function tell(): void {
    for (const [account, at] of times) {
      if (at + COUNTED > clock.now()) continue;
      times.delete(account);
      onExpiry(account);
    }
    arm();
  }

  return {
    note,
    stop: () => {
      stopped = true;
      armed.abort();
    },
  };
}
