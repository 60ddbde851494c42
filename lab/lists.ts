import type { ConsumerInfo, StreamInfo } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./wait.ts";

/**
 * Complete lists of streams and consumers. A server in a cluster asks the others and answers after four seconds with what
 * it has; the rest is in `missing`, which the client's lists ignore (read in jetstream_cluster.go of 2.9.10,
 * `jsClusteredConsumerListRequest`). A busy machine needs longer.
 */

interface Page {
  readonly streams?: readonly StreamInfo[];
  readonly consumers?: readonly ConsumerInfo[];
  readonly missing?: readonly string[] | null;
  readonly error?: { readonly description: string };
}

/** All streams of the account. */
export const allStreams = async (connection: NatsConnection): Promise<readonly StreamInfo[]> =>
  (await wholeList(connection, "STREAM.LIST")).streams ?? [];

/** All consumers of a stream. */
export const allConsumers = async (connection: NatsConnection, stream: string): Promise<readonly ConsumerInfo[]> =>
  (await wholeList(connection, `CONSUMER.LIST.${stream}`)).consumers ?? [];

/** The first page, which is larger than any list in the lab. */
async function wholeList(connection: NatsConnection, what: string): Promise<Page> {
  return waitFor(
    `${what} to be complete`,
    async () => {
      const reply = await connection.request(`$JS.API.${what}`, "{}", { timeout: 10_000 });
      const page = reply.json<Page>();
      if (page.error !== undefined) throw new Error(`${what}: ${page.error.description}`);
      return (page.missing ?? []).length === 0 && page;
    },
    { timeout: 40_000 },
  );
}
