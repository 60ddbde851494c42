import type { Incident } from "../domain/incidents/incident.ts";

/** Calls people. */
export interface Escalation {
  /** Sends the incident, open or resolved, to every channel. @throws RelightError `escalation.undeliverable` if none took it. */
  send(incident: Incident): Promise<void>;
}
