import { type Loaded, loaded } from "../claims/claims-in-force.ts";
import { skewOf } from "../observation/clocks.ts";
import type { Observation, ServerFacts, StreamFacts } from "../observation/observation.ts";
import type { LastSight } from "../observation/streams-seen.ts";
import { toMillis } from "../time/time.ts";
import { hasTiers, limitsOf } from "./jetstream-limits.ts";
import { tiersOf } from "./limit-changes.ts";
import { NO_TIERS_SEEN, type TierHistory } from "./tier-history.ts";

/**
 * Whether streams count in a tier, without asking the account. Only `$JS.API.INFO` says it (docs/decisions/0037): a stream
 * that is older than the tiers counts in none, and servers refuse its messages (nats-server #2971). A server assigns the
 * tier when the stream is created, updated, or recovered at the server's start, so each server is proved by itself.
 */

/** What earlier checks know. */
export interface TierEvidence {
  readonly tiers?: TierHistory;
  /** The account when it was last healthy. */
  readonly sight?: LastSight;
}

/** A server applies the limits of new claims a moment after it notes their time. */
const APPLIES_WITHIN = 1_000;
/** How inexactly the clocks of two machines are known: the network may take that long. */
const CLOCKS_WITHIN = 5_000;

/**
 * Streams of which it is not proved that they count in a tier, on a server that answers and runs claims with tiers.
 * Streams that accept no messages anyway are left out: sealed ones, and those without a tier for their replicas.
 */
export function unprovedStreams(observation: Observation, evidence: TierEvidence): readonly StreamFacts[] {
  const { streams, elsewhere, accountView: view } = observation;
  // The account was asked, or the failed question is a finding of its own. It tells of its own domain only.
  const own = view.ok === "not-asked" && streams.ok ? streams.value : [];
  const others = elsewhere.ok ? elsewhere.value : [];
  const running = new Map(loaded(observation).map((entry) => [entry.server, entry]));
  return [...own, ...others].filter((stream) => {
    if (stream.config["sealed"] === true) return false;
    return holdersOf(stream).some((holder) => {
      const entry = running.get(holder);
      if (entry === undefined || tierOf(entry, stream) === undefined) return false;
      // Whatever the claims say, the server applies no tiers.
      if (stream.flatOn?.includes(holder)) return false;
      return !isProved(stream, entry, observation, evidence);
    });
  });
}

const holdersOf = ({ server, leader, peers }: StreamFacts): readonly string[] => [
  ...new Set([server, ...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)]),
];

function tierOf({ document }: Loaded, { replicas }: StreamFacts): unknown {
  const limits = limitsOf(document.claims);
  return hasTiers(limits) ? tiersOf(limits)[`R${replicas}`] : undefined;
}

/** Whether the stream counts in its tier on the server. */
function isProved(stream: StreamFacts, entry: Loaded, observation: Observation, evidence: TierEvidence): boolean {
  const { tiers = NO_TIERS_SEEN, sight } = evidence;
  const server = observation.servers.find(({ name }) => name === entry.server);
  if (server === undefined) return false;
  return (
    isYounger(stream, entry, server, observation) ||
    isYoungerThanSeen(stream, server, observation, tiers) ||
    hasAccepted(stream, entry) ||
    hasRestarted(server, tiers) ||
    (wasProved(tiers, sight) && keepsClaims(server, entry, tiers))
  );
}

/** It was created after the server applied its claims. In a cluster the meta leader's clock says when, whichever it was. */
function isYounger({ created }: StreamFacts, { appliedAt }: Loaded, server: ServerFacts, seen: Observation): boolean {
  if (appliedAt === undefined) return false;
  const at = timeOf(created);
  const isAlone = server.topology === "standalone" || server.topology === "leaf";
  if (isAlone) return at > appliedAt + APPLIES_WITHIN;
  return at - skewOf(seen.servers).ahead > appliedAt - (server.clockSkew ?? 0) + CLOCKS_WITHIN;
}

/** It was created after Relight saw the server with tiers: a renewal applies the claims anew. */
function isYoungerThanSeen(
  { created }: StreamFacts,
  server: ServerFacts,
  seen: Observation,
  tiers: TierHistory,
): boolean {
  const since = tiers.servers.get(server.name)?.since;
  return since !== undefined && timeOf(created) - skewOf(seen.servers).ahead > since + CLOCKS_WITHIN;
}

/**
 * The server stored a message in it after it applied its claims. 2.9.10 stores a message that it refuses, and removes it
 * again (tested), so the last message counts only if none is missing. Of a stream with replicas this proves only the leader. A
 * mirror has its origin's times.
 */
function hasAccepted(stream: StreamFacts, { server, appliedAt }: Loaded): boolean {
  const { replicas, leader, lastAt, messages, firstSeq, lastSeq, config } = stream;
  if (appliedAt === undefined || replicas !== 1 || leader !== server || config["mirror"]) return false;
  const isLastThere = messages > 0 && messages === lastSeq - firstSeq + 1;
  return isLastThere && timeOf(lastAt) > appliedAt + APPLIES_WITHIN;
}

/** The server ran tiers and started again since, from claims that its resolver kept: it recovered everything in a tier. */
function hasRestarted({ name, id, resolver }: ServerFacts, { servers }: TierHistory): boolean {
  const keeps = resolver === "full" || resolver === "cache";
  return keeps && servers.get(name)?.ids.some((one) => one !== id) === true;
}

/** Everything was proved at the last healthy check, and no server was seen without tiers since. */
function wasProved({ unbrokenSince }: TierHistory, sight: LastSight | undefined): boolean {
  return sight?.tiers === true && unbrokenSince !== undefined && unbrokenSince <= sight.at;
}

/** Whether the server can't have started since with other claims, which a MEMORY or URL resolver may have. */
function keepsClaims(
  { name, id, resolver, configuredAt }: ServerFacts,
  { document }: Loaded,
  { servers }: TierHistory,
): boolean {
  if (resolver !== "memory-or-url" || servers.get(name)?.ids.at(-1) === id) return true;
  return configuredAt !== undefined && toMillis(document.claims.iat) <= configuredAt;
}

/** NaN if unknown: then nothing is younger. */
const timeOf = (text: string | undefined): number => Date.parse(text ?? "");
