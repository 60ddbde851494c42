import type { Incident } from "../domain/incidents/incident.ts";

/** Pages people. */
export interface Escalation {
  /** Sends an open or resolved incident to every channel. @throws RelightError `escalation.undeliverable` if none accepts it. */
  send(incident: Incident): Promise<void>;
}
