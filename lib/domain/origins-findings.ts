import type { Expectations } from "./account.ts";
import { loaded } from "./claims-findings.ts";
import { allStreams, domainOf, originsOf, type Sight, sightOf } from "./domains.ts";
import { failedProbe, finding } from "./findings.ts";
import type { Observation, OriginFacts, StreamFacts } from "./observation.ts";
import { formatDuration, millis } from "./time.ts";
import type { Finding } from "./verdict.ts";

/**
 * Origins send their copies a heartbeat every second, messages or not, so that silence is no want of messages
 * (ran: 2.9.10, 2.10.27, 2.15.1). The servers themselves try again within ten seconds.
 */
const QUIET = millis(10_000);

/**
 * An attempt that failed may set the time since the last heartbeat back to zero (ran: 2.10.27), so that an origin
 * that is gone would count as heard every other moment. Its error is told until an attempt succeeds (ran: 2.9.10,
 * 2.10.27, 2.15.1).
 */
export function isQuiet({ activeAgo, error }: OriginFacts): boolean {
  return error !== undefined || activeAgo === undefined || activeAgo > QUIET;
}

/**
 * Mirrors and sources that receive nothing. Degraded where something else that was found is why, or where
 * nothing is missing yet; dead otherwise.
 * @param others what was found about leafnodes and domains.
 */
export function originFindings(
  observation: Observation,
  expected: Expectations,
  others: readonly Finding[],
): Finding[] {
  const streams = allStreams(observation);
  const untold = streams.flatMap(({ name, server, origins }) =>
    origins.ok ? [] : [failedProbe(`what stream ${name} copies from`, origins, { server, stream: name })],
  );
  const stalled = originsOf(streams)
    .filter(({ origin }) => isQuiet(origin))
    .map(({ stream, origin }) => {
      const sight = sightOf(observation, origin, stream);
      const cause = causeOf({ observation, expected, others }, stream, origin, sight);
      return stalledFinding(stream, origin, sight, cause);
    });
  return [...untold, ...stalled];
}

function stalledFinding(
  stream: StreamFacts,
  origin: OriginFacts,
  sight: Sight,
  cause: string | undefined,
): Finding {
  const missing = missingOf(origin, sight);
  const health = cause !== undefined || missing === 0 ? "degraded" : "dead";
  const { lag, activeAgo = null, error = null, domain = null } = origin;
  const evidence = {
    ...{ probe: "JSZ", origin: origin.stream, domain, lag, activeAgoMillis: activeAgo, error },
    missing: missing ?? null,
  };
  const because = cause === undefined ? lackOf(missing, sight) : `stalled because ${cause}`;
  const said = origin.error === undefined ? "" : ` (${origin.error})`;
  const message = `stream ${stream.name} has received nothing from ${nameOf(origin)} ${howLong(origin)}${said}: ${because}`;
  return finding("stream.stalled", health, { server: stream.server, stream: stream.name }, message, evidence);
}

function nameOf({ stream, domain, api }: OriginFacts): string {
  if (domain !== undefined) return `${stream} in domain ${domain}`;
  return api === undefined ? stream : `${stream} behind ${api}`;
}

function howLong({ activeAgo }: OriginFacts): string {
  return activeAgo === undefined ? "since it has its leader" : `for ${formatDuration(activeAgo)}`;
}

/** How many messages it lacks; undefined where that can't be told. */
function missingOf({ taken }: OriginFacts, sight: Sight): number | undefined {
  const last = lastSeqOf(sight);
  return taken === undefined || last === undefined ? undefined : Math.max(0, last - taken);
}

function lastSeqOf(sight: Sight): number | undefined {
  if (sight.kind === "seen") return sight.stream.lastSeq;
  return sight.kind === "asked" && sight.answer.answer === "found" ? sight.answer.lastSeq : undefined;
}

function lackOf(missing: number | undefined, sight: Sight): string {
  if (isAbsent(sight)) return "there is no such stream";
  if (missing === 0) return "it lacks no message yet";
  if (missing !== undefined) return `it lacks ${missing} messages that its origin has`;
  return lastSeqOf(sight) === undefined
    ? "its origin can't be looked at, so what it lacks is unknown"
    : "its origin works; what it lacks can't be told by sequences";
}

function isAbsent(sight: Sight): boolean {
  return sight.kind === "absent" || (sight.kind === "asked" && sight.answer.answer === "not-found");
}

interface Surroundings {
  readonly observation: Observation;
  readonly expected: Expectations;
  readonly others: readonly Finding[];
}

/** What else was found that explains it. */
function causeOf(
  { observation, expected, others }: Surroundings,
  copy: StreamFacts,
  origin: OriginFacts,
  sight: Sight,
): string | undefined {
  if (loaded(observation).some(({ expired }) => expired)) return "the account has expired";
  if (copy.nodeMissingOn.length > 0) return "it has lost its own Raft node";
  const ill = sight.kind === "seen" ? illness(sight.stream) : undefined;
  if (ill !== undefined) return `its origin ${origin.stream} ${ill}`;
  const domain = domainOf(origin, copy);
  const leafnodes = new Set(
    expected.leafnodes.filter((leaf) => leaf.domain === domain).map(({ name }) => name),
  );
  return others.find(
    ({ health, subject }) =>
      health === "dead" &&
      ((subject.leafnode !== undefined && leafnodes.has(subject.leafnode)) ||
        (subject.domain !== undefined && subject.domain === domain)),
  )?.message;
}

function illness({ leader, deafSubjects, nodeMissingOn }: StreamFacts): string | undefined {
  if (leader === undefined) return "has no leader";
  if (nodeMissingOn.length > 0) return "has lost its Raft node";
  return deafSubjects.ok && deafSubjects.value.length > 0 ? "is deaf" : undefined;
}
