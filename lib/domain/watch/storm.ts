import type { EpochMillis } from "../time/time.ts";

/** How many refusals within `window` are a storm, and how long it then stays quiet; milliseconds. */
export const STORM = { account: 10, server: 50, window: 10_000, quiet: 5 * 60_000 } as const;
/** Refused clients can claim any account, so the number of counted names is bounded. */
const MOST_KEYS = 1_000;

/** Recent refusals per claimed account and per server, and which storms were reported. */
export interface Storms {
  readonly refusals: ReadonlyMap<string, readonly EpochMillis[]>;
  /** Until when nothing more is reported about an account or a server. */
  readonly suppressedUntil: ReadonlyMap<string, EpochMillis>;
}

export const NO_STORMS: Storms = { refusals: new Map(), suppressedUntil: new Map() };

export interface Counted {
  readonly storms: Storms;
  readonly storm: "none" | "account" | "server";
}

/**
 * Counts one refusal. A storm is reported once, then not again for `STORM.quiet`. Refusals of an account whose storm was
 * reported do not count against the server.
 */
export function countRefusal(
  storms: Storms,
  { server, account }: { readonly server: string; readonly account?: string },
  now: EpochMillis,
): Counted {
  const lately = forget(storms, now);
  if (account === undefined) return count(lately, `server ${server}`, "server", now);
  if (lately.suppressedUntil.has(`account ${account}`)) return { storms: lately, storm: "none" };
  const counted = count(lately, `account ${account}`, "account", now);
  return counted.storm === "account" ? counted : count(counted.storms, `server ${server}`, "server", now);
}

function count(storms: Storms, key: string, whose: "account" | "server", now: EpochMillis): Counted {
  const { refusals, suppressedUntil } = storms;
  if (suppressedUntil.has(key) || (!refusals.has(key) && refusals.size >= MOST_KEYS)) return { storms, storm: "none" };
  const times = [...(refusals.get(key) ?? []), now];
  if (times.length < STORM[whose])
    return { storms: { refusals: new Map(refusals).set(key, times), suppressedUntil }, storm: "none" };
  const others = new Map([...refusals].filter(([other]) => other !== key));
  const until = (now + STORM.quiet) as EpochMillis;
  return { storms: { refusals: others, suppressedUntil: new Map(suppressedUntil).set(key, until) }, storm: whose };
}

function forget({ refusals, suppressedUntil }: Storms, now: EpochMillis): Storms {
  const recent = [...refusals].map(([key, times]) => [key, times.filter((at) => at > now - STORM.window)] as const);
  return {
    refusals: new Map(recent.filter(([, times]) => times.length > 0)),
    suppressedUntil: new Map([...suppressedUntil].filter(([, until]) => until > now)),
  };
}
