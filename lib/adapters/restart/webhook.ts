import pRetry from "p-retry";
import { isoTime, type Millis, millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Restarter } from "../../ports/remedies.ts";
import { type Delivery, type DeliverySettings, webhookSender } from "../webhooks/delivery.ts";
import { assertHarmless, restartFailed, type Server } from "./server.ts";

const RETRIES = 2;
/**
 * Nobody was connected to, so nobody can have taken the order. Not EHOSTUNREACH and ETIMEDOUT: a connection
 * that had carried it can end with those, too.
 */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);

export interface WebhookSettings extends Pick<DeliverySettings, "url" | "clock" | "timeout"> {
  /** Signs the order; a receiver that restarts servers has to know who asks. */
  readonly secret: string;
  /** A random id for each order. */
  readonly newId: () => string;
  /** How long to wait before the second try to connect; twice as long before the third. */
  readonly pause?: Millis;
}

/**
 * Asks an HTTP receiver to restart servers: `{type: "server.restart", timestamp, data: {server: {id, name}}}`,
 * signed as Standard Webhooks does. 2xx means that it was carried out, 202 that it was accepted; whether the
 * server came back is proved by whoever asked. Every order has a `webhook-id` of its own.
 *
 * A restart that is carried out twice is harmful, so an order is sent again only where it never left: where no
 * connection could be made. After that nobody can tell a lost order from a lost answer (a 503 or a 429 may come
 * from a proxy after the receiver took it), so everything else is `restart.failed` at once.
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
