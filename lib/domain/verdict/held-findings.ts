import { loaded } from "../claims/claims-in-force.ts";
import { type Group, nameOfGroup } from "../ladder/step-down.ts";
import { enablesJetStream } from "../limits/jetstream-limits.ts";
import { allStreams, keyOf } from "../observation/domains.ts";
import { awayFrom } from "../observation/meta-group.ts";
import type { Observation, Probe, Unheld } from "../observation/observation.ts";
import type { LastSight } from "../observation/streams-seen.ts";
import { defined } from "../time/defined.ts";
import { isoTime } from "../time/time.ts";
import { failedProbe, finding } from "./findings.ts";
import { adviceOnAbsent, doesNot, replicaFindings } from "./replica-findings.ts";
import type { Finding, FindingCode, Verdict } from "./verdict.ts";

/**
 * Findings about streams and consumers that should exist, but that no responding server holds. The account's own view
 * lists the cluster's metadata; without it, only the journal knows what an absent server held. The only cure is to bring
 * the server back. A peer-remove recreates what it alone held, empty, with the old names and creation times, and every
 * check is green afterwards (tested on 2.9.10, 2.10.27, 2.15.1).
 */
export function heldFindings(observation: Observation, sight: LastSight | undefined): readonly Finding[] {
  const answering = new Set(observation.servers.map(({ name }) => name));
  const unheld = unheldIn(observation, sight, answering);
  const holders = new Set(unheld.flatMap((asset) => asset.holders));
  const reported = reportedUnheld(observation);
  return [
    ...unheld.map(unheldFinding),
    ...(reported?.ok === false
      ? [failedProbe("the account's streams and consumers in the cluster's metadata", reported)]
      : []),
    ...replicaFindings(observation, answering, sight),
    ...awayFindings(observation, sight, answering, holders),
  ];
}

/**
 * Findings about what is or may be missing because servers are away. Excludes what no server holds although all answer,
 * such as memory streams after a restart of all servers, because remedies may restore that.
 */
export function hiddenByAway(
  { findings }: Pick<Verdict, "findings">,
  { servers }: Pick<Observation, "servers">,
): Finding | undefined {
  const answering = new Set(servers.map(({ name }) => name));
  return findings.find(({ code, evidence: { away } }) => {
    if (code === "server.away") return true;
    return HIDING.has(code) && Array.isArray(away) && away.some((name) => !answering.has(String(name)));
  });
}

const HIDING: ReadonlySet<FindingCode> = new Set([
  ...(["stream.unheld", "consumer.unheld", "stream.no_majority", "consumer.no_majority"] as const),
]);

interface Missing extends Group {
  readonly holders: readonly string[];
  /** Absent servers that may hold it. */
  readonly away: readonly string[];
  readonly replicas?: number;
  /** Whether it is certainly missed: clients recreate ephemeral consumers. */
  readonly certain: boolean;
  readonly source: "cluster" | "journal";
}

/** From the account's own view if available, otherwise from the journal. */
function unheldIn(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
): readonly Missing[] {
  const reported = reportedUnheld(observation);
  const { accountView } = observation;
  const away = awayIn(observation, answering);
  const failing = accountView.ok === true ? accountView.value.failing.map(({ stream }) => stream) : [];
  // If all servers answer, other findings say more.
  const isReported = ({ stream, consumer }: Unheld) =>
    away.length === 0 && consumer === undefined && failing.includes(stream);
  if (reported?.ok)
    return reported.value
      .filter((it) => !isReported(it))
      .flatMap((asset) => missingOf(asset, observation, sight, answering, away));
  return seenAway(observation, sight, answering);
}

const reportedUnheld = ({ accountView }: Observation): Probe<readonly Unheld[]> | undefined =>
  accountView.ok === true ? accountView.value.unheld : undefined;

/** Names of the meta group's members that do not answer, if known. */
function awayIn({ meta }: Observation, answering: ReadonlySet<string>): readonly string[] {
  return meta.ok && meta.value !== undefined ? awayFrom(meta.value, answering).names : [];
}

function missingOf(
  { stream, consumer, holders: reported, replicas, durable }: Unheld,
  { domain }: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
  away: readonly string[],
): Missing[] {
  if (consumer !== undefined && durable === false) return [];
  const seen = sight?.streams.find((known) => known.name === stream && known.domain === domain);
  const seenOne = consumer === undefined ? seen : seen?.consumers?.find(({ name }) => name === consumer);
  if (consumer !== undefined && seenOne === undefined && durable === undefined && isOrdered(consumer)) return [];
  const wasOn = (seenOne?.servers ?? []).filter((name) => !answering.has(name));
  // If one server is away, it must hold whatever the others lack.
  const [holders = []] = [reported, wasOn, away.length === 1 ? away : []].filter(({ length }) => length > 0);
  const known = replicas ?? (consumer === undefined ? seen?.replicas : undefined);
  return [
    {
      stream,
      source: "cluster",
      holders,
      away: [...new Set([...holders, ...away])],
      ...defined({ consumer, replicas: known }),
      certain: consumer === undefined || durable === true || seenOne !== undefined || !isGenerated(consumer),
    },
  ];
}

/** By the name that nats.js gives its ordered consumers. They are ephemeral, and their clients make new ones. */
const isOrdered = (name: string): boolean => /^oc_[A-Za-z0-9]{22}_\d+$/.test(name);

/** Servers and clients generate names of ephemeral consumers: eight letters and digits, or an id of twenty-two. */
function isGenerated(name: string): boolean {
  return (/^[A-Za-z0-9]{8}$/.test(name) && /[A-Z0-9]/.test(name)) || /[A-Za-z0-9]{22}/.test(name);
}

/** What only absent servers held, and no responding server holds now. */
function seenAway(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
): readonly Missing[] {
  if (!observation.streams.ok || !observation.elsewhere.ok) return [];
  const isAway = (servers: readonly string[]) => servers.length > 0 && !servers.some((name) => answering.has(name));
  const now = new Map(allStreams(observation).map((stream) => [keyOf(stream), stream]));
  return (sight?.streams ?? []).flatMap((stream): Missing[] => {
    const held = now.get(keyOf(stream));
    const common = { stream: stream.name, source: "journal", certain: true } as const;
    const { replicas, servers: holders } = stream;
    if (held === undefined)
      return isAway(holders) ? [{ ...common, holders, away: holders, ...defined({ replicas }) }] : [];
    const names = new Set([...held.consumers, ...held.forgotten].map(({ name }) => name));
    return (stream.consumers ?? [])
      .filter(({ name, servers }) => !names.has(name) && isAway(servers))
      .map(({ name: consumer, servers }) => ({ ...common, consumer, holders: servers, away: servers }));
  });
}

function unheldFinding({ stream, consumer, holders, away, replicas, certain, source }: Missing): Finding {
  const group = { stream, ...defined({ consumer }) };
  const what = consumer === undefined ? "stream" : "consumer";
  const size = replicas === undefined ? "" : ` (R${replicas})`;
  const it =
    source === "journal" ? "according to the journal it" : certain ? "it" : "it may be a durable consumer, and";
  const gone = holders.length > 0 ? holders : away;
  const place = gone.length === 0 ? "" : `${holders.length > 0 ? "" : "one of "}${gone.join(" and ")}`;
  const where =
    gone.length > 0
      ? `${it} is on ${place}, which ${doesNot(gone)} answer`
      : `${it} is in the cluster's metadata, but all servers answer and none has it`;
  const server = holders.length === 1 ? { server: holders[0] ?? "" } : {};
  return finding(
    what === "stream" ? "stream.unheld" : "consumer.unheld",
    certain ? "dead" : "unknown",
    { ...server, ...group },
    `no server holds ${what} ${nameOfGroup(group)}${size}: ${where}`,
    {
      probe: source === "journal" ? "journal" : "NAMES, JSZ",
      holders,
      away,
      ...(replicas ? { replicas } : {}),
    },
    gone.length > 0 ? adviceOnAbsent(gone, nameOfGroup(group)) : undefined,
  );
}

/** Absent servers, if the account's streams and consumers can't be listed. */
function awayFindings(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
  reported: ReadonlySet<string>,
): readonly Finding[] {
  const { meta } = observation;
  if (reportedUnheld(observation)?.ok || !mayHaveAssets(observation)) return [];
  if (!meta.ok) return [failedProbe("the meta group", meta)];
  if (meta.value === undefined) return [];
  const { names, unnamed } = awayFrom(meta.value, answering);
  const missing = [
    ...names,
    ...(unnamed > 0 ? [`${unnamed} more of the meta group's ${meta.value.size} servers`] : []),
  ];
  if (missing.length === 0) return [];
  // Other findings name what is known to be missing; the server may hold more.
  const server = names.length === 1 && unnamed === 0 ? { server: names[0] ?? "" } : {};
  const whole = sight?.whole === true && unnamed === 0;
  const known = whole
    ? `${reported.size > 0 ? "nothing else" : "nothing"} existed only there when the account was last healthy (${isoTime(sight.at)}); newer streams can't be seen without the account's key`
    : "streams that exist only there can't be seen, because Relight has neither the account's key nor an earlier healthy check";
  const message = `${missing.join(", ")} ${doesNot(missing)} answer: ${known}`;
  return [finding("server.away", whole ? "degraded" : "unknown", server, message, { probe: "JSZ", away: names })];
}

function mayHaveAssets(observation: Observation): boolean {
  if (observation.streams.ok && observation.streams.value.length > 0) return true;
  return loaded(observation).some(
    ({ jetstream, document, expired }) => !expired && (jetstream || enablesJetStream(document.claims)),
  );
}
