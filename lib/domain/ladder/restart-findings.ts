import { claimsInForce } from "../claims/claims-in-force.ts";
import type { Operator } from "../claims/operator.ts";
import { enablesJetStream } from "../limits/jetstream-limits.ts";
import type { Observation, ServerFacts } from "../observation/observation.ts";
import { describeVersions, PANICS_AT_ELECTION } from "../verdict/defects.ts";
import { finding } from "../verdict/findings.ts";
import type { Finding } from "../verdict/verdict.ts";
import { survivesElection } from "./tried/tried.ts";

/** Warns before it happens: on some versions a restart while the account is expired leads to panics. */
export function restartFindings(
  observation: Observation,
  operator: Operator,
  found: readonly Finding[],
): readonly Finding[] {
  if (found.every(({ code }) => code !== "account.expired")) return [];
  const claims = claimsInForce(observation, operator)?.claims;
  if (claims !== undefined && !enablesJetStream(claims)) return [];
  const servers = observation.servers.filter(panics);
  if (servers.length === 0) return [];
  const message = `do not restart any server: a server with version ${describeVersions(servers)} that starts while the account is expired panics at the next election of the meta leader (nats-server ${PANICS_AT_ELECTION}); renew first`;
  const evidence = { servers: servers.map(({ name, version }) => `${name} ${version}`) };
  return [finding("server.restart_panics", "degraded", {}, message, evidence)];
}

/** What a person must know who restarts damaged servers by hand; empty on versions that survive an election. */
export function orderOfRestarts({ servers, meta }: Observation, damaged: readonly string[]): readonly string[] {
  const delicate = servers.filter((server) => damaged.includes(server.name) && panics(server));
  if (delicate.length === 0) return [];
  const leader = meta.ok ? meta.value?.leader : undefined;
  const last = leader === undefined ? "the meta leader" : `the meta leader, now ${leader},`;
  return [
    `${describeVersions(delicate)} panic at each election of the meta leader until they are restarted (nats-server ${PANICS_AT_ELECTION}): restart ${last} last, and do not let it step down before`,
  ];
}

const panics = ({ version, jetstream, topology }: ServerFacts): boolean =>
  jetstream && topology !== "standalone" && !survivesElection(version);
