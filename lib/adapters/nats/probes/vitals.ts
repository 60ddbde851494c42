import pMap from "p-map";
import { lt } from "semver";
import * as z from "zod";
import type {
  JetStreamVitals,
  LeafVitals,
  ServerCheckup,
  ServerVitals,
  SlowConsumers,
} from "../../../domain/doctor/vitals.ts";
import type { ServerFacts } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { goDuration } from "../../../domain/time/go-duration.ts";
import { probe } from "../../../errors.ts";
import { type LeafDetail, readData } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { askingServer, type ListSettings, leafConnectionsOf } from "./lists.ts";

const bytes = z.number().default(0);
/** Counters of connections by kind; reported since 2.10. */
const slowConsumers = z.looseObject({ clients: bytes, routes: bytes, gateways: bytes, leafs: bytes }).optional();
/** The parts of VARZ that say how busy a server is. */
const varzVitals = z.looseObject({
  connections: z.number().default(0),
  max_connections: z.number().default(0),
  max_payload: z.number(),
  cpu: z.number().default(0),
  cores: z.number().default(1),
  gomaxprocs: z.number().optional(),
  mem: z.number().default(0),
  gomemlimit: z.number().optional(),
  slow_consumers: z.number().default(0),
  slow_consumer_stats: slowConsumers,
  leafnodes: z.number().default(0),
  jetstream: z
    .looseObject({
      config: z.looseObject({ max_memory: z.number(), max_storage: z.number() }).optional(),
      stats: z
        .looseObject({
          memory: bytes,
          storage: bytes,
          reserved_memory: bytes,
          reserved_storage: bytes,
          ha_assets: z.number().default(0),
          api: z
            .looseObject({
              total: z.number().default(0),
              errors: z.number().default(0),
              inflight: z.number().default(0),
            })
            .optional(),
        })
        .optional(),
      meta: z.looseObject({ pending: z.number().default(0) }).nullish(),
    })
    .default({}),
});
type VarzVitals = z.infer<typeof varzVitals>;

/** Since this version LEAFZ names the other server, and who opened the connection. */
const REPORTS_DIRECTION = "2.10.0";

/** VARZ of each server, and LEAFZ of those that have leafnode connections. */
export async function serversCheckup(
  settings: ListSettings,
  servers: readonly ServerFacts[],
): Promise<readonly ServerCheckup[]> {
  return pMap(servers, (server) => checkupOf(settings, server), { concurrency: AT_ONCE });
}

async function checkupOf(settings: ListSettings, { id, name, version }: ServerFacts): Promise<ServerCheckup> {
  const seen = await probe(async () => readData(varzVitals, await askingServer(settings, id, "VARZ")({}), "VARZ"));
  if (!seen.ok) return { server: name, vitals: seen, leafnodes: seen };
  const leafnodes = await probe(async () => {
    if (seen.value.leafnodes === 0) return [];
    const leafs = await leafConnectionsOf(askingServer(settings, id, "LEAFZ"));
    return leafs.map((leaf) => leafVitals(leaf, version));
  });
  return { server: name, vitals: { ok: true, value: vitalsOf(seen.value) }, leafnodes };
}

function vitalsOf(varz: VarzVitals): ServerVitals {
  const { cores, gomaxprocs = cores, gomemlimit = 0 } = varz;
  return {
    connections: varz.connections,
    maxConnections: Math.max(0, varz.max_connections),
    maxPayload: varz.max_payload,
    cpu: varz.cpu,
    cores: Math.max(1, Math.min(cores, gomaxprocs)),
    memory: varz.mem,
    ...(isLimit(gomemlimit) ? { memoryLimit: gomemlimit } : {}),
    slow: slowOf(varz),
    ...defined({ jetstream: jetStreamOf(varz) }),
  };
}

/** Go's default is the largest number. */
const isLimit = (bytes: number): boolean => bytes > 0 && bytes < Number.MAX_SAFE_INTEGER;

/** Before 2.10 only the sum is known; almost always they are clients. */
function slowOf({ slow_consumers: all, slow_consumer_stats: kinds }: VarzVitals): SlowConsumers {
  if (kinds === undefined) return { clients: all, routes: 0, gateways: 0, leafnodes: 0 };
  const { clients, routes, gateways, leafs: leafnodes } = kinds;
  return { clients, routes, gateways, leafnodes };
}

function jetStreamOf({ jetstream: { config, stats, meta } }: VarzVitals): JetStreamVitals | undefined {
  if (config === undefined || stats === undefined) return undefined;
  return {
    max: { memory: config.max_memory, file: config.max_storage },
    reserved: { memory: stats.reserved_memory, file: stats.reserved_storage },
    used: { memory: stats.memory, file: stats.storage },
    assets: stats.ha_assets,
    requests: stats.api?.total ?? 0,
    errors: stats.api?.errors ?? 0,
    inflight: stats.api?.inflight ?? 0,
    pending: meta?.pending ?? 0,
  };
}

function leafVitals({ account, name, is_spoke: opened, rtt }: LeafDetail, version: string): LeafVitals {
  const isTold = !lt(version, REPORTS_DIRECTION);
  return {
    account,
    ...(name && isTold ? { name } : {}),
    accepted: !opened,
    ...defined({ roundTrip: goDuration(rtt ?? "") }),
  };
}
