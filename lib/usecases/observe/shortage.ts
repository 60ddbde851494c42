import { loaded } from "../../domain/claims/claims-in-force.ts";
import { shortages } from "../../domain/limits/capacity.ts";
import { enablesJetStream } from "../../domain/limits/jetstream-limits.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import { probe } from "../../errors.ts";
import type { Context } from "../context/context.ts";
import { otherAccounts } from "./inventory.ts";

/**
 * What servers lack to give the account the JetStream that its claims allow. They say so only in their log. Empty if they
 * give it, or if it is unknown.
 */
export async function shortageOf(context: Context, observation: Observation): Promise<readonly string[]> {
  const without = loaded(observation).find(
    ({ jetstream, expired, document }) => !jetstream && !expired && enablesJetStream(document.claims),
  );
  if (without === undefined) return [];
  const capacities = await context.probes.capacity();
  const others = await probe(() => otherAccounts(context, observation.account));
  if (!capacities.ok || !others.ok) return [];
  return shortages({
    servers: observation.servers,
    capacities: capacities.value,
    before: undefined,
    after: without.document.claims,
    others: others.value,
  });
}
