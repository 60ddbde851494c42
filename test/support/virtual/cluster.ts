import type { Clock } from "../../../lib/ports/clock.ts";
import type { Cluster } from "../../../lib/ports/cluster.ts";
import type { Restarter } from "../../../lib/ports/remedies.ts";
import { virtualAssets, virtualRestarter } from "./assets.ts";
import { openLink } from "./link.ts";
import { Machines, type MachinesSettings } from "./machines.ts";
import { virtualProbes } from "./probes.ts";
import { virtualResolver } from "./resolver.ts";

export interface VirtualCluster {
  readonly machines: Machines;
  readonly restarter: Restarter;
  /** Connects, as a run does. */
  open(): Cluster;
}

/**
 * A NATS cluster in memory, in the time of the given clock: accounts with real JWTs, servers of any version, streams,
 * consumers, elections, and what versions do to them when an account expires or a server starts meanwhile.
 * test/contracts/cluster.test.ts and resolver.test.ts compare it with real servers.
 */
export function virtualCluster(settings: MachinesSettings): VirtualCluster {
  const { clock } = settings;
  const machines = new Machines(settings);
  return {
    machines,
    restarter: virtualRestarter(machines, openLink(machines, clock)),
    open: () => connected(machines, clock),
  };
}

function connected(machines: Machines, clock: Clock): Cluster {
  const link = openLink(machines, clock);
  const resolver = virtualResolver(machines, link);
  return {
    resolver,
    probes: virtualProbes(machines, link, { clock, resolver }),
    assets: virtualAssets(machines, link, resolver),
    reopen: link.reopen,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
