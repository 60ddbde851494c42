import type { Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import type { AccountId } from "../../../domain/claims/account.ts";
import { type Group, nameOfGroup } from "../../../domain/ladder/step-down.ts";
import { parseJsonObject } from "../../../domain/time/json.ts";
import type { Deletions } from "../../../ports/cluster.ts";

/** The system account receives all JetStream API requests, with the requesting account in a header (tested on 2.9.10, 2.10.27). */
const STREAM = "$JS.API.STREAM.DELETE.";
const CONSUMER = "$JS.API.CONSUMER.DELETE.";
const WHO = "Nats-Request-Info";

/** Records deletion requests. After the run reconnects, it listens on the new connection. */
export interface DeletionListener {
  listen(account: AccountId): Promise<Deletions>;
  move(connection: NatsConnection): Promise<void>;
}

interface Listener {
  readonly account: AccountId;
  readonly asked: Set<string>;
  subscriptions: readonly Subscription[];
}

export function listenForDeletions(first: NatsConnection): DeletionListener {
  let connection = first;
  const listeners = new Set<Listener>();

  async function attach(listener: Listener): Promise<void> {
    const callback = (error: unknown, message: Msg): void => {
      // If the user may not subscribe, nothing is recorded, and everything that is gone counts as a loss.
      if (error) return;
      const group = groupIn(message, listener.account);
      if (group !== undefined) listener.asked.add(nameOfGroup(group));
    };
    listener.subscriptions = [`${STREAM}*`, `${CONSUMER}*.*`].map((subject) =>
      connection.subscribe(subject, { callback }),
    );
    await connection.flush();
  }

  return {
    listen: async (account) => {
      const asked = new Set<string>();
      const listener: Listener = { account, asked, subscriptions: [] };
      listeners.add(listener);
      await attach(listener);
      return {
        has: (group) => asked.has(group.stream) || asked.has(nameOfGroup(group)),
        [Symbol.asyncDispose]: async () => {
          listeners.delete(listener);
          for (const subscription of listener.subscriptions) subscription.unsubscribe();
        },
      };
    },
    move: async (next) => {
      connection = next;
      for (const listener of listeners) await attach(listener);
    },
  };
}

/** What the account requests to delete; undefined for other accounts' requests. */
function groupIn({ headers, subject }: Msg, account: AccountId): Group | undefined {
  if (accountIn(headers?.get(WHO) ?? "") !== account) return undefined;
  if (subject.startsWith(STREAM)) return { stream: subject.slice(STREAM.length) };
  // Stream and consumer names have no dots.
  const [stream = "", consumer = ""] = subject.slice(CONSUMER.length).split(".");
  return { stream, consumer };
}

const accountIn = (header: string): unknown => parseJsonObject(header)?.["acc"];
