import type { NatsConnection } from "@nats-io/transport-node";
import type { ServerCapacity } from "../../../domain/limits/server-use.ts";
import type { ServerFacts } from "../../../domain/observation/observation.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { jszTotals, readData } from "../connection/answers.ts";
import { ask, readJson } from "../connection/asking.ts";
import { shared } from "../connection/shared.ts";

/** The JetStream capacity of those servers that have JetStream. @throws RelightError `nats.*` */
export type Capacities = (servers: readonly ServerFacts[]) => Promise<readonly ServerCapacity[]>;

/** All accounts that are checked at the same time share the questions. */
export function askingCapacities({
  connection,
  timeout,
}: {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
}): Capacities {
  const capacityOf = shared(
    async ({ id, name }: ServerFacts): Promise<ServerCapacity> => {
      const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.JSZ`, '{"config":true}', timeout);
      const { config, ...now } = readData(jszTotals, readJson(answer), "JSZ");
      return {
        server: name,
        max: { memory: config.max_memory, file: config.max_storage },
        reserved: { memory: now.reserved_memory, file: now.reserved_storage },
        used: { memory: now.memory, file: now.storage },
      };
    },
    ({ id }) => id,
  );
  return (servers) => Promise.all(servers.filter(({ jetstream }) => jetstream).map(capacityOf));
}
