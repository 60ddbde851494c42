import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { ServerCapacity } from "../../domain/capacity.ts";
import type { ServerFacts } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import { jszTotals, readData } from "./answers.ts";
import { ask, readJson } from "./asking.ts";
import { AT_ONCE } from "./in-flight.ts";

/** What each server with JetStream may give to it. @throws RelightError `nats.*` */
export async function capacities(
  { connection, timeout }: { readonly connection: NatsConnection; readonly timeout: Millis },
  servers: readonly ServerFacts[],
): Promise<readonly ServerCapacity[]> {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  const of = async ({ id, name }: ServerFacts): Promise<ServerCapacity> => {
    const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.JSZ`, '{"config":true}', timeout);
    const { config, reserved_memory, reserved_storage } = readData(jszTotals, readJson(answer), "JSZ");
    return {
      server: name,
      max: { memory: config.max_memory, file: config.max_storage },
      reserved: { memory: reserved_memory, file: reserved_storage },
    };
  };
  return pMap(hosts, of, { concurrency: AT_ONCE });
}
