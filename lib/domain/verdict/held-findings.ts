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
import { cure, doesNot, replicaFindings } from "./replica-findings.ts";
import type { Finding, FindingCode, Verdict } from "./verdict.ts";

/**
 * What should exist, and who holds it among the servers that answer. The account's own view lists what the cluster's
 * metadata has, held or not; without it only the journal knows what a server held that is away. Bringing the server
 * back is the only cure: a peer-remove makes anew, empty, what it alone held, under its old name and age (ran: 2.9.10,
 * 2.10.27, 2.15.1), so that every check is green afterwards.
 */
export function heldFindings(observation: Observation, sight: LastSight | undefined): readonly Finding[] {
  const answering = new Set(observation.servers.map(({ name }) => name));
  const unheld = unheldIn(observation, sight, answering);
  const holders = new Set(unheld.flatMap((asset) => asset.holders));
  const told = toldUnheld(observation);
  return [
    ...unheld.map(unheldFinding),
    ...(told?.ok === false ? [failedProbe("what the cluster has of the account", told)] : []),
    ...replicaFindings(observation, answering, sight),
    ...awayFindings(observation, sight, answering, holders),
  ];
}

/**
 * What is not there, or may not be, because servers are away. What nobody holds though all answer, as what was in memory
 * when all restarted, is no such thing: remedies may well bring it back.
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
  /** Servers that do not answer, one of which may hold it. */
  readonly away: readonly string[];
  readonly replicas?: number;
  /** Whether anybody needs it: an ephemeral consumer's user makes another. */
  readonly certain: boolean;
  readonly source: "cluster" | "journal";
}

/** By the cluster's word where the account was asked, else by the journal's. */
function unheldIn(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
): readonly Missing[] {
  const told = toldUnheld(observation);
  const { accountView } = observation;
  const away = awayIn(observation, answering);
  const failing = accountView.ok === true ? accountView.value.failing.map(({ stream }) => stream) : [];
  // Where all servers answer, what is said of it tells more.
  const isTold = ({ stream, consumer }: Unheld) =>
    away.length === 0 && consumer === undefined && failing.includes(stream);
  if (told?.ok)
    return told.value
      .filter((it) => !isTold(it))
      .flatMap((asset) => missingOf(asset, observation, sight, answering, away));
  return seenAway(observation, sight, answering);
}

const toldUnheld = ({ accountView }: Observation): Probe<readonly Unheld[]> | undefined =>
  accountView.ok === true ? accountView.value.unheld : undefined;

/** Names of the members of the meta group that do not answer, where the group tells. */
function awayIn({ meta }: Observation, answering: ReadonlySet<string>): readonly string[] {
  return meta.ok && meta.value !== undefined ? awayFrom(meta.value, answering).names : [];
}

function missingOf(
  { stream, consumer, holders: told, replicas, durable }: Unheld,
  { domain }: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
  away: readonly string[],
): Missing[] {
  if (consumer !== undefined && durable === false) return [];
  const seen = sight?.streams.find((known) => known.name === stream && known.domain === domain);
  const seenOne = consumer === undefined ? seen : seen?.consumers?.find(({ name }) => name === consumer);
  const wasOn = (seenOne?.servers ?? []).filter((name) => !answering.has(name));
  // Where one server is away, whatever nobody else holds is there.
  const [holders = []] = [told, wasOn, away.length === 1 ? away : []].filter(({ length }) => length > 0);
  const known = replicas ?? (consumer === undefined ? seen?.replicas : undefined);
  return [
    {
      stream,
      source: "cluster",
      holders,
      away: [...new Set([...holders, ...away])],
      ...defined({ consumer }),
      ...defined({ replicas: known }),
      certain: consumer === undefined || durable === true || seenOne !== undefined || !isGenerated(consumer),
    },
  ];
}

/** Servers and clients name ephemeral consumers so: eight letters and digits, or an id of twenty-two somewhere. */
function isGenerated(name: string): boolean {
  return (/^[A-Za-z0-9]{8}$/.test(name) && /[A-Z0-9]/.test(name)) || /[A-Za-z0-9]{22}/.test(name);
}

/** What was held by servers that are away, all of them, and by nobody that answers now. */
function seenAway(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
): readonly Missing[] {
  if (!observation.streams.ok || !observation.elsewhere.ok) return [];
  const isAway = (servers: readonly string[]) =>
    servers.length > 0 && !servers.some((name) => answering.has(name));
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
    source === "journal" ? "by the journal it" : certain ? "it" : "it may be a durable consumer, and";
  const gone = holders.length > 0 ? holders : away;
  const place = gone.length === 0 ? "" : `${holders.length > 0 ? "" : "one of "}${gone.join(" and ")}`;
  const where =
    gone.length > 0
      ? `${it} lives on ${place}, which ${doesNot(gone)} answer; ${cure(gone, nameOfGroup(group))}`
      : `${it} is in the cluster's metadata, all servers answer, and none of them has it`;
  const server = holders.length === 1 ? { server: holders[0] ?? "" } : {};
  return finding(
    what === "stream" ? "stream.unheld" : "consumer.unheld",
    certain ? "dead" : "unknown",
    { ...server, ...group },
    `nobody holds ${what} ${nameOfGroup(group)}${size}: ${where}`,
    {
      probe: source === "journal" ? "journal" : "NAMES, JSZ",
      holders,
      away,
      ...(replicas ? { replicas } : {}),
    },
  );
}

/** Servers that are away, where nobody can list what the account has. */
function awayFindings(
  observation: Observation,
  sight: LastSight | undefined,
  answering: ReadonlySet<string>,
  told: ReadonlySet<string>,
): readonly Finding[] {
  const { meta } = observation;
  if (toldUnheld(observation)?.ok || !mayHaveAssets(observation)) return [];
  if (!meta.ok) return [failedProbe("the meta group", meta)];
  if (meta.value === undefined) return [];
  const { names, unnamed } = awayFrom(meta.value, answering);
  const missing = [
    ...names,
    ...(unnamed > 0 ? [`${unnamed} more of the meta group's ${meta.value.size} servers`] : []),
  ];
  if (missing.length === 0) return [];
  // What is dead by it is told already; what else it may hold is not known all the same.
  const server = names.length === 1 && unnamed === 0 ? { server: names[0] ?? "" } : {};
  const whole = sight?.whole === true && unnamed === 0;
  const known = whole
    ? `when the account was last seen well (${isoTime(sight.at)}) ${told.size > 0 ? "nothing else was" : "nothing of it was"} there alone; what was made since can't be seen without the account's key`
    : "nobody can tell what of the account is there alone: without the account's key, or a look of before, that can't be seen";
  const message = `${missing.join(", ")} ${doesNot(missing)} answer: ${known}`;
  return [
    finding("server.away", whole ? "degraded" : "unknown", server, message, { probe: "JSZ", away: names }),
  ];
}

function mayHaveAssets(observation: Observation): boolean {
  if (observation.streams.ok && observation.streams.value.length > 0) return true;
  return loaded(observation).some(
    ({ jetstream, document, expired }) => !expired && (jetstream || enablesJetStream(document.claims)),
  );
}
