import { setTimeout as wait } from "node:timers/promises";
import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { BEAT_GAP, hidesCopies } from "../../../domain/observation/deafness.ts";
import { keyOf, originsOf } from "../../../domain/observation/domains.ts";
import type { OriginFacts, OriginReading, ServerFacts, StreamFacts } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { probe } from "../../../errors.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { leaderOf } from "../connection/reports.ts";
import { reportedOrigins } from "./origins.ts";
import { heldOn, type StreamProbeSettings } from "./streams.ts";

/** Two gaps between readings. Servers retry after three seconds at the earliest (tested on 2.9.10), so one gap has no retry. */
const MORE_READINGS = 2;

/**
 * Reads the state of mirrors and sources several times, which takes three seconds. Does nothing if there are none, or if
 * something else is faulty, which must be fixed first.
 */
export async function listenToOrigins(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  streams: readonly StreamFacts[],
): Promise<readonly StreamFacts[]> {
  let heard = streams;
  if (!heard.some(isCopy) || heard.some(hidesCopies)) return heard;
  for (let readings = 0; readings < MORE_READINGS; readings++) {
    await wait(BEAT_GAP);
    const now = await readOrigins(settings, account, servers, heard.filter(isCopy));
    heard = heard.map((stream) => withReadings(stream, now.get(keyOf(stream))));
  }
  return heard;
}

const isCopy = (stream: StreamFacts): boolean => originsOf([stream]).length > 0;

/** The current state from the leaders of these mirrors and sources, if they answer. */
async function readOrigins(
  settings: StreamProbeSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  copies: readonly StreamFacts[],
): Promise<ReadonlyMap<string, readonly OriginFacts[]>> {
  const leaders = new Set(copies.map(({ leader }) => leader));
  const asked = servers.filter(({ name }) => leaders.has(name));
  const answers = await pMap(
    asked,
    (server) => probe(() => heldOn(settings, account, server, { consumer: false, raft: false })),
    { concurrency: AT_ONCE },
  );
  const readings = new Map<string, readonly OriginFacts[]>();
  for (const { server, detail } of answers.flatMap((answer) => (answer.ok ? answer.value : []))) {
    const origins = reportedOrigins(detail, leaderOf({ server: server.name, detail }) === server.name);
    if (origins.ok) readings.set(keyOf({ domain: server.domain, name: detail.name }), origins.value);
  }
  return readings;
}

function withReadings(stream: StreamFacts, now: readonly OriginFacts[] | undefined): StreamFacts {
  const { origins } = stream;
  if (!origins.ok || origins.value.length === 0) return stream;
  const value = origins.value.map((origin, index) => ({
    ...origin,
    later: [...origin.later, readingOf(now?.[index])],
  }));
  return { ...stream, origins: { ok: true, value } };
}

/** A reading; empty if no server answered. */
function readingOf({ activeAgo, taken, error }: Partial<OriginFacts> = {}): OriginReading {
  return {
    ...defined({ activeAgo, taken, error }),
  };
}
