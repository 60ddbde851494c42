import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { ServerFacts } from "../../../domain/observation/observation.ts";
import type { Existing } from "../../../domain/observation/still-there.ts";
import { defined } from "../../../domain/time/defined.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import type { ListSettings } from "../probes/lists.ts";
import { heldOn } from "./streams.ts";

/** What these servers hold of the account now. @throws RelightError `nats.*` if one does not answer */
export async function existingOn(
  settings: ListSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
): Promise<readonly Existing[]> {
  const perServer = await pMap(
    servers,
    (server) => heldOn(settings, account, server, { consumer: true, raft: false }),
    { concurrency: AT_ONCE },
  );
  return perServer.flat().map(({ server: { domain }, detail: { name, created, consumer_detail: held } }) => ({
    ...defined({ domain }),
    name,
    created,
    consumers: held ?? [],
  }));
}
