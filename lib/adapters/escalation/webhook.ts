import { createHash } from "node:crypto";
import pRetry from "p-retry";
import type { Incident } from "../../domain/incident.ts";
import type { JsonObject } from "../../domain/json.ts";
import { type Millis, millis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";
import type { Escalation } from "../../ports.ts";
import { type Delivery, type DeliverySettings, webhookSender } from "../webhooks/delivery.ts";

const RETRIES = 2;

export interface WebhookSettings extends Pick<DeliverySettings, "url" | "secret" | "clock"> {
  /** Takes secrets out of the incident before it is sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long one try may take. */
  readonly timeout?: Millis;
  /** How long to wait before the second try; twice as long before the third. */
  readonly pause?: Millis;
}

/**
 * Posts incidents as JSON under the Standard Webhooks specification. `webhook-id` is the same each time the
 * same page is sent, so that a receiver can tell a repetition. Three tries, unless the receiver said no.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookEscalation(settings: WebhookSettings): Escalation {
  const { scrub, timeout = millis(10_000), pause = millis(1_000) } = settings;
  const sender = webhookSender({ ...settings, kind: "escalation", timeout });
  return {
    send: async (incident) => {
      const page = pageOf(incident, scrub);
      const id = messageId(incident);
      const post = async (): Promise<void> => {
        const delivery = await sender.post(id, page);
        if (!delivery.ok) throw undeliverable(sender.name, delivery);
      };
      const shouldRetry = ({ error }: { error: Error }) => mayHelpLater(error);
      await pRetry(post, { retries: RETRIES, minTimeout: pause, shouldRetry });
    },
  };
}

function pageOf(incident: Incident, scrub: WebhookSettings["scrub"]): JsonObject {
  const type = incident.status === "open" ? "incident.opened" : "incident.resolved";
  return { type, timestamp: incident.at, data: scrub({ ...incident }) };
}

function messageId({ key, status, at }: Incident): string {
  const hash = createHash("sha256").update(JSON.stringify([key, status, at]));
  return `msg_${hash.digest("base64url").slice(0, 27)}`;
}

function undeliverable(channel: string, { ok, why, ...details }: Delivery & { ok: false }): RelightError {
  const message = `the escalation webhook at ${channel} failed: ${why}`;
  return new RelightError("escalation.undeliverable", message, { details: { channel, ...details } });
}

/** Not if the receiver understood and refused. */
function mayHelpLater(error: Error): boolean {
  const status = error instanceof RelightError ? error.details["status"] : undefined;
  return typeof status !== "number" || status === 429 || status >= 500;
}
