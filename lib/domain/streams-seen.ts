import type { JournalEntry } from "./journal.ts";
import { isJsonObject, type Json } from "./json.ts";
import type { Observation } from "./observation.ts";

/** A stream of an account that was well, and the servers that held it. */
export interface SeenStream {
  readonly name: string;
  readonly servers: readonly string[];
}

/** So many are remembered of one account: enough to clean up by, whatever tests make in it. */
const MOST = 100;

/** What to remember of an account that is well; undefined where its streams were not looked at. */
export function streamsIn({ streams, elsewhere }: Observation): readonly SeenStream[] | undefined {
  if (!streams.ok || !elsewhere.ok) return undefined;
  return [...streams.value, ...elsewhere.value]
    .map(({ name, server, leader, peers }) => {
      const servers = new Set([
        server,
        ...(leader === undefined ? [] : [leader]),
        ...peers.map((peer) => peer.name),
      ]);
      return { name, servers: [...servers].sort() };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .slice(0, MOST);
}

/** What was remembered last; `entries` oldest first. */
export function lastStreams(entries: readonly JournalEntry[]): readonly SeenStream[] {
  const list = entries.findLast(({ kind }) => kind === "streams.seen")?.data["streams"];
  return Array.isArray(list) ? list.flatMap(readStream) : [];
}

function readStream(value: Json): SeenStream[] {
  if (!isJsonObject(value) || typeof value["name"] !== "string") return [];
  const servers = Array.isArray(value["servers"]) ? value["servers"].map(String) : [];
  return [{ name: value["name"], servers }];
}

/** `ORDERS on n1, n2, JOBS on n1`, for people. */
export function describeStreams(streams: readonly SeenStream[]): string {
  const shown = streams.slice(0, 10).map(({ name, servers }) => `${name} on ${servers.join(" and ")}`);
  const more = streams.length - shown.length;
  return [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
