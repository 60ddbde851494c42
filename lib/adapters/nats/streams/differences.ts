import type { DifferingReplica } from "../../../domain/observation/direct-facts.ts";
import type { StreamDetail } from "../connection/answers.ts";
import { groupBy, peersOf, type StreamGroup } from "../connection/reports.ts";
import type { Held } from "./forgotten.ts";

/** The replicas that hold other messages than their leader, by stream. */
export type Differences = ReadonlyMap<string, readonly DifferingReplica[]>;

/**
 * Finds replicas that count as current and contradict their leader: one is ahead of what the leader has later, or behind
 * what the leader had before. That happens to streams in memory when most of their servers stop at once: servers that come
 * back empty elect one of themselves (seen on 2.10.27).
 * @param readAgain what servers that answer hold now; only asked if any differ, because each answers at another moment
 */
export async function findDifferences(
  streams: readonly StreamGroup[],
  readAgain: () => Promise<readonly Held[]>,
): Promise<Differences> {
  const suspects = streams.filter((stream) =>
    currentReplicas(stream).some((one) => lastOf(one) !== lastOf(stream.best)),
  );
  if (suspects.length === 0) return new Map();
  const now = groupBy(await readAgain(), ({ server, detail }) => copyOf(server.name, detail));
  return new Map(
    suspects.flatMap((stream) => {
      const { best } = stream;
      const leader = now.get(copyOf(best.server, best.detail))?.[0];
      const replicas = currentReplicas(stream).flatMap((replica): DifferingReplica[] => {
        const later = now.get(copyOf(replica.server, replica.detail))?.[0];
        if (leader?.detail.cluster?.leader !== best.server || later === undefined) return [];
        const isAhead = lastOf(replica) > lastOf(leader);
        const isBehind = lastOf(later) < lastOf(best);
        return isAhead || isBehind
          ? [{ server: replica.server, lastSeq: lastOf(later), leaderSeq: lastOf(leader) }]
          : [];
      });
      return replicas.length === 0 ? [] : [[best.detail.name, replicas] as const];
    }),
  );
}

/** According to the leader; none if it did not answer itself. */
function currentReplicas({ best, reports }: StreamGroup): StreamGroup["reports"] {
  if (best.detail.cluster?.leader !== best.server) return [];
  const current = new Set(peersOf(best).flatMap(({ name, current }) => (current ? [name] : [])));
  return reports.filter(({ server, nodeMissing }) => !nodeMissing && current.has(server));
}

const lastOf = ({ detail }: { readonly detail: StreamDetail }): number => detail.state.last_seq;

/** A stream that was recreated is another one. */
const copyOf = (server: string, { name, created }: StreamDetail): string => `${server} ${name} ${created ?? ""}`;
