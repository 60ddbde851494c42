import type { ServerFacts } from "../observation/observation.ts";
import { type Check, check } from "./checks.ts";
import type { DomainMeta } from "./layers-facts.ts";
import type { LeafVitals, ServerCheckup } from "./vitals.ts";

/** Milliseconds: more than between continents. */
export const SLOW_ROUND_TRIP = 250;

interface Connection extends LeafVitals {
  readonly server: string;
}

export function leafnodeChecks(checkups: readonly ServerCheckup[]): readonly Check[] {
  const all = checkups.flatMap(({ server, leafnodes }) =>
    leafnodes.ok ? leafnodes.value.map((leaf): Connection => ({ ...leaf, server })) : [],
  );
  const accepted = all.filter((leaf) => leaf.accepted);
  return [...slowChecks(accepted), ...twiceChecks(accepted)];
}

/** Of connections that hubs accepted: the other side measures the same. */
function slowChecks(accepted: readonly Connection[]): readonly Check[] {
  return accepted.flatMap(({ server, name, account, roundTrip = 0 }) => {
    if (roundTrip < SLOW_ROUND_TRIP) return [];
    const milliseconds = Math.round(roundTrip);
    const about = { server, ...(name === undefined ? {} : { leafnode: name }) };
    const message = `a round trip takes ${milliseconds} ms (account ${account})`;
    return [check("leafnode.slow", about, message, { account, milliseconds, limit: SLOW_ROUND_TRIP })];
  });
}

function twiceChecks(accepted: readonly Connection[]): readonly Check[] {
  const byLeaf = new Map<string, Connection[]>();
  for (const leaf of accepted) {
    if (leaf.name === undefined) continue;
    const key = JSON.stringify([leaf.name, leaf.account]);
    byLeaf.set(key, [...(byLeaf.get(key) ?? []), leaf]);
  }
  return [...byLeaf.values()].flatMap((connections) => {
    const [{ name: leafnode, account } = {}] = connections;
    if (connections.length < 2 || leafnode === undefined || account === undefined) return [];
    const servers = connections.map(({ server }) => server).sort();
    const message = `has ${connections.length} connections to account ${account}, on ${servers.join(", ")}`;
    return [check("leafnode.twice", { leafnode }, message, { account, servers })];
  });
}

/**
 * A leafnode in the domain of its hub that is no member of its meta group, or two leafnodes in one domain: each answers
 * the domain's requests for itself.
 */
export function domainChecks(servers: readonly ServerFacts[], domains: readonly DomainMeta[]): readonly Check[] {
  const hosts = servers.filter(({ jetstream }) => jetstream);
  return [...new Set(hosts.flatMap(({ domain }) => domain ?? []))].flatMap((domain) => {
    const here = hosts.filter((server) => server.domain === domain);
    const members = membersOf(domains.find((one) => one.domain === domain));
    const apart = here.filter(({ name, topology }) => topology === "leaf" && members?.has(name) !== true);
    if (apart.length === 0 || here.length < 2) return [];
    const names = here.map(({ name }) => name).sort();
    const message = `${apart.map(({ name }) => name).join(", ")} ${apart.length === 1 ? "is a leafnode" : "are leafnodes"} in the domain of ${names.join(", ")}, and in no meta group with ${here.length === 2 ? "it" : "them"}`;
    return [check("domain.shared", { domain }, message, { servers: names })];
  });
}

function membersOf(found: DomainMeta | undefined): ReadonlySet<string> | undefined {
  if (!found?.meta.ok || found.meta.value === undefined) return undefined;
  const { leader, peers } = found.meta.value;
  return new Set([...(leader === undefined ? [] : [leader]), ...peers.map(({ name }) => name)]);
}
