import type { Expectations } from "../claims/account.ts";
import { loaded } from "../claims/claims-in-force.ts";
import {
  BEAT_GAP,
  faultOf,
  isAhead,
  lacksHeartbeats,
  lastSeqOf,
  missingOf,
  receivesNothing,
} from "../observation/deafness.ts";
import { allStreams, domainOf, type KnownOrigin, knownOrigin, originsOf } from "../observation/domains.ts";
import type { Observation, OriginFacts, StreamFacts } from "../observation/observation.ts";
import { formatDuration, millis } from "../time/time.ts";
import { failedProbe, finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/**
 * Mirrors and sources that receive nothing. Degraded if another finding explains it or nothing is missing yet; otherwise
 * dead.
 * @param others findings about leafnodes and domains.
 */
export function originFindings(
  observation: Observation,
  expected: Expectations,
  others: readonly Finding[],
): Finding[] {
  const streams = allStreams(observation);
  const unreported = streams.flatMap(({ name, server, origins }) =>
    origins.ok ? [] : [failedProbe(`the origins of stream ${name}`, origins, { server, stream: name })],
  );
  const copies = originsOf(streams).map(({ stream, origin }) => ({
    stream,
    origin,
    known: knownOrigin(observation, origin, stream),
  }));
  const stalled = copies
    .filter(({ origin, known }) => lacksHeartbeats(origin) || receivesNothing(origin, known))
    .map(({ stream, origin, known }) => {
      const cause = causeOf({ observation, expected, others }, stream, origin, known);
      return stalledFinding(stream, origin, known, cause);
    });
  const ahead = copies
    .filter(({ stream, origin, known }) => isAhead(stream, origin, known))
    .map(({ stream, origin, known }) => aheadFinding(stream, origin, lastSeqOf(known) ?? 0));
  return [...unreported, ...stalled, ...ahead];
}

function aheadFinding({ name, server, lastSeq }: StreamFacts, origin: OriginFacts, last: number): Finding {
  const evidence = { probe: "JSZ", origin: origin.stream, originLastSeq: last, lastSeq };
  const message = `mirror ${name} ends at ${lastSeq}, but its origin ${nameOf(origin)} at ${last}: it receives nothing until the origin has passed it; save its messages and recreate it`;
  return finding("stream.ahead_of_origin", "dead", { server, stream: name }, message, evidence);
}

function stalledFinding(
  stream: StreamFacts,
  origin: OriginFacts,
  known: KnownOrigin,
  cause: string | undefined,
): Finding {
  const missing = missingOf(origin, known);
  const health = cause !== undefined || missing === 0 ? "degraded" : "dead";
  const { lag, activeAgo = null, error = null, domain = null } = origin;
  const evidence = {
    probe: "JSZ",
    origin: origin.stream,
    domain,
    lag,
    activeAgoMillis: activeAgo,
    error,
    missing: missing ?? null,
  };
  const because = cause === undefined ? lackOf(missing, known) : `stalled because ${cause}`;
  const reason = origin.error === undefined ? "" : ` (${origin.error})`;
  const message = `stream ${stream.name} has received nothing from ${nameOf(origin)} ${howLong(origin)}${reason}: ${because}`;
  return finding("stream.stalled", health, { server: stream.server, stream: stream.name }, message, evidence);
}

function nameOf({ stream, domain, api }: OriginFacts): string {
  if (domain !== undefined) return `${stream} in domain ${domain}`;
  return api === undefined ? stream : `${stream} behind ${api}`;
}

/** A server may report the time since its own last attempt, which can be shorter than our observation. */
function howLong(origin: OriginFacts): string {
  const { activeAgo } = origin;
  if (activeAgo === undefined) return "since its leader was elected";
  if (!lacksHeartbeats(origin)) return "but heartbeats during the check";
  const since = Math.max(activeAgo, origin.later.length * BEAT_GAP);
  return `for ${formatDuration(millis(since))}`;
}

function lackOf(missing: number | undefined, known: KnownOrigin): string {
  if (isAbsent(known)) return "the origin does not exist";
  if (missing === 0) return "it lacks no messages yet";
  if (missing !== undefined) return `it lacks ${missing} messages that its origin has`;
  return lastSeqOf(known) === undefined
    ? "its origin can't be checked, so it is unknown what is missing"
    : "its origin works, but sequences do not tell what is missing";
}

function isAbsent(known: KnownOrigin): boolean {
  return known.kind === "absent" || (known.kind === "asked" && known.answer.answer === "not-found");
}

interface Surroundings {
  readonly observation: Observation;
  readonly expected: Expectations;
  readonly others: readonly Finding[];
}

/** Another finding that explains the stall. */
function causeOf(
  { observation, expected, others }: Surroundings,
  copy: StreamFacts,
  origin: OriginFacts,
  known: KnownOrigin,
): string | undefined {
  if (loaded(observation).some(({ expired }) => expired)) return "the account has expired";
  if (copy.nodeMissingOn.length > 0) return "it has lost its own Raft node";
  const fault = known.kind === "seen" ? faultOf(known.stream) : undefined;
  if (fault !== undefined) return `its origin ${origin.stream} ${fault}`;
  const domain = domainOf(origin, copy);
  const leafnodes = new Set(expected.leafnodes.filter((leaf) => leaf.domain === domain).map(({ name }) => name));
  return others.find(
    ({ health, subject }) =>
      health === "dead" &&
      ((subject.leafnode !== undefined && leafnodes.has(subject.leafnode)) ||
        (subject.domain !== undefined && subject.domain === domain)),
  )?.message;
}
