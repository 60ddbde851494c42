import { isIPv6 } from "node:net";
import { type EpochMillis, type Millis, millis } from "../domain/time/time.ts";

/** Failures within {@link WINDOW} that lock an address. */
const MOST_FAILURES = 5;
const WINDOW = millis(15 * 60_000);
const LOCKED = millis(15 * 60_000);
/** Addresses to remember; those that failed least recently are forgotten first. */
const MOST_ADDRESSES = 10_000;

/** Counts failures by address, and locks an address after too many. Bounded in memory. */
export interface Lockout {
  /** For how long the address is still locked; undefined if it is not. */
  lockedFor(address: string): Millis | undefined;
  /** Returns whether the address is locked now. */
  fail(address: string): boolean;
  succeed(address: string): void;
}

export function lockout(now: () => EpochMillis): Lockout {
  const entries = new Map<string, { failures: number; since: number; until: number }>();
  return {
    lockedFor: (address) => {
      const left = (entries.get(networkOf(address))?.until ?? 0) - now();
      return left > 0 ? millis(left) : undefined;
    },
    fail: (address) => {
      const key = networkOf(address);
      const known = entries.get(key);
      const goesOn = known !== undefined && now() - known.since < WINDOW;
      const entry = goesOn ? known : { failures: 0, since: now(), until: known?.until ?? 0 };
      entry.failures += 1;
      if (entry.failures >= MOST_FAILURES) Object.assign(entry, { until: now() + LOCKED, failures: 0, since: now() });
      entries.delete(key);
      entries.set(key, entry);
      const [oldest] = entries.keys();
      if (entries.size > MOST_ADDRESSES && oldest !== undefined) entries.delete(oldest);
      return entry.until > now();
    },
    succeed: (address) => void entries.delete(networkOf(address)),
  };
}

/** An IPv4 address, or the /64 of an IPv6 address: whoever has one of its addresses has all. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.split("%")[0]?.split("::") ?? [];
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => "0");
  const groups = [...first, ...zeros, ...last].map((group) => group.replace(/^0+(?=.)/, "").toLowerCase());
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** An IPv4 address that a socket for both kinds shows as IPv6. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");
