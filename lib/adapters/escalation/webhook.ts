import { type Links, pageText } from "../../domain/incidents/page-text.ts";
import { defined } from "../../domain/time/defined.ts";
import type { Escalation } from "../../ports/escalation.ts";
import { type ChannelSettings, postedEscalation } from "./persistent.ts";

export interface WebhookSettings extends ChannelSettings {
  /** Where to post. A user and password in it are sent as basic authorization. */
  readonly url: string;
  /** Signs messages according to Standard Webhooks (`whsec_…`). */
  readonly secret?: string;
  readonly links?: Links;
}

/**
 * Posts complete incidents according to Standard Webhooks.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookEscalation({ links, ...settings }: WebhookSettings): Escalation {
  return postedEscalation({
    ...settings,
    kind: "escalation",
    message: (incident) => {
      const type = incident.status === "open" ? "incident.opened" : "incident.resolved";
      const [runbook] = pageText(incident, defined({ runbook: links?.runbook })).links;
      return { type, timestamp: incident.at, data: { ...incident, ...defined({ runbook: runbook?.href }) } };
    },
  });
}
