import { hash } from "node:crypto";
import pRetry from "p-retry";
import type { Incident } from "../../domain/incidents/incident.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Escalation } from "../../ports/escalation.ts";
import { type Delivery, webhookSender } from "../webhooks/delivery.ts";

const RETRIES = 2;

/** Settings of every channel over HTTP. */
export interface ChannelSettings {
  readonly clock: Clock;
  /** Redacts the incident before it is sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long one try may take. */
  readonly timeout?: Millis;
  /** How long to wait before the second try; the wait doubles before the third. */
  readonly pause?: Millis;
}

export interface Posted extends ChannelSettings {
  /** The channel's name in errors: `escalation`, `Slack`. */
  readonly kind: string;
  readonly url: string;
  readonly secret?: string;
  /** The body to post for a redacted incident. */
  readonly message: (incident: Incident) => JsonObject;
}

/**
 * Posts incidents as JSON. Tries three times, unless the receiver refuses. `webhook-id` is the same for repetitions of a
 * page.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function postedEscalation(settings: Posted): Escalation {
  const { kind, scrub, message, timeout = millis(10_000), pause = millis(1_000) } = settings;
  const sender = webhookSender({ ...settings, timeout });
  return {
    send: async (incident) => {
      const body = message(scrub({ ...incident }) as unknown as Incident);
      const id = messageId(incident);
      const post = async (): Promise<void> => {
        const delivery = await sender.post(id, body);
        if (!delivery.ok) throw undeliverable(kind, sender.name, delivery);
      };
      const shouldRetry = ({ error }: { error: Error }) => mayHelpLater(error);
      await pRetry(post, { retries: RETRIES, minTimeout: pause, shouldRetry });
    },
  };
}

function messageId({ key, status, at }: Incident): string {
  return `msg_${hash("sha256", JSON.stringify([key, status, at]), "base64url").slice(0, 27)}`;
}

function undeliverable(kind: string, channel: string, { ok, why, ...details }: Delivery & { ok: false }): RelightError {
  const message = `the ${kind} webhook at ${channel} failed: ${why}`;
  return new RelightError("escalation.undeliverable", message, { details: { channel, ...details } });
}

/** Whether a retry may help: not if the receiver refused. */
function mayHelpLater(error: Error): boolean {
  const status = error instanceof RelightError ? error.details["status"] : undefined;
  return typeof status !== "number" || status === 429 || status >= 500;
}
