import pMap from "p-map";
import { lt } from "semver";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { LeafConnection, ServerFacts } from "../../../domain/observation/observation.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { askingServer, type ListSettings, leafConnectionsOf } from "./lists.ts";

/** Since this version LEAFZ reports who initiated a connection. */
const REPORTS_DIRECTION = "2.10.0";

/**
 * The leafnode connections that the servers accepted, each bound to one account, without those that they initiated. Servers
 * before 2.10 do not report the direction, so there leafnodes themselves are not asked.
 * @param account only its connections; by default all, to find those that are bound to a wrong account.
 */
export async function leafConnections(
  settings: ListSettings,
  servers: readonly ServerFacts[],
  account: AccountId | undefined,
): Promise<readonly LeafConnection[]> {
  const hubs = servers.filter(({ topology, version }) => topology !== "leaf" || !lt(version, REPORTS_DIRECTION));
  const perServer = await pMap(
    hubs,
    async ({ id, name: server }) => {
      const leafs = await leafConnectionsOf(askingServer(settings, id, "LEAFZ"), account);
      const accepted = leafs.filter((leaf) => !leaf.is_spoke);
      return accepted.map((leaf) => ({
        server,
        account: leaf.account,
        ...(leaf.name ? { name: leaf.name } : {}),
      }));
    },
    { concurrency: AT_ONCE },
  );
  return perServer.flat();
}
