import type { Incident } from "../domain/incidents/incident.ts";

/** Pages people. */
export interface Escalation {
  /** False if no channel is configured: then incidents only go to the log, and nobody is called. */
  readonly hasChannels?: false;
  /** Sends an open or resolved incident to every channel. @throws RelightError `escalation.undeliverable` if none accepts it. */
  send(incident: Incident): Promise<void>;
}
