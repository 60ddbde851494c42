import { isAccountId } from "../../claims/account.ts";
import type { LeafRemote, ServerConfig } from "./leaf-config.ts";
import { type ConfigFinding, configFinding } from "./leaf-config-findings.ts";
import {
  applicationAccounts,
  type CheckContext,
  type CredentialsAt,
  checkRemotes,
  localAccounts,
} from "./leaf-config-remotes.ts";
import { LEAF_PORT, parseLeafUrl } from "./leaf-config-urls.ts";

/** All mistakes in these servers' configurations, ordered by file and line. */
export function checkServers(servers: readonly ServerConfig[], context: CheckContext): readonly ConfigFinding[] {
  const findings = [
    ...servers.flatMap((server) => [...checkRemotes(server, context), ...checkListener(server)]),
    ...servers.flatMap(checkDomain),
    ...checkNames(servers),
    ...joinedPairs(servers).flatMap((pair) => [
      ...checkDomains(pair),
      ...checkHubKnowsJwts(pair, context.credentialsAt),
    ]),
  ];
  const order = servers.map(({ file }) => file);
  return findings.toSorted((a, b) => order.indexOf(a.at.file) - order.indexOf(b.at.file) || a.at.line - b.at.line);
}

function checkListener(server: ServerConfig): readonly ConfigFinding[] {
  const { listener, operatorMode } = server;
  if (listener === undefined) return [];
  if (operatorMode && listener.users)
    return [configFinding("listener.users_with_operator", listener.at, "the listener has its own users")];
  const known = localAccounts(server);
  const wrong = listener.accounts.filter(({ value }) => (operatorMode ? !isAccountId(value) : !known.includes(value)));
  const code = operatorMode ? "listener.account_not_public_key" : "listener.account_unknown";
  const anonymous = !operatorMode && !listener.authorization && applicationAccounts(server).length > 0;
  return [
    ...wrong.map(({ value, at }) => configFinding(code, at, `the listener's account is ${JSON.stringify(value)}`)),
    ...(anonymous ? [configFinding("listener.binds_to_global", listener.at, "the listener has no authorization")] : []),
  ];
}

function checkDomain({ jetstream, remotes }: ServerConfig): readonly ConfigFinding[] {
  if (!jetstream.enabled || jetstream.domain !== undefined || remotes.length === 0) return [];
  return [configFinding("domain.missing", jetstream.at, "JetStream has no domain, but there are leafnode remotes")];
}

function checkNames(servers: readonly ServerConfig[]): readonly ConfigFinding[] {
  return servers.flatMap(({ serverName }, index) => {
    const first = servers.find((other) => other.serverName?.value === serverName?.value);
    if (serverName === undefined || first === undefined || servers.indexOf(first) === index) return [];
    const problem = `the server in ${first.file} also has the name ${JSON.stringify(serverName.value)}`;
    return [configFinding("server_name.duplicate", serverName.at, problem)];
  });
}

interface Pair {
  readonly hub: ServerConfig;
  readonly leaf: ServerConfig;
  /** The leafnode's remotes that lead to the hub. */
  readonly remotes: readonly LeafRemote[];
}

/** Servers connected by a leafnode, as far as their configurations show. */
function joinedPairs(servers: readonly ServerConfig[]): readonly Pair[] {
  return servers.flatMap((leaf) => {
    const hubs = servers.filter((hub) => hub !== leaf && hub.listener !== undefined && !areClustered(hub, leaf));
    return hubs.flatMap((hub) => {
      const remotes = leaf.remotes.filter((remote) => hubsOf(remote, hubs).includes(hub));
      return remotes.length === 0 ? [] : [{ hub, leaf, remotes }];
    });
  });
}

const areClustered = (a: ServerConfig, b: ServerConfig): boolean => a.cluster !== undefined && a.cluster === b.cluster;

/**
 * The servers that a remote leads to: those with its address; if there are none, those that listen on its port, because
 * listeners rarely know their public address; otherwise the only hub, whatever its port.
 */
function hubsOf({ urls }: LeafRemote, hubs: readonly ServerConfig[]): readonly ServerConfig[] {
  const targets = urls.flatMap((url) => parseLeafUrl(url) ?? []);
  const byPort = hubs.filter(({ listener }) => targets.some(({ port }) => port === (listener?.port ?? LEAF_PORT)));
  const named = byPort.filter((hub) => targets.some(({ host }) => isNamed(hub, host)));
  if (named.length > 0) return named;
  return byPort.length === 0 && hubs.length === 1 ? hubs : byPort;
}

/** Whether a url's host is the listener's, or begins with the server's name, as in `hub-1.example.com`. */
function isNamed({ listener, serverName }: ServerConfig, host: string): boolean {
  return host === listener?.host || host === serverName?.value || host.split(".")[0] === serverName?.value;
}

function checkDomains({ hub, leaf, remotes }: Pair): readonly ConfigFinding[] {
  if (!hub.jetstream.enabled || !leaf.jetstream.enabled) return [];
  const [ours, theirs] = [leaf.jetstream.domain, hub.jetstream.domain];
  // A leafnode without a domain has its own finding.
  if (ours === undefined || ours.value !== theirs?.value || extendsHub(leaf, remotes)) return [];
  const problem = `${hub.file}, to which a remote leads, also has the domain ${JSON.stringify(ours.value)}`;
  return [configFinding("domain.shared", ours.at, problem)];
}

/** A remote for the system account intentionally extends the hub's JetStream to the leafnode, in one domain. */
function extendsHub({ systemAccount = "$SYS" }: ServerConfig, remotes: readonly LeafRemote[]): boolean {
  return remotes.some(({ account }) => account?.value === systemAccount);
}

function checkHubKnowsJwts({ hub, remotes }: Pair, credentialsAt: CredentialsAt): readonly ConfigFinding[] {
  if (hub.operatorMode) return [];
  return remotes.flatMap(({ credentials }) => {
    const file = credentials === undefined ? undefined : credentialsAt(credentials.value);
    if (credentials === undefined || file?.kind !== "user") return [];
    const problem = `${credentials.value} belongs to account ${file.account}, but ${hub.file} has no operator`;
    return [configFinding("credentials.ignored_by_hub", credentials.at, problem)];
  });
}
