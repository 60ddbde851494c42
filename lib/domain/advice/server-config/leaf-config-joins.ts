import type { LeafRemote, ServerConfig, Text } from "./leaf-config.ts";
import { LEAF_PORT, type LeafUrl, parseLeafUrl } from "./leaf-config-urls.ts";

/** Which servers are connected, as far as their configurations show. */

export interface Pair {
  readonly hub: ServerConfig;
  readonly leaf: ServerConfig;
  /** The leafnode's remotes that lead to the hub. */
  readonly remotes: readonly LeafRemote[];
  /** Whether a remote names the hub; otherwise only the port speaks for it. */
  readonly isNamed: boolean;
}

/** A leafnode and each server that a remote of it leads to, except of its own cluster. */
export function joinedPairs(servers: readonly ServerConfig[]): readonly Pair[] {
  return servers.flatMap((leaf) => {
    const hubs = servers.filter((hub) => hub !== leaf && hub.listener !== undefined && !areClustered(hub, leaf));
    const led = leaf.remotes.map((remote) => ({ remote, ...hubsOf(remote, hubs) }));
    return hubs.flatMap((hub) => {
      const own = led.filter(({ found }) => found.includes(hub));
      const isNamed = own.some((one) => one.isNamed);
      // Servers of one cluster name are rather members of one cluster, unless a remote names the other.
      if (own.length === 0 || (!isNamed && sharesClusterName(hub, leaf))) return [];
      return [{ hub, leaf, remotes: own.map(({ remote }) => remote), isNamed }];
    });
  });
}

export const sharesClusterName = (a: ServerConfig, b: ServerConfig): boolean =>
  a.cluster?.name !== undefined && a.cluster.name.value === b.cluster?.name?.value;

/** Whether one has a route to the other, or both name one cluster and no remote joins them. */
export function areClustered(a: ServerConfig, b: ServerConfig): boolean {
  if (routesTo(a, b) || routesTo(b, a)) return true;
  const isJoined = [
    [a, b],
    [b, a],
  ].some(([leaf, hub]) => leaf?.remotes.some((remote) => urlsOf(remote).some((url) => hub && isHubOf(url, hub))));
  return sharesClusterName(a, b) && !isJoined;
}

function routesTo({ cluster }: ServerConfig, other: ServerConfig): boolean {
  const { cluster: target } = other;
  if (cluster === undefined || target === undefined) return false;
  return cluster.routes.some((route) => {
    const url = parseLeafUrl(route);
    return url !== undefined && url.port === target.port && isAddressOf(url.host, target.host, other.serverName);
  });
}

const urlsOf = ({ urls }: LeafRemote): readonly LeafUrl[] => urls.flatMap((url) => parseLeafUrl(url) ?? []);

const isHubOf = ({ host, port }: LeafUrl, { listener, serverName }: ServerConfig): boolean =>
  listener !== undefined && port === (listener.port ?? LEAF_PORT) && isAddressOf(host, listener.host, serverName);

/** Whether a url's host is the listener's, or begins with the server's name, as in `hub-1.example.com`. */
function isAddressOf(host: string, listens: string | undefined, name: Text | undefined): boolean {
  return (
    host === listens || (isHere(host) && isHere(listens)) || host === name?.value || host.split(".")[0] === name?.value
  );
}

/**
 * The servers that a remote names by address and port; if there are none, those for which at least their port speaks,
 * because listeners rarely know their public address; otherwise the only hub, whatever its port.
 */
function hubsOf(
  remote: LeafRemote,
  hubs: readonly ServerConfig[],
): { readonly found: readonly ServerConfig[]; readonly isNamed: boolean } {
  const urls = urlsOf(remote);
  const named = hubs.filter((hub) => urls.some((url) => isHubOf(url, hub)));
  if (named.length > 0) return { found: named, isNamed: true };
  const possible = hubs.filter((hub) => urls.some((url) => !isElsewhere(url, hub)));
  const byPort = possible.filter(({ listener }) => urls.some(({ port }) => port === (listener?.port ?? LEAF_PORT)));
  // On one machine only one server has a port.
  if (byPort.length > 0)
    return { found: byPort, isNamed: byPort.length === 1 && urls.every(({ host }) => isHere(host)) };
  return { found: hubs.length === 1 ? possible : [], isNamed: false };
}

/** Whether it is this machine's own address. */
const isHere = (host: string | undefined): boolean =>
  host === "localhost" || host === "[::1]" || host?.startsWith("127.") === true;

const ADDRESS = /^(?:\d+\.){3}\d+$|^\[/;

/** Whether an address is another than the one that the server listens on. Names say nothing: many lead to one server. */
function isElsewhere({ host }: LeafUrl, { listener }: ServerConfig): boolean {
  return listener?.host !== undefined && ADDRESS.test(host) && ADDRESS.test(listener.host) && host !== listener.host;
}
