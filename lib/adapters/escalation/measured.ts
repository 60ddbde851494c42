import { measuresOfPage } from "../../domain/metrics/measures.ts";
import type { Escalation } from "../../ports/escalation.ts";
import type { Metrics } from "../../ports/observers.ts";

/**
 * Counts the incidents that are told, and the pages that reached nobody.
 * @param counts `failures` where the incidents were counted already by whoever handed them on
 */
export function measuredEscalation(
  { send }: Escalation,
  metrics: Metrics,
  counts: "all" | "failures" = "all",
): Escalation {
  return {
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
