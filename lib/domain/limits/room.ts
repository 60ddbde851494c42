import type { AccountClaims } from "../claims/claims.ts";
import type { AccountView, Observation, StreamFacts } from "../observation/observation.ts";
import type { JsonObject } from "../time/json.ts";
import { limitObjection, raising } from "./fit.ts";
import type { Counted } from "./limit-usage.ts";

/** Whether the account's limits allow temporary configuration changes. */

/** The temporary configurations of a stream and its consumers. */
export interface Change {
  readonly stream: string;
  readonly during?: JsonObject;
  readonly consumers: readonly { readonly name: string; readonly during: JsonObject }[];
}

export interface Fitting<T> {
  readonly possible: readonly T[];
  readonly refused: readonly { readonly stream: string; readonly why: string }[];
}

/** Splits the changes: as many as fit the account's limits at once, and the rest, which may fit after these are undone. */
export function fitting<T extends Change>(observation: Observation, changes: readonly T[]): Fitting<T> {
  if (exceeds(observation, changes) === undefined) return { possible: changes, refused: [] };
  const possible: T[] = [];
  const refused: { stream: string; why: string }[] = [];
  for (const change of changes) {
    const why = exceeds(observation, [...possible, change]);
    if (why === undefined) possible.push(change);
    else refused.push({ stream: change.stream, why });
  }
  return { possible, refused };
}

/** Why the account's limits forbid the changes, before or during them; undefined if they don't. */
export function exceeds(observation: Observation, changes: readonly Change[]): string | undefined {
  if (changes.length === 0) return undefined;
  const during = new Map(changes.map((change) => [change.stream, change]));
  return limitObjection(observation, (streams) => [
    streams,
    streams.map((stream) => changed(stream, during.get(stream.name))),
  ]);
}

function changed(stream: StreamFacts, change: Change | undefined): Counted {
  if (change === undefined) return stream;
  const replicas = Number(change.during?.["num_replicas"] ?? stream.replicas);
  const configs = new Map(change.consumers.map(({ name, during }) => [name, during]));
  const consumers = stream.consumers.map(({ name, config }) => ({ config: configs.get(name) ?? config }));
  return { ...stream, replicas, consumers };
}

/**
 * Why the account has no room for two more replicas; undefined if it has. Flat limits count every replica. Tier limits
 * count a stream once, but three replicas need the tier R3.
 */
export function lacksRoom(
  { storage, bytes, config }: StreamFacts,
  { info: { limits } }: AccountView,
  claims: AccountClaims | undefined,
  replicas: number,
): string | undefined {
  const reserved = Math.max(bytes, Number(config["max_bytes"] ?? 0));
  const flat = limits["flat"];
  const tier = `R${replicas}`;
  const room = (flat ?? limits[tier])?.[storage];
  const raise = (needed: number): string => {
    const size = `${Math.max(1, Math.ceil(needed / 2 ** 20))}MiB`;
    const place = flat === undefined ? ` --tier ${tier}` : "";
    const options = `${storage === "file" ? "--storage" : "--memory"} ${size}${place}`;
    return claims === undefined ? "" : `; ${raising([{ options }], claims)}`;
  };
  if (flat === undefined && limits[tier] === undefined)
    return Object.keys(limits).length === 0 ? undefined : `the account's limits have no tier ${tier}${raise(reserved)}`;
  const needed = flat === undefined ? reserved : reserved * (replicas - 1);
  if (room === undefined || room.limit < 0 || room.used + needed <= room.limit) return undefined;
  return `two more replicas need ${needed} bytes of ${storage} storage, but the account has ${Math.max(0, room.limit - room.used)} left of ${room.limit}${raise(room.used + needed)}`;
}
