import type { Expectations } from "../claims/account.ts";
import { loaded } from "../claims/claims-in-force.ts";
import { lacksHeartbeats } from "../observation/deafness.ts";
import { allStreams, domainOf, originsOf, viewOf } from "../observation/domains.ts";
import type { DomainView, Observation } from "../observation/observation.ts";
import { failedProbe, finding } from "./findings.ts";
import type { Finding } from "./verdict.ts";

/**
 * Findings about JetStream domains that the account needs. A domain that streams only copy from is checked only if a copy
 * is silent: a copy that receives heartbeats proves the domain.
 */
export function domainFindings(observation: Observation, { domains }: Expectations): Finding[] {
  const silent = originsOf(allStreams(observation)).filter(({ origin }) => lacksHeartbeats(origin));
  const used = silent.flatMap(({ stream, origin }) => domainOf(origin, stream) ?? []);
  const needed = new Set([...domains, ...used]);
  if (observation.domain !== undefined) needed.delete(observation.domain);
  return [...needed].flatMap((domain) => {
    const view = viewOf(observation, domain);
    return view === undefined ? notAsked(observation, domain, domains) : domainFinding(view);
  });
}

function domainFinding({ domain, jetstream, message = "" }: DomainView): Finding[] {
  const subject = { domain };
  const evidence = { probe: `$JS.${domain}.API.INFO`, said: message };
  switch (jetstream) {
    case "enabled":
      return [];
    case "disabled":
      return [finding("domain.disabled", "dead", subject, `JetStream in domain ${domain}: ${message}`, evidence)];
    case "silent":
      return [finding("domain.silent", "dead", subject, `domain ${domain} does not answer: ${message}`, evidence)];
    case "unknown":
      return [failedProbe(`domain ${domain}`, { code: "nats.unauthorized", message }, subject)];
  }
}

/** Without an account key, Relight knows a domain only from servers that share the system account. */
function notAsked(observation: Observation, domain: string, expected: readonly string[]): Finding[] {
  const { accountView, servers } = observation;
  if (accountView.ok !== "not-asked" || !expected.includes(domain)) return [];
  const here = new Set(servers.filter((server) => server.domain === domain).map(({ name }) => name));
  const holders = loaded(observation).filter(({ server }) => here.has(server));
  if (holders.some(({ jetstream }) => jetstream)) return [];
  return [failedProbe(`domain ${domain}`, { code: "not-asked", message: accountView.why }, { domain })];
}
