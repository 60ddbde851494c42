import { formatDuration, type Millis, millis } from "../time/time.ts";
import { finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import type { ServerFacts } from "./observation.ts";

/** How far a clock may be off before it is a finding. The network can explain seconds, not a minute. */
const TOLERANCE = millis(60_000);

/** How far the servers' clocks are off ours; both are at least 0. */
export interface ClockSkew {
  /** How far the fastest server's clock is ahead: that server expires accounts earlier. */
  readonly ahead: Millis;
  /** How far the slowest server's clock is behind: for that server accounts become valid (`nbf`) later. */
  readonly behind: Millis;
}

export const NO_SKEW: ClockSkew = { ahead: millis(0), behind: millis(0) };

export function skewOf(servers: readonly Pick<ServerFacts, "clockSkew">[]): ClockSkew {
  const skews = servers.map(({ clockSkew = 0 }) => clockSkew);
  return { ahead: millis(Math.max(0, ...skews)), behind: millis(Math.max(0, ...skews.map((skew) => -skew))) };
}

/** Findings for servers whose clocks differ from ours. If ours is wrong, this names every server. */
export function skewFindings(servers: readonly ServerFacts[]): readonly Finding[] {
  return servers.flatMap(({ name, clockSkew = millis(0) }) => {
    if (Math.abs(clockSkew) <= TOLERANCE) return [];
    const direction = clockSkew > 0 ? "ahead of" : "behind";
    const message = `the clock of ${name} is ${formatDuration(clockSkew)} ${direction} Relight's`;
    return [finding("server.clock_skew", "degraded", { server: name }, message, { skew: clockSkew })];
  });
}
