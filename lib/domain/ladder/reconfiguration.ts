import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { fitting, lacksRoom } from "../limits/room.ts";
import { deafStreams, isDeafConsumer, isSilencedMirror, silencedMirrors } from "../observation/deafness.ts";
import { missedConsumers } from "../observation/forgotten.ts";
import { quorumProblems } from "../observation/meta-group.ts";
import type {
  AccountView,
  ConsumerFacts,
  Observation,
  ServerFacts,
  StreamFacts,
} from "../observation/observation.ts";
import { needsParity, staysSingle } from "../observation/replicas.ts";
import { isJsonObject, type JsonObject } from "../time/json.ts";
import { keepsEphemerals, keepsParity, tellsRaftGroups } from "../verdict/defects.ts";
import type { MemoryAsset } from "./memory.ts";

/** A consumer's configuration for a while, and what it is before and after. */
export interface ConsumerChange {
  readonly name: string;
  readonly before: JsonObject;
  readonly during: JsonObject;
  /** It went with its stream, which was in memory: it is made anew if there is none. */
  readonly lost?: true;
}

/** Configurations that are changed for a while, because the change revives what it touches; and the way back. */
export interface Reconfiguration {
  readonly stream: string;
  /** The stream's own; absent where only its consumers are changed. */
  readonly before?: JsonObject;
  readonly during?: JsonObject;
  readonly consumers: readonly ConsumerChange[];
}

/** What {@link scaleUps} would change, and what can't be, with the reason. */
export interface ScaleUps {
  readonly possible: readonly Reconfiguration[];
  readonly refused: readonly { readonly stream: string; readonly why: string }[];
}

/** Three is the least number of replicas that survives a leader who steps down. */
const REPLICAS = 3;

/**
 * The deaf streams and consumers of one replica in a cluster, to be given replicas for a while: then a leader
 * can step down and another subscribes anew. Such that have lost their Raft node are another matter.
 */
export function scaleUps(observation: Observation): ScaleUps {
  const { streams, servers, accountView } = observation;
  const silent = [...deafStreams(observation), ...silencedMirrors(observation)];
  // A mirror that answers a part of the direct gets took a message as a leader: it has its node.
  const deaf = new Set(silent.filter((one) => isNodeSure(one, servers) || isSilencedMirror(one)));
  const view = accountView.ok === true ? accountView.value : undefined;
  const claims = loaded(observation)[0]?.document.claims;
  const wanted = (streams.ok ? streams.value : []).flatMap((stream) => {
    const change = scaleUp(stream, deaf.has(stream), servers);
    return change === undefined ? [] : [{ stream, change, why: cannotScale(stream, servers, view, claims) }];
  });
  const placed = wanted.flatMap(({ change, why }) => (why === undefined ? [change] : []));
  const unplaced = wanted.flatMap(({ stream, why }) =>
    why === undefined ? [] : [{ stream: stream.name, why }],
  );
  const { possible, refused } = fitting(observation, placed);
  return { possible, refused: [...unplaced, ...refused] };
}

/** Servers that name no Raft groups don't tell of a stream without subjects and consumers whether it has its node. */
function isNodeSure({ subjects, consumers }: StreamFacts, servers: readonly ServerFacts[]): boolean {
  return subjects.length + consumers.length > 0 || servers.every(({ version }) => tellsRaftGroups(version));
}

function scaleUp(
  stream: StreamFacts,
  isDeaf: boolean,
  servers: readonly ServerFacts[],
): Reconfiguration | undefined {
  // A consumer may follow its stream: an update of either can end a server that lacks the Raft node.
  if (hasLostNodes(stream)) return undefined;
  const isSingle = stream.replicas === 1 && stream.peers.length === 0;
  const consumers = stream.consumers
    .filter(isDeafConsumer)
    .filter((consumer) => consumer.peers.length === 0 && staysSingle(consumer, stream))
    .filter(() => !needsParity(stream) || !servers.every(({ version }) => keepsParity(version)))
    .filter(({ durable }) => durable || servers.every(({ version }) => keepsEphemerals(version)))
    .map((consumer) => changeOf(consumer, { num_replicas: REPLICAS }));
  // A consumer that goes with its stream gets replicas when the stream does, even if the stream is heard.
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
  if (wouldLosePlace(stream))
    return "the position of a consumer that the cluster has forgotten would be lost";
  const single = losesPosition(stream, servers);
  if (single !== undefined)
    return `consumer ${single}, which says one replica, could start over on servers before 2.10`;
  const places = placesFor(stream, servers).length;
  if (places < REPLICAS)
    return `it needs ${REPLICAS} servers to be placed on${placementOf(stream)}, and there are ${places}`;
  return view === undefined || stream.replicas > 1 ? undefined : lacksRoom(stream, view, claims, REPLICAS);
}

/** A consumer of one replica on such a stream whose position its new replicas may not be told of (ran on 2.9.25). */
function losesPosition(stream: StreamFacts, servers: readonly ServerFacts[]): string | undefined {
  const isOld = !servers.every(({ version }) => keepsParity(version));
  if (!isOld || stream.replicas > 1 || needsParity(stream)) return undefined;
  const own = stream.consumers.find(
    ({ durable, ackFloor, config }) => durable && ackFloor > 0 && config["num_replicas"] === 1,
  );
  return own?.name;
}

/** The servers that the stream may be placed on: in the cluster of its leader, with its tags. */
function placesFor({ server, config }: StreamFacts, servers: readonly ServerFacts[]): readonly ServerFacts[] {
  const own = servers.find(({ name }) => name === server)?.cluster;
  const wanted = placementTags(config);
  return servers.filter(
    ({ jetstream, cluster, tags }) =>
      jetstream && cluster === own && wanted.every((tag) => tags.includes(tag)),
  );
}

/** Servers compare tags in lower case. */
function placementTags({ placement }: JsonObject): readonly string[] {
  const tags = isJsonObject(placement) ? placement["tags"] : undefined;
  return Array.isArray(tags) ? tags.map((tag) => String(tag).toLowerCase()) : [];
}

function placementOf({ config }: StreamFacts): string {
  const tags = placementTags(config);
  return tags.length === 0 ? "" : ` with the tags ${tags.join(", ")}`;
}

/**
 * What a restart while the account was expired left without its Raft nodes, touched so that every server
 * makes them anew: a stream with replicas and every consumer by a value of its metadata, a stream of one by
 * replicas for a while. `lost` are streams held in memory that are gone, as they once were.
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
 * A stream that is given replicas for a while may end up on another server than before, and what a server holds of
 * a forgotten consumer, its position above all, would go with the stream's old place.
 */
function wouldLosePlace(stream: StreamFacts): boolean {
  return stream.replicas === 1 && missedConsumers(stream).length > 0;
}

export function hasLostNodes({ nodeMissingOn, consumers }: StreamFacts): boolean {
  return nodeMissingOn.length > 0 || consumers.some((consumer) => consumer.nodeMissingOn.length > 0);
}

function touch(
  { name, config, replicas, nodeMissingOn, consumers }: StreamFacts,
  mark: string,
): Reconfiguration {
  const touched = replicas > 1 ? marked(config, mark) : { ...config, num_replicas: REPLICAS };
  return {
    stream: name,
    ...(nodeMissingOn.length > 0 ? { before: config, during: touched } : {}),
    consumers: consumers
      .filter((consumer) => consumer.nodeMissingOn.length > 0)
      .map((consumer) => changeOf(consumer, marked(consumer.config, mark))),
  };
}

/** Lost streams of which it is known how they were configured. */
function lostStreams(observation: Observation, known: readonly MemoryAsset[]): readonly MemoryAsset[] {
  const gone = new Set(namesOfLostStreams(observation));
  return known.filter(({ stream, config }) => gone.has(stream) && config !== undefined);
}

/**
 * Streams that the cluster has assigned, and no server holds though all are there: one on a server that is
 * away is not lost.
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
 * Streams in the order in which they are changed: origins before their mirrors. With each update a server gives a mirror
 * `mirror_direct` as its origin has `allow_direct` then, whatever it is told (ran on 2.10.27).
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

/** Reads back what the journal kept of the way back; undefined where it is none. */
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
