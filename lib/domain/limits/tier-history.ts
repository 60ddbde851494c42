import { loaded } from "../claims/claims-in-force.ts";
import type { JournalEntry } from "../journal/journal.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import { isJsonObject } from "../time/json.ts";
import type { EpochMillis } from "../time/time.ts";
import { hasTiers, limitsOf } from "./jetstream-limits.ts";

/** What the journal knows about an account's tiers: since when, and on which servers, they are known to be in force. */
export interface TierHistory {
  /** Since when no server was seen to leave them; absent if none was seen with tiers. */
  readonly unbrokenSince?: EpochMillis;
  readonly servers: ReadonlyMap<string, ServerTiers>;
}

export interface ServerTiers {
  /** When Relight first saw the server with tiers. */
  readonly since: EpochMillis;
  /** The server's ids since then, oldest first: a server has a new id after each start. */
  readonly ids: readonly string[];
}

export const NO_TIERS_SEEN: TierHistory = { servers: new Map() };

/** Ids of servers that run claims with tiers, by server name: the data of an entry `tiers.seen`. */
export type TieredServers = { readonly [server: string]: string };

/** The history in the entries `tiers.seen`; `entries` oldest first. */
export function tierHistory(entries: readonly JournalEntry[]): TierHistory {
  let history = NO_TIERS_SEEN;
  for (const { kind, at, data } of entries)
    if (kind === "tiers.seen") history = extended(history, at, readServers(data));
  return history;
}

function extended(
  { servers, unbrokenSince = undefined }: TierHistory,
  at: EpochMillis,
  now: TieredServers,
): TierHistory {
  const isBroken = unbrokenSince === undefined || [...servers.keys()].some((name) => now[name] === undefined);
  const next = Object.entries(now).map(([name, id]): [string, ServerTiers] => {
    const { since, ids } = servers.get(name) ?? { since: at, ids: [] };
    return [name, { since, ids: [...ids.filter((one) => one !== id), id] }];
  });
  if (next.length === 0) return NO_TIERS_SEEN;
  return { unbrokenSince: isBroken ? at : unbrokenSince, servers: new Map(next) };
}

const readServers = ({ servers }: JournalEntry["data"]): TieredServers =>
  isJsonObject(servers) ? Object.fromEntries(Object.entries(servers).map(([name, id]) => [name, String(id)])) : {};

const seenStreams = ({ streams, elsewhere }: Observation): readonly StreamFacts[] => [
  ...(streams.ok ? streams.value : []),
  ...(elsewhere.ok ? elsewhere.value : []),
];

/** Whether some servers apply tiers to the account and none applies flat limits. */
export function isTiered(observation: Observation): boolean {
  const isFlat = seenStreams(observation).some(({ flatOn = [] }) => flatOn.length > 0);
  return !isFlat && loaded(observation).some(({ document }) => hasTiers(limitsOf(document.claims)));
}

/**
 * The servers to store, if that is news. A server that did not answer, or has the account not loaded, stays as it was:
 * only one that applies flat limits has left the tiers, or has not entered them.
 */
export function tiersToStore(observation: Observation, history: TierHistory): TieredServers | undefined {
  const known = new Map([...history.servers].map(([name, { ids }]) => [name, ids.at(-1) ?? ""]));
  const now = new Map(known);
  const flat = new Set(seenStreams(observation).flatMap(({ flatOn = [] }) => flatOn));
  const ids = new Map(observation.servers.map(({ name, id }) => [name, id]));
  for (const { server, document } of loaded(observation)) {
    const id = ids.get(server);
    if (flat.has(server) || !hasTiers(limitsOf(document.claims))) now.delete(server);
    else if (id !== undefined) now.set(server, id);
  }
  const isSame = now.size === known.size && [...now].every(([name, id]) => known.get(name) === id);
  return isSame ? undefined : Object.fromEntries([...now].sort(([one], [other]) => (one < other ? -1 : 1)));
}
