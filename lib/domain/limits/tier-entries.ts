import { hasLostNodes, type Reconfiguration } from "../ladder/reconfiguration.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";

/**
 * The updates that move streams into their tiers. Servers assign a stream's tier when it is created, recovered or updated.
 * Streams that exist when flat limits become tiers have none, and servers refuse their messages (nats-server #2971). Any
 * update assigns the tier (read in `stream.update`; tested on 2.9.10, 2.10.27, 2.15.1, standalone and clustered). This one
 * changes the description for a moment, which works on every version. From tiers to flat limits only a restart helps.
 */
export function tierEntries({ streams }: Observation): readonly Reconfiguration[] {
  return (streams.ok ? streams.value : [])
    .filter((stream) => cannotEnter(stream) === undefined)
    .map(({ name, config }) => {
      const description = `${config["description"] ?? ""} (Relight moves it into its tier)`.trim();
      return { stream: name, before: config, during: { ...config, description }, consumers: [] };
    });
}

/** Why the stream can't be updated now; undefined if it can. */
export function cannotEnter(stream: StreamFacts): string | undefined {
  // A sealed stream accepts no messages anyway.
  if (stream.config["sealed"] === true) return "it is sealed";
  if (stream.leader === undefined) return "it has no leader";
  return hasLostNodes(stream) ? "it lost Raft nodes" : undefined;
}
