import { formatDuration, type Millis, millis } from "../time/time.ts";
import { finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import type { ServerFacts } from "./observation.ts";

/** How far a clock may be off before somebody should mend it; the network explains seconds, not a minute. */
const TOLERANCE = millis(60_000);

/** How far the servers' clocks are off ours; neither is negative. */
export interface ClockSkew {
  /** The fastest server's: it lets an account expire so much earlier. */
  readonly ahead: Millis;
  /** The slowest server's: to it an account is valid (`nbf`) so much later. */
  readonly behind: Millis;
}

export const NO_SKEW: ClockSkew = { ahead: millis(0), behind: millis(0) };

export function skewOf(servers: readonly Pick<ServerFacts, "clockSkew">[]): ClockSkew {
  const skews = servers.map(({ clockSkew = 0 }) => clockSkew);
  return { ahead: millis(Math.max(0, ...skews)), behind: millis(Math.max(0, ...skews.map((skew) => -skew))) };
}

/** Each server whose clock is off ours. It may be ours that is wrong: then it is found on every server. */
export function skewFindings(servers: readonly ServerFacts[]): readonly Finding[] {
  return servers.flatMap(({ name, clockSkew = millis(0) }) => {
    if (Math.abs(clockSkew) <= TOLERANCE) return [];
    const direction = clockSkew > 0 ? "ahead of" : "behind";
    const message = `the clock of ${name} is ${formatDuration(clockSkew)} ${direction} Relight's`;
    return [finding("server.clock_skew", "degraded", { server: name }, message, { skew: clockSkew })];
  });
}
