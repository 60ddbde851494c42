import { type Group, nameOfGroup } from "../ladder/step-down.ts";
import { keyOf } from "../observation/domains.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import type { LastSight } from "../observation/streams-seen.ts";
import { finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/** Whether enough servers with a replica of each stream and consumer answer and are current. */
export function replicaFindings(
  observation: Observation,
  answering: ReadonlySet<string>,
  sight: LastSight | undefined,
): readonly Finding[] {
  return replicated(observation)
    .filter(({ server, reportedBy = server }) => answering.has(reportedBy))
    .flatMap((stream) => replicasOf(stream, answering, sight));
}

/** A standalone server has no replicas. */
function replicated({ streams, elsewhere, meta }: Observation): readonly StreamFacts[] {
  const isAlone = meta.ok && meta.value === undefined;
  return [...(streams.ok && !isAlone ? streams.value : []), ...(elsewhere.ok ? elsewhere.value : [])];
}

export const doesNot = (names: readonly string[]): string => (names.length === 1 ? "does not" : "do not");

/** What to do about absent servers, and what not to do. */
export function adviceOnAbsent(holders: readonly string[], name: string): string {
  const holder = holders.length > 0 ? holders.join(" and ") : "the server that holds it";
  const it = holders.length > 1 ? "them" : "it";
  return `bring ${holder} back, with its storage; do not peer-remove ${it}: that empties ${name}`;
}

type GroupFacts = Pick<StreamFacts, "server" | "leader" | "reportedBy" | "peers" | "nodeMissingOn">;

interface Replicated extends GroupFacts {
  readonly group: Group;
  readonly replicas: number;
  readonly seen: readonly string[];
}

function replicasOf(
  stream: StreamFacts,
  answering: ReadonlySet<string>,
  sight: LastSight | undefined,
): readonly Finding[] {
  const seen = sight?.streams.find((known) => keyOf(known) === keyOf(stream));
  const own = judgeReplicas({ ...stream, group: { stream: stream.name }, seen: seen?.servers ?? [] }, answering);
  if (own.some(({ health }) => health === "dead")) return own;
  const reported = new Set(own.map(({ code, subject }) => `${code.split(".")[1]} ${subject.server}`));
  const consumers = stream.consumers.flatMap((consumer) => {
    const group = { stream: stream.name, consumer: consumer.name };
    const known = seen?.consumers?.find(({ name }) => name === consumer.name);
    // A consumer may have fewer replicas than its stream.
    const replicated = { ...consumer, group, replicas: 1, seen: known?.servers ?? [] };
    return judgeReplicas(replicated, answering);
  });
  // Do not repeat a stream's finding for each of its consumers.
  return [...own, ...consumers.filter(({ code, subject }) => !reported.has(`${code.split(".")[1]} ${subject.server}`))];
}

function judgeReplicas(asset: Replicated, answering: ReadonlySet<string>): readonly Finding[] {
  const { group, leader, peers, nodeMissingOn, replicas } = asset;
  const what = group.consumer === undefined ? "stream" : "consumer";
  const name = `${what} ${nameOfGroup(group)}`;
  const members = membersOf(asset);
  const away = [...members].filter((member) => !answering.has(member) && !isNameless(member)).sort();
  const size = Math.max(replicas, members.size);
  const missing = size - members.size;
  // A leader without a majority notices that only after about ten seconds. A group of one needs no others.
  const lost = new Set([...away, ...nodeMissingOn]).size + (leader ? 0 : missing);
  const left = size - lost;
  if (left <= size / 2 && (away.length > 0 || (!leader && missing > 0 && nodeMissingOn.length === 0)))
    return [noMajority(what, name, asset, away, left, size)];
  const replicasAway = away.map((server) => replicaAway(what, name, group, server));
  // Without Raft nodes, servers know no leader and no replicas; other findings say so.
  if (nodeMissingOn.length > 0) return replicasAway;
  const isLed = leader !== undefined && leader !== "" && !away.includes(leader);
  return [
    ...(isLed ? [] : [leaderless(what, name, asset)]),
    ...replicasAway,
    ...(missing > 0 ? [replicaMissing(name, group, missing, replicas)] : []),
    ...peers
      .filter((peer) => isLed && !peer.current && !away.includes(peer.name))
      .map((peer) => replicaBehind(what, name, group, peer.name)),
  ];
}

function membersOf({ server, leader, reportedBy = server, peers }: GroupFacts): ReadonlySet<string> {
  return new Set([server, reportedBy, ...(leader ? [leader] : []), ...peers.map(({ name }) => name)]);
}

/** A server that has just started does not know the others' names yet. */
const isNameless = (name: string): boolean => name.startsWith("Server name unknown");

function noMajority(
  what: "stream" | "consumer",
  name: string,
  { group, seen, replicas }: Replicated,
  away: readonly string[],
  left: number,
  size: number,
): Finding {
  const gone = away.length > 0 ? away : seen.filter((server) => server !== "");
  const absent =
    away.length > 0
      ? `${away.join(" and ")} ${doesNot(away)} answer`
      : `no server has the other replicas${gone.length > 0 ? ` (it was on ${gone.join(" and ")})` : ""}`;
  const size_ = replicas > 1 ? ` (R${replicas})` : "";
  const todo =
    away.length > 0
      ? adviceOnAbsent(away, nameOfGroup(group))
      : "bring back the server that had the other replica; until then nothing can be published or fetched";
  return finding(
    what === "stream" ? "stream.no_majority" : "consumer.no_majority",
    "dead",
    { ...(away.length === 1 ? { server: away[0] ?? "" } : {}), ...group },
    `${name}${size_} has ${left} of ${size} replicas but needs ${Math.floor(size / 2) + 1}: ${absent}`,
    { probe: "JSZ", away },
    todo,
  );
}

function leaderless(what: "stream" | "consumer", name: string, { group, leader, server }: Replicated): Finding {
  const code = what === "stream" ? "stream.no_leader" : "consumer.no_leader";
  const why = leader ? `: its leader ${leader} does not answer` : "";
  return finding(code, "unknown", { server, ...group }, `${name} has no leader${why}`, { probe: "JSZ" });
}

const replicaAway = (what: "stream" | "consumer", name: string, group: Group, server: string): Finding =>
  finding(
    what === "stream" ? "stream.replica_away" : "consumer.replica_away",
    "degraded",
    { server, ...group },
    `${name} has a replica on ${server}, which does not answer; the other replicas continue without it`,
    { probe: "JSZ" },
  );

const replicaMissing = (name: string, group: Group, missing: number, replicas: number): Finding =>
  finding("stream.replica_away", "degraded", group, `${name} lacks ${missing} of its ${replicas} replicas`, {
    probe: "JSZ",
  });

const replicaBehind = (what: "stream" | "consumer", name: string, group: Group, server: string): Finding =>
  finding(
    what === "stream" ? "stream.replica_behind" : "consumer.replica_behind",
    "degraded",
    { server, ...group },
    `${name}: its replica on ${server} has not caught up`,
    { probe: "JSZ" },
  );
