import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { ServerCapacity } from "../../../domain/limits/server-use.ts";
import type { ServerFacts } from "../../../domain/observation/observation.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { jszTotals, readData } from "../connection/answers.ts";
import { ask, readJson } from "../connection/asking.ts";
import { AT_ONCE } from "../connection/in-flight.ts";

/** The JetStream capacity of each server. @throws RelightError `nats.*` */
export async function capacities(
  { connection, timeout }: { readonly connection: NatsConnection; readonly timeout: Millis },
  servers: readonly ServerFacts[],
): Promise<readonly ServerCapacity[]> {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const of = async ({ id, name }: ServerFacts): Promise<ServerCapacity> => {
    const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.JSZ`, '{"config":true}', timeout);
    const { config, ...now } = readData(jszTotals, readJson(answer), "JSZ");
    return {
      server: name,
      max: { memory: config.max_memory, file: config.max_storage },
      reserved: { memory: now.reserved_memory, file: now.reserved_storage },
      used: { memory: now.memory, file: now.storage },
    };
  };
  return pMap(hosts, of, { concurrency: AT_ONCE });
}
