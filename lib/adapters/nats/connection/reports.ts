import type { ForgottenConsumer, Peer } from "../../../domain/observation/observation.ts";
import type { ConsumerDetail, StreamDetail } from "./answers.ts";

/** Streams and consumers as servers report them. */

/** A stream or consumer as one server reports it. */
export interface Reported<Detail> {
  readonly server: string;
  readonly detail: Detail;
  /** Whether the server is in a cluster: only there have streams and consumers Raft groups. */
  readonly clustered: boolean;
  /** Whether the server is in a cluster but has no node of the group. Then it knows nothing about other replicas. */
  readonly nodeMissing: boolean;
}
export type Replica = Reported<StreamDetail>;
export type ConsumerReplica = Reported<ConsumerDetail>;

/** All servers' reports of one stream or consumer; `best` is the most reliable one. */
export interface Gathered<Detail> {
  readonly best: Reported<Detail>;
  readonly reports: readonly Reported<Detail>[];
  readonly nodeMissingOn: readonly string[];
}

export interface StreamGroup extends Gathered<StreamDetail> {
  readonly consumers: readonly Gathered<ConsumerDetail>[];
  readonly forgotten: readonly ForgottenConsumer[];
}

export type Led = { readonly server: string; readonly detail: Pick<StreamDetail, "cluster"> };

/** The leader. Without a group, it is the server that holds the stream or consumer. */
export function leaderOf({ server, detail }: Led): string | undefined {
  return detail.cluster === undefined ? server : detail.cluster.leader;
}

export function peersOf({ detail }: Led): readonly Peer[] {
  return (detail.cluster?.replicas ?? []).map(({ name, current }) => ({ name, current }));
}

/** Groups items in one pass. (Node 20 lacks `Map.groupBy`.) */
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
