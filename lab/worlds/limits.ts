import type { Claims } from "../keys.ts";
import type { WorldPlan } from "./plan.ts";

const FLAT = ["mem_storage", "disk_storage", "streams", "consumer", "max_ack_pending"];

/** The claims with the limits that the plan wants. */
export function limited(claims: Claims, { limits, streams, buckets }: WorldPlan): Claims {
  switch (limits.kind) {
    case "unlimited":
      return claims;
    case "tiered":
      return tiered(claims);
    case "conn":
      return withLimits(claims, { conn: limits.conn });
    case "tight":
      // The judge's ordered consumer is one more than the most that a stream has.
      return withLimits(claims, { streams: streams.length + buckets.length, consumer: 4 });
  }
}

export const withLimits = (claims: Claims, limits: object): Claims => ({
  ...claims,
  nats: { ...claims.nats, limits: { ...(claims.nats["limits"] as object), ...limits } },
});

/** The limits by replica count, with room for everything. */
export function tiered(claims: Claims): Claims {
  const limits = { ...(claims.nats["limits"] as Record<string, unknown>) };
  for (const claim of FLAT) delete limits[claim];
  const tier = { mem_storage: 67_108_864, disk_storage: 268_435_456, streams: -1, consumer: -1 };
  return { ...claims, nats: { ...claims.nats, limits: { ...limits, tiered_limits: { R1: tier, R3: tier } } } };
}
