import type { Incident } from "../../domain/incidents/incident.ts";
import { type Links, pageText, textLines } from "../../domain/incidents/page-text.ts";
import type { Escalation } from "../../ports/escalation.ts";
import type { Log } from "../../ports/log.ts";

/** Writes incidents to the log, which is always a channel. */
export function logEscalation(log: Log, links: Links = {}): Escalation {
  return {
    send: async (incident) => {
      const message = incident.status === "open" ? "incident opened" : "incident resolved";
      log[levelOf(incident)](message, {
        correlation: incident.correlation,
        incident,
        text: textLines(pageText(incident, links)),
      });
    },
  };
}

function levelOf({ status, severity }: Incident): keyof Log {
  if (status === "resolved") return "info";
  return severity === "critical" ? "error" : "warn";
}
