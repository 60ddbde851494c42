import { hasLostNodes, type Reconfiguration } from "../ladder/reconfiguration.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";

/**
 * A stream counts in the tier that it had when it was made, began, or was last updated: what is there when flat limits
 * become tiers counts in none, and servers refuse its messages (nats-server #2971). Any update moves it into the tier of
 * its replicas (read in `stream.update`; ran: 2.9.10, 2.10.27, 2.15.1, single and clustered), so the description is
 * changed for a moment, which every version has. From tiers to flat limits nothing but a restart helps.
 */
export function tierEntries({ streams }: Observation): readonly Reconfiguration[] {
  return (streams.ok ? streams.value : [])
    .filter((stream) => cannotEnter(stream) === undefined)
    .map(({ name, config }) => {
      const description = `${config["description"] ?? ""} (Relight moves it into its tier)`.trim();
      return { stream: name, before: config, during: { ...config, description }, consumers: [] };
    });
}

/** Why the stream can't be updated now; undefined where it can. */
export function cannotEnter(stream: StreamFacts): string | undefined {
  // It takes no messages either.
  if (stream.config["sealed"] === true) return "it is sealed";
  if (stream.leader === undefined) return "it has no leader";
  return hasLostNodes(stream) ? "it lost Raft nodes" : undefined;
}
