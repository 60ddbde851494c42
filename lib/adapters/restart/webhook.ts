import pRetry from "p-retry";
import { isoTime, type Millis, millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Restarter } from "../../ports/remedies.ts";
import { type Delivery, type DeliverySettings, webhookSender } from "../webhooks/delivery.ts";
import { assertHarmless, restartFailed, type Server } from "./server.ts";

const RETRIES = 2;
/**
 * Errors with which no connection was made, so the order cannot have arrived. Not EHOSTUNREACH and ETIMEDOUT, because a
 * connection that delivered the order can also end with those.
 */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

export interface WebhookSettings extends Pick<DeliverySettings, "url" | "clock" | "timeout"> {
  /** Signs the order, because a receiver that restarts servers must know who asks. */
  readonly secret: string;
  /** Creates a random id for each order. */
  readonly newId: () => string;
  /** How long to wait before the second try to connect; the wait doubles before the third. */
  readonly pause?: Millis;
}

/**
 * Asks an HTTP receiver to restart servers: `{type: "server.restart", timestamp, data: {server: {id, name}}}`, signed
 * according to Standard Webhooks. 2xx means that it was carried out, 202 that it was accepted. The caller checks whether
 * the server came back. Every order has its own `webhook-id`.
 *
 * Restarting twice is harmful, so an order is sent again only if no connection could be made. After that, a lost order
 * looks like a lost answer (a proxy may send a 503 or 429 after the receiver got the order), so everything else is
 * `restart.failed` at once.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookRestarter(settings: WebhookSettings): Restarter {
  const { clock, newId, pause = millis(1_000) } = settings;
  const sender = webhookSender({ ...settings, kind: "restart" });
  return {
    restart: async (server) => {
      assertHarmless(server);
      const { id, name } = server;
      const timestamp = isoTime(clock.now());
      const order = { type: "server.restart", timestamp, data: { server: { id, name } } };
      const messageId = `msg_${newId()}`;
      const post = async (): Promise<void> => {
        const delivery = await sender.post(messageId, order);
        if (!delivery.ok) throw failure(server, sender.name, delivery);
      };
      const shouldRetry = ({ error }: { error: Error }) => isNotBegun(error);
      await pRetry(post, { retries: RETRIES, minTimeout: pause, shouldRetry });
    },
  };
}

function failure(server: Server, receiver: string, { ok, why, ...details }: Delivery & { ok: false }): Error {
  const begun = !("reason" in details && NEVER_SENT.has(details.reason));
  return restartFailed(server, `the webhook at ${receiver} failed: ${why}`, { begun, receiver, ...details });
}

function isNotBegun(error: Error): boolean {
  return error instanceof RelightError && error.details["begun"] === false;
}
