import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import { lt } from "semver";
import type { AccountId } from "../../domain/account.ts";
import type { LeafConnection, ServerFacts } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import { leafz, readData } from "./answers.ts";
import { AT_ONCE, ask, readJson } from "./connection.ts";

/** The first version of which LEAFZ says who asked for a connection. */
const TELLS_DIRECTION = "2.10.0";

/**
 * The leafnode connections that the servers accepted, each bound to one account; those that they asked for
 * themselves are the other end. Servers before 2.10 don't tell which is which, so there leaves are not asked.
 * @param account only its own; all by default, to find those that are bound to a wrong one.
 */
export async function leafConnections(
  { connection, timeout }: { readonly connection: NatsConnection; readonly timeout: Millis },
  servers: readonly ServerFacts[],
  account: AccountId | undefined,
): Promise<readonly LeafConnection[]> {
  const body = JSON.stringify(account === undefined ? {} : { account });
  const hubs = servers.filter(
    ({ topology, version }) => topology !== "leaf" || !lt(version, TELLS_DIRECTION),
  );
  const perServer = await pMap(
    hubs,
    async ({ id, name: server }) => {
      const answer = await ask(connection, `$SYS.REQ.SERVER.${id}.LEAFZ`, body, timeout);
      const { leafs } = readData(leafz, readJson(answer), "LEAFZ");
      const accepted = (leafs ?? []).filter((leaf) => !leaf.is_spoke);
      return accepted.map((leaf) => ({
        ...{ server, account: leaf.account },
        ...(leaf.name ? { name: leaf.name } : {}),
      }));
    },
    { concurrency: AT_ONCE },
  );
  return perServer.flat();
}
