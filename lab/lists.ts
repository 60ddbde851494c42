import type { ConsumerInfo, StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./wait.ts";

/**
 * Lists of streams and consumers that leave nothing out. A server of a cluster asks the others, and answers
 * after four seconds with what it has by then; the rest it names in `missing`, which the client's own lists pass
 * over (read in jetstream_cluster.go of 2.9.10, `jsClusteredConsumerListRequest`). A busy machine needs longer.
 */

interface Page {
  readonly streams?: readonly StreamInfo[];
  readonly consumers?: readonly ConsumerInfo[];
  readonly missing?: readonly string[] | null;
  readonly error?: { readonly description: string };
}

/** Every stream of the account, by its own view. */
export const allStreams = async (connection: NatsConnection): Promise<readonly StreamInfo[]> =>
  (await wholeList(connection, "STREAM.LIST")).streams ?? [];

/** Every consumer of a stream, by the account's own view. */
export const allConsumers = async (
  connection: NatsConnection,
  stream: string,
): Promise<readonly ConsumerInfo[]> =>
  (await wholeList(connection, `CONSUMER.LIST.${stream}`)).consumers ?? [];

/** The first page, which has room for more than the lab ever makes. */
async function wholeList(connection: NatsConnection, what: string): Promise<Page> {
  return waitFor(
    `${what} to leave nothing out`,
    async () => {
      const reply = await connection.request(`$JS.API.${what}`, "{}", { timeout: 10_000 });
      const page = reply.json<Page>();
      if (page.error !== undefined) throw new Error(`${what}: ${page.error.description}`);
      return (page.missing ?? []).length === 0 && page;
    },
    { timeout: 40_000 },
  );
}
