import { measuresOfPage } from "../../domain/metrics/measures.ts";
import type { Escalation } from "../../ports/escalation.ts";
import type { Metrics } from "../../ports/observers.ts";

/**
 * Counts delivered incidents and undeliverable pages.
 * @param counts `failures` if the sender already counted the incidents
 */
export function measuredEscalation(
  { send, ...rest }: Escalation,
  metrics: Metrics,
  counts: "all" | "failures" = "all",
): Escalation {
  return {
    ...rest,
    send: async (incident) => {
      try {
        await send(incident);
      } catch (thrown) {
        metrics.emit(measuresOfPage(incident, "undeliverable"));
        throw thrown;
      }
      if (counts === "all") metrics.emit(measuresOfPage(incident, "delivered"));
    },
  };
}
