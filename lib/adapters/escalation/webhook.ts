import type { Escalation } from "../../ports/escalation.ts";
import { type ChannelSettings, postedEscalation } from "./persistent.ts";

export interface WebhookSettings extends ChannelSettings {
  /** Where to post; a name and a password in it are sent as basic authorization. */
  readonly url: string;
  /** Signs what is sent, as Standard Webhooks (`whsec_…`) does. */
  readonly secret?: string;
}

/**
 * Posts incidents, whole, under the Standard Webhooks specification.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookEscalation(settings: WebhookSettings): Escalation {
  return postedEscalation({
    ...settings,
    kind: "escalation",
    message: (incident) => {
      const type = incident.status === "open" ? "incident.opened" : "incident.resolved";
      return { type, timestamp: incident.at, data: { ...incident } };
    },
  });
}
