import type { Probe, ServerFacts } from "../observation/observation.ts";
import { formatSize } from "../time/sizes.ts";
import { type Check, check, NEAR } from "./checks.ts";
import type { SmallestPayload } from "./checks-accounts.ts";
import type { JetStreamVitals, ServerCheckup, ServerVitals } from "./vitals.ts";

/** A tenth of what nats-server keeps before it drops requests (`js_api_queue`, 2.10). */
export const BACKLOG = 1_000;
/** Fewer requests prove no share of errors. */
const ENOUGH_REQUESTS = 1_000;
const MANY_ERRORS = 0.1;

/** Servers of different versions, or of one name. */
export function serverListChecks(servers: readonly Pick<ServerFacts, "id" | "name" | "version">[]): readonly Check[] {
  return [...versionChecks(servers), ...nameChecks(servers)];
}

function versionChecks(servers: readonly Pick<ServerFacts, "name" | "version">[]): readonly Check[] {
  const versions = [...new Set(servers.map(({ version }) => version))].sort();
  if (versions.length < 2) return [];
  const counts = Object.fromEntries(
    versions.map((version) => [version, servers.filter((server) => server.version === version).length]),
  );
  const message = `servers run ${versions.map((version) => `${version} (${counts[version]})`).join(", ")}`;
  return [check("server.versions_mixed", {}, message, { versions: counts })];
}

function nameChecks(servers: readonly Pick<ServerFacts, "id" | "name">[]): readonly Check[] {
  return [...new Set(servers.map(({ name }) => name))].flatMap((name) => {
    const ids = servers.filter((server) => server.name === name).map(({ id }) => id);
    if (ids.length < 2) return [];
    return [check("server.name_twice", { server: name }, `${ids.length} servers are called ${name}`, { ids })];
  });
}

/** What each server says about itself. */
export function vitalsChecks(checkups: readonly ServerCheckup[]): readonly Check[] {
  return [
    ...checkups.flatMap(({ server, vitals, leafnodes }) => [
      ...unseen(server, "how busy it is", vitals),
      ...(vitals.ok ? unseen(server, "its leafnodes", leafnodes) : []),
      ...(vitals.ok ? checksOf(server, vitals.value) : []),
    ]),
    ...payloadChecks(checkups),
  ];
}

function unseen(server: string, what: string, probe: Probe<unknown>): readonly Check[] {
  if (probe.ok) return [];
  return [check("server.unseen", { server }, `did not tell ${what}: ${probe.message}`, { what, error: probe.code })];
}

function checksOf(server: string, vitals: ServerVitals): readonly Check[] {
  const { jetstream } = vitals;
  return [
    ...connectionChecks(server, vitals),
    ...loadChecks(server, vitals),
    ...slowChecks(server, vitals),
    ...(jetstream === undefined ? [] : [...storageChecks(server, jetstream), ...apiChecks(server, jetstream)]),
  ];
}

function connectionChecks(
  server: string,
  { connections: used, maxConnections: limit }: ServerVitals,
): readonly Check[] {
  if (limit === 0 || used < limit * NEAR) return [];
  const code = used >= limit ? "server.connections_full" : "server.connections_near";
  return [check(code, { server }, `${used} of ${limit} connections are in use`, { used, limit })];
}

function loadChecks(server: string, { cpu, cores, memory, memoryLimit }: ServerVitals): readonly Check[] {
  const percent = Math.round(cpu);
  const busy = `uses ${percent} % of a core, and has ${cores}`;
  const full = `uses ${formatSize(memory)} of the ${formatSize(memoryLimit ?? 0)} of memory that it may`;
  return [
    ...(cpu >= cores * 100 * NEAR ? [check("server.cpu", { server }, busy, { percent, cores })] : []),
    ...(memoryLimit !== undefined && memory >= memoryLimit * NEAR
      ? [check("server.memory", { server }, full, { used: memory, limit: memoryLimit })]
      : []),
  ];
}

function slowChecks(server: string, { slow }: ServerVitals): readonly Check[] {
  const { clients, routes, gateways, leafnodes } = slow;
  const links = `has cut slow connections since its start: ${routes} routes, ${gateways} gateways, ${leafnodes} leafnodes`;
  return [
    ...(clients > 0
      ? [check("server.slow_clients", { server }, `has cut ${clients} slow clients since its start`, { clients })]
      : []),
    ...(routes + gateways + leafnodes > 0
      ? [check("server.slow_links", { server }, links, { routes, gateways, leafnodes })]
      : []),
  ];
}

const STORAGES = { file: "max_file", memory: "max_mem" } as const;

function storageChecks(server: string, { max, reserved, used }: JetStreamVitals): readonly Check[] {
  return (["file", "memory"] as const).flatMap((storage) => {
    const limit = max[storage];
    const near = (bytes: number): boolean => limit > 0 && bytes >= limit * NEAR;
    const of = `of its ${STORAGES[storage]} (${formatSize(limit)})`;
    return [
      ...(near(used[storage])
        ? [
            check("server.storage_near", { server }, `stores ${formatSize(used[storage])} ${of}`, {
              storage,
              used: used[storage],
              limit,
            }),
          ]
        : []),
      ...(near(reserved[storage])
        ? [
            check("server.reserved_near", { server }, `has reserved ${formatSize(reserved[storage])} ${of}`, {
              storage,
              used: reserved[storage],
              limit,
            }),
          ]
        : []),
    ];
  });
}

function apiChecks(server: string, { requests, errors, inflight, pending }: JetStreamVitals): readonly Check[] {
  const failed = `${errors} of ${requests} JetStream API requests failed since its start`;
  const limit = BACKLOG;
  return [
    ...(requests >= ENOUGH_REQUESTS && errors >= requests * MANY_ERRORS
      ? [check("server.api_errors", { server }, failed, { errors, requests })]
      : []),
    ...(inflight >= BACKLOG
      ? [check("server.api_backlog", { server }, `${inflight} JetStream API requests wait`, { inflight, limit })]
      : []),
    ...(pending >= BACKLOG
      ? [check("meta.backlog", { server }, `${pending} changes wait for the meta group`, { pending, limit })]
      : []),
  ];
}

/** The server that accepts the smallest messages; undefined if no server said. */
export function smallestPayload(checkups: readonly ServerCheckup[]): SmallestPayload | undefined {
  return checkups
    .flatMap(({ server, vitals }) => (vitals.ok ? [{ server, bytes: vitals.value.maxPayload }] : []))
    .reduce<SmallestPayload | undefined>((least, one) => (least && least.bytes <= one.bytes ? least : one), undefined);
}

function payloadChecks(checkups: readonly ServerCheckup[]): readonly Check[] {
  const sizes = Object.fromEntries(
    checkups.flatMap(({ server, vitals }) => (vitals.ok ? [[server, vitals.value.maxPayload] as const] : [])),
  );
  if (new Set(Object.values(sizes)).size < 2) return [];
  const message = `servers accept messages of ${[...new Set(Object.values(sizes))]
    .sort((a, b) => a - b)
    .map(formatSize)
    .join(", ")} (max_payload)`;
  return [check("server.payloads_differ", {}, message, { sizes })];
}
