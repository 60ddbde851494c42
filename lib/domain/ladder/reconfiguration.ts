import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { fitting, lacksRoom } from "../limits/room.ts";
import { deafStreams, isDeafConsumer, isSilencedMirror, silencedMirrors } from "../observation/deafness.ts";
import { missedConsumers } from "../observation/forgotten.ts";
import { quorumProblems } from "../observation/meta-group.ts";
import type { AccountView, ConsumerFacts, Observation, ServerFacts, StreamFacts } from "../observation/observation.ts";
import { needsParity, staysSingle } from "../observation/replicas.ts";
import { isJsonObject, type JsonObject } from "../time/json.ts";
import { keepsEphemerals, keepsParity, reportsRaftGroups } from "../verdict/defects.ts";
import type { MemoryAsset } from "./memory.ts";

/** A consumer's temporary configuration, and the original. */
export interface ConsumerChange {
  readonly name: string;
  readonly before: JsonObject;
  readonly during: JsonObject;
  /** Whether to recreate it if it is missing, because it was lost with its memory stream. */
  readonly lost?: true;
}

/** A temporary change of configurations that revives a stream or its consumers, and how to undo it. */
export interface Reconfiguration {
  readonly stream: string;
  /** The stream's own; absent if only its consumers are changed. */
  readonly before?: JsonObject;
  readonly during?: JsonObject;
  readonly consumers: readonly ConsumerChange[];
}

/** What {@link scaleUps} would change, and what it can't, with the reason. */
export interface ScaleUps {
  readonly possible: readonly Reconfiguration[];
  readonly refused: readonly { readonly stream: string; readonly why: string }[];
}

/** The smallest replica count with which a leader can step down. */
const REPLICAS = 3;

/**
 * The deaf single-replica streams and consumers in a cluster that can be scaled up temporarily, so a leader can step down
 * and another one subscribes. Without those that lost their Raft node, which need another remedy.
 */
export function scaleUps(observation: Observation): ScaleUps {
  const { streams, servers, accountView } = observation;
  const silent = [...deafStreams(observation), ...silencedMirrors(observation)];
  // A mirror that answers some direct gets received a message as leader, so it has its Raft node.
  const deaf = new Set(silent.filter((one) => isNodeSure(one, servers) || isSilencedMirror(one)));
  const view = accountView.ok === true ? accountView.value : undefined;
  const claims = loaded(observation)[0]?.document.claims;
  const wanted = (streams.ok ? streams.value : []).flatMap((stream) => {
    const change = scaleUp(stream, deaf.has(stream), servers);
    return change === undefined ? [] : [{ stream, change, why: cannotScale(stream, servers, view, claims) }];
  });
  const placed = wanted.flatMap(({ change, why }) => (why === undefined ? [change] : []));
  const unplaced = wanted.flatMap(({ stream, why }) => (why === undefined ? [] : [{ stream: stream.name, why }]));
  const { possible, refused } = fitting(observation, placed);
  return { possible, refused: [...unplaced, ...refused] };
}

/** Servers that do not report Raft groups do not reveal whether a stream without subjects and consumers has its node. */
function isNodeSure({ subjects, consumers }: StreamFacts, servers: readonly ServerFacts[]): boolean {
  return subjects.length + consumers.length > 0 || servers.every(({ version }) => reportsRaftGroups(version));
}

function scaleUp(stream: StreamFacts, isDeaf: boolean, servers: readonly ServerFacts[]): Reconfiguration | undefined {
  // A consumer may follow its stream: an update of either can end a server that lacks the Raft node.
  if (hasLostNodes(stream)) return undefined;
  const isSingle = stream.replicas === 1 && stream.peers.length === 0;
  const consumers = stream.consumers
    .filter(isDeafConsumer)
    .filter((consumer) => consumer.peers.length === 0 && staysSingle(consumer, stream))
    .filter(() => !needsParity(stream) || !servers.every(({ version }) => keepsParity(version)))
    .filter(({ durable }) => durable || servers.every(({ version }) => keepsEphemerals(version)))
    .map((consumer) => changeOf(consumer, { num_replicas: REPLICAS }));
  // A consumer that follows its stream gets replicas only with it, even if the stream itself is not deaf.
  const needsStream = isDeaf || stream.consumers.some(isDeafConsumer);
  if (isSingle && needsStream) {
    const { name, config } = stream;
    return { stream: name, before: config, during: { ...config, num_replicas: REPLICAS }, consumers };
  }
  return consumers.length === 0 ? undefined : { stream: stream.name, consumers };
}

function changeOf({ name, config }: ConsumerFacts, change: JsonObject): ConsumerChange {
  const before = { ...config, name };
  return { name, before, during: { ...before, ...change } };
}

function cannotScale(
  stream: StreamFacts,
  servers: readonly ServerFacts[],
  view: AccountView | undefined,
  claims: AccountClaims | undefined,
): string | undefined {
  if (wouldLosePlace(stream)) return "a consumer that the cluster has forgotten would lose its position";
  const single = losesPosition(stream, servers);
  if (single !== undefined)
    return `consumer ${single}, which is configured with one replica, could start over on servers before 2.10`;
  const places = placesFor(stream, servers).length;
  if (places < REPLICAS)
    return `it needs ${REPLICAS} servers${placementOf(stream)}, but there ${places === 1 ? "is 1" : `are ${places}`}`;
  return view === undefined || stream.replicas > 1 ? undefined : lacksRoom(stream, view, claims, REPLICAS);
}

/** A single-replica consumer whose new replicas may not receive its position (tested on 2.9.25). */
function losesPosition(stream: StreamFacts, servers: readonly ServerFacts[]): string | undefined {
  const isOld = !servers.every(({ version }) => keepsParity(version));
  if (!isOld || stream.replicas > 1 || needsParity(stream)) return undefined;
  const own = stream.consumers.find(
    ({ durable, ackFloor, config }) => durable && ackFloor > 0 && config["num_replicas"] === 1,
  );
  return own?.name;
}

/** The servers on which the stream may be placed: in its leader's cluster, with its tags. */
function placesFor({ server, config }: StreamFacts, servers: readonly ServerFacts[]): readonly ServerFacts[] {
  const own = servers.find(({ name }) => name === server)?.cluster;
  const wanted = placementTags(config);
  return servers.filter(
    ({ jetstream, cluster, tags }) => jetstream && cluster === own && wanted.every((tag) => tags.includes(tag)),
  );
}

/** In lower case, as servers compare them. */
function placementTags({ placement }: JsonObject): readonly string[] {
  const tags = isJsonObject(placement) ? placement["tags"] : undefined;
  return Array.isArray(tags) ? tags.map((tag) => String(tag).toLowerCase()) : [];
}

function placementOf({ config }: StreamFacts): string {
  const tags = placementTags(config);
  return tags.length === 0 ? "" : ` with the tags ${tags.join(", ")}`;
}

/**
 * Updates that make every server recreate Raft nodes that it lost in a restart while the account was expired. Replicated
 * streams and all consumers get a metadata value, single-replica streams temporary replicas.
 * @param lost configurations of memory streams, to recreate those that are lost
 */
export function touches(
  observation: Observation,
  lost: readonly MemoryAsset[],
  mark: string,
): readonly Reconfiguration[] {
  const held = observation.streams.ok ? observation.streams.value : [];
  const damaged = held.filter((stream) => hasLostNodes(stream) && !wouldLosePlace(stream));
  const touched = damaged.map((stream) => touch(stream, mark));
  return [...touched, ...lostStreams(observation, lost).map((asset) => touchLost(asset, mark))];
}

/**
 * A stream that is scaled up temporarily may end up on another server. The old server would then drop its forgotten
 * consumers with their positions.
 */
function wouldLosePlace(stream: StreamFacts): boolean {
  return stream.replicas === 1 && missedConsumers(stream).length > 0;
}

export function hasLostNodes({ nodeMissingOn, consumers }: StreamFacts): boolean {
  return nodeMissingOn.length > 0 || consumers.some((consumer) => consumer.nodeMissingOn.length > 0);
}

function touch({ name, config, replicas, nodeMissingOn, consumers }: StreamFacts, mark: string): Reconfiguration {
  const touched = replicas > 1 ? marked(config, mark) : { ...config, num_replicas: REPLICAS };
  return {
    stream: name,
    ...(nodeMissingOn.length > 0 ? { before: config, during: touched } : {}),
    consumers: consumers
      .filter((consumer) => consumer.nodeMissingOn.length > 0)
      .map((consumer) => changeOf(consumer, marked(consumer.config, mark))),
  };
}

/** Lost streams whose configurations are known. */
function lostStreams(observation: Observation, known: readonly MemoryAsset[]): readonly MemoryAsset[] {
  const gone = new Set(namesOfLostStreams(observation));
  return known.filter(({ stream, config }) => gone.has(stream) && config !== undefined);
}

/**
 * Streams that the cluster has assigned but no server holds, although all servers answer. A stream on an absent server is
 * not lost.
 */
export function namesOfLostStreams({ streams, accountView, meta }: Observation): readonly string[] {
  if (!streams.ok || accountView.ok !== true || !meta.ok || meta.value === undefined) return [];
  if (quorumProblems(meta.value).length > 0) return [];
  const held = new Set(streams.value.map(({ name }) => name));
  return accountView.value.failing.map(({ stream }) => stream).filter((stream) => !held.has(stream));
}

function touchLost({ stream, config = {}, consumers }: MemoryAsset, mark: string): Reconfiguration {
  return {
    stream,
    before: config,
    during: marked(config, mark),
    consumers: consumers.map((before) => {
      const name = String(before["durable_name"]);
      return { name, before, during: marked(before, mark), lost: true };
    }),
  };
}

function marked(config: JsonObject, mark: string): JsonObject {
  const metadata = isJsonObject(config["metadata"]) ? config["metadata"] : {};
  return { ...config, metadata: { ...metadata, "relight.touch": mark } };
}

/**
 * Streams in update order: origins before their mirrors. At each update of a mirror the server sets its `mirror_direct` to
 * the origin's current `allow_direct`, whatever the request says (tested on 2.10.27).
 */
export function originsFirst<One extends { readonly stream: string; readonly config: JsonObject }>(
  wanted: readonly One[],
): readonly (readonly One[])[] {
  const names = new Set(wanted.map(({ stream }) => stream));
  const ready = wanted.filter(({ config }) => !names.has(originOf(config) ?? ""));
  if (ready.length === wanted.length || ready.length === 0) return wanted.length === 0 ? [] : [wanted];
  return [ready, ...originsFirst(wanted.filter((one) => !ready.includes(one)))];
}

function originOf({ mirror }: JsonObject): string | undefined {
  return isJsonObject(mirror) && typeof mirror["name"] === "string" ? mirror["name"] : undefined;
}

/** Reads a reconfiguration back from the journal; undefined if the entry holds none. */
export function readReconfiguration(value: JsonObject): Reconfiguration | undefined {
  const { stream, undo } = value;
  if (typeof stream !== "string" || !isJsonObject(undo)) return undefined;
  const { before, consumers } = undo;
  const changes = Array.isArray(consumers) ? consumers.filter(isJsonObject) : [];
  return {
    stream,
    ...(isJsonObject(before) ? { before } : {}),
    consumers: changes as unknown as readonly ConsumerChange[],
  };
}
