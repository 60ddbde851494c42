import type { ForgottenConsumer, Peer } from "../../../domain/observation/observation.ts";
import type { ConsumerDetail, StreamDetail } from "./answers.ts";

/** Streams and consumers as servers tell of them, and what is the same of both. */

/** A stream or consumer as one server tells of it. */
export interface Told<Detail> {
  readonly server: string;
  readonly detail: Detail;
  /** Only in a cluster have streams and consumers Raft groups. */
  readonly clustered: boolean;
  /** The server is in a cluster and has no node of the group: it speaks for nobody but itself. */
  readonly nodeMissing: boolean;
}
export type Replica = Told<StreamDetail>;
export type ConsumerReplica = Told<ConsumerDetail>;

/** What all servers tell of one stream or consumer; `best` is the one to believe. */
export interface Gathered<Detail> {
  readonly best: Told<Detail>;
  readonly told: readonly Told<Detail>[];
  readonly nodeMissingOn: readonly string[];
}

export interface StreamGroup extends Gathered<StreamDetail> {
  readonly consumers: readonly Gathered<ConsumerDetail>[];
  readonly forgotten: readonly ForgottenConsumer[];
}

export type Led = { readonly server: string; readonly detail: Pick<StreamDetail, "cluster"> };

/** Who leads it. Where nothing is said of a group there is none: the server that holds it leads it. */
export function leaderOf({ server, detail }: Led): string | undefined {
  return detail.cluster === undefined ? server : detail.cluster.leader;
}

export function peersOf({ detail }: Led): readonly Peer[] {
  return (detail.cluster?.replicas ?? []).map(({ name, current }) => ({ name, current }));
}

/** Hundreds of streams on several servers are gone through once. (`Map.groupBy` is not in Node 20.) */
export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
