import { describeResolver } from "../claims/resolver-kind.ts";
import { hasQuorum, type MetaGroup, quorumProblems } from "../observation/meta-group.ts";
import type { Probe, ServerFacts } from "../observation/observation.ts";
import type { HealthAnswer, HealthChecks } from "../observation/server-health.ts";
import type { Health } from "../verdict/verdict.ts";
import type { ClusterFacts, DomainMeta, Evidence } from "./layers-facts.ts";

/** The lower three layers, which are about servers. */

const healthy = (about: string, message: string): Evidence => ({ about, health: "healthy", message });

export function serversLayer({ servers, monitoring }: ClusterFacts): readonly Evidence[] {
  const reached = monitoring.map(({ url, checks }): Evidence => {
    const { enabledOnly: check } = checks;
    return check.ok ? healthy(url, "answers") : { about: url, health: "unknown", message: check.message };
  });
  if (!servers.ok) return [{ health: "unknown", message: servers.message }, ...reached];
  const { expected, servers: answered } = servers.value;
  const missing = `only ${answered.length} of ${expected} servers answer; these count the others as members`;
  return [
    ...answered.map(({ server }) =>
      healthy(server.name, ["answers", `version ${server.version}`, ...resolverOf(server)].join(", ")),
    ),
    ...(answered.length < expected ? [{ health: "degraded", message: missing } as const] : []),
    ...reached,
  ];
}

const resolverOf = (server: ServerFacts): string[] => (server.resolver === undefined ? [] : [describeResolver(server)]);

export function jetStreamLayer({ servers, monitoring }: ClusterFacts): readonly Evidence[] {
  if (!servers.ok) return [{ health: "unknown", message: servers.message }];
  const asked = servers.value.servers.map(({ server, checks }) =>
    enabled(server.name, checks.enabledOnly, server.jetstream ? "enabled" : "not configured"),
  );
  const seen = monitoring
    .filter(({ checks }) => checks.enabledOnly.ok)
    .map(({ url, checks }) => enabled(url, checks.enabledOnly, "/healthz?js-enabled-only=true is ok"));
  const none = servers.value.servers.every(({ server }) => !server.jetstream);
  const nothing: Evidence = { health: "unknown", message: "no server that answers has JetStream" };
  return partly([...asked, ...seen, ...(none ? [nothing] : [])]);
}

function enabled(about: string, check: Probe<HealthAnswer>, message: string): Evidence {
  if (!check.ok) return { about, health: "unknown", message: check.message };
  return check.value.ok ? healthy(about, message) : { about, health: "dead", message: check.value.message };
}

/** The layer is dead only if every server is. A dead server beside a healthy one makes it degraded. */
function partly(evidence: readonly Evidence[]): readonly Evidence[] {
  const someLive = evidence.some(({ health }) => health === "healthy");
  const spare = (health: Health): Health => (someLive && health === "dead" ? "degraded" : health);
  return evidence.map((entry) => ({ ...entry, health: spare(entry.health) }));
}

export function metaLayer({ meta, servers, monitoring }: ClusterFacts): readonly Evidence[] {
  if (!servers.ok) return [{ health: "unknown", message: servers.message }];
  const behind = servers.value.servers
    .filter(({ server }) => server.jetstream)
    .flatMap(({ server, checks }) => caughtUp(server.name, checks));
  const seen = monitoring.flatMap(({ url, checks }) => (checks.serverOnly.ok ? caughtUp(url, checks) : []));
  const groups = meta.flatMap(groupEvidence);
  const nothing: Evidence = { health: "unknown", message: "no server that answers has JetStream" };
  return groups.length === 0 ? [nothing] : [...groups, ...behind, ...seen];
}

/** Reports a server that is not ready for clients: it has no meta leader, or has not caught up with it. */
function caughtUp(about: string, { serverOnly: check }: HealthChecks): Evidence[] {
  if (!check.ok) return [{ about, health: "unknown", message: check.message }];
  return check.value.ok ? [] : [{ about, health: "degraded", message: check.value.message }];
}

function groupEvidence({ domain, meta: probe }: DomainMeta): readonly Evidence[] {
  const about = domain === undefined ? {} : { about: `domain ${domain}` };
  if (!probe.ok) return [{ ...about, health: "unknown", message: probe.message }];
  const meta = probe.value;
  if (meta === undefined) return [{ ...about, health: "healthy", message: "a standalone server needs no meta group" }];
  const problems = quorumProblems(meta);
  if (problems.length === 0) return [{ ...about, health: "healthy", message: describe(meta) }];
  const health = hasQuorum(meta) ? "degraded" : "dead";
  return problems.map((message) => ({ ...about, health, message }));
}

function describe({ leader, size }: MetaGroup): string {
  return `${leader} leads ${size} servers, all present and current`;
}
