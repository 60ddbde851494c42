import type { NatsConnection } from "@nats-io/transport-node";
import pMap from "p-map";
import type { AccountId } from "../../domain/account.ts";
import type { JsonObject } from "../../domain/json.ts";
import type { Probe } from "../../domain/observation.ts";
import type { Millis } from "../../domain/time.ts";
import { probe } from "../../errors.ts";
import { connz, readData, subsz } from "./answers.ts";
import { AT_ONCE, ask, readJson } from "./connection.ts";

/** `ConnAll` of the server's monitoring: connections that are open and those lately closed. */
const OPEN_AND_CLOSED = 2;
const PAGE = 1024;

export interface InterestSettings {
  readonly connection: NatsConnection;
  readonly timeout: Millis;
  readonly account: AccountId;
  /** Id of the server to ask: only the leader of a stream or consumer holds its subscription. */
  readonly server: string;
}

/** Whether JetStream hears a subject; a failed probe where the server did not say. */
export type Interest = (subject: string) => Probe<boolean>;

/**
 * Asks a server which of `subjects` its JetStream subscribes to, without side effects (SUBSZ with `test`).
 *
 * A match is not yet JetStream: `$JS.API.CONSUMER.MSG.NEXT.…` is matched by the API's own `$JS.API.>` even
 * when the consumer is deaf, and a stream's subject by any client that subscribes to it. So a subscription
 * counts only if its subject is the very one, and if no client and no import of the account holds it.
 */
export async function findInterest(
  settings: InterestSettings,
  subjects: readonly string[],
): Promise<Interest> {
  const distinct = [...new Set(subjects)];
  const importers = await probe(() => holdersOf(settings, "$JS.API.>"));
  const holders = await pMap(distinct, (subject) => probe(() => holdersOf(settings, subject)), {
    concurrency: AT_ONCE,
  });
  // Last, and with those lately closed: every client that was seen to subscribe is still known here.
  const clients = await probe(() => clientsOf(settings));
  const bySubject = new Map(distinct.map((subject, index) => [subject, holders[index]]));

  return (subject) => {
    const held = bySubject.get(subject);
    if (held === undefined) return { ok: false, code: "internal", message: `${subject} was not asked about` };
    if (!held.ok) return held;
    if (!importers.ok) return importers;
    if (!clients.ok) return clients;
    const others = [...held.value].filter((id) => !importers.value.has(id) && !clients.value.has(id));
    return { ok: true, value: others.length > 0 };
  };
}

/** Ids of the connections, the server's internal ones included, that subscribe to exactly `subject`. */
async function holdersOf(settings: InterestSettings, subject: string): Promise<ReadonlySet<number>> {
  const { account } = settings;
  const body = { account, subscriptions: true, test: literal(subject) };
  const { subscriptions_list: found } = readData(subsz, await askServer(settings, "SUBSZ", body), "SUBSZ");
  const exact = found.filter((sub) => sub.subject === subject && (sub.account ?? account) === account);
  return new Set(exact.map(({ cid }) => cid));
}

async function clientsOf(settings: InterestSettings): Promise<ReadonlySet<number>> {
  const { account } = settings;
  const cids = new Set<number>();
  for (let offset = 0; ; offset += PAGE) {
    const body = { acc: account, state: OPEN_AND_CLOSED, limit: PAGE, offset };
    const page = readData(connz, await askServer(settings, "CONNZ", body), "CONNZ");
    for (const { cid } of page.connections) cids.add(cid);
    if (page.connections.length < PAGE) return cids;
  }
}

async function askServer(settings: InterestSettings, what: string, body: JsonObject): Promise<JsonObject> {
  const { connection, server, timeout } = settings;
  return readJson(await ask(connection, `$SYS.REQ.SERVER.${server}.${what}`, JSON.stringify(body), timeout));
}

/** A subject without wildcards that `filter` matches. */
function literal(filter: string): string {
  return filter
    .split(".")
    .map((token) => (token === "*" || token === ">" ? "relight" : token))
    .join(".");
}
