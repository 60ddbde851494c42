import { isAccountId } from "../../claims/account.ts";
import type { LeafRemote, ServerConfig } from "./leaf-config.ts";
import { type ConfigFinding, type ConfigFindingCode, configFinding } from "./leaf-config-findings.ts";
import { areClustered, joinedPairs, type Pair, sharesClusterName } from "./leaf-config-joins.ts";
import {
  applicationAccounts,
  type CheckContext,
  type CredentialsAt,
  checkRemotes,
  localAccounts,
} from "./leaf-config-remotes.ts";
import { checkSiblings } from "./leaf-config-siblings.ts";
import { parseLeafUrl } from "./leaf-config-urls.ts";

/** All mistakes in these servers' configurations, ordered by file and place. */
export function checkServers(servers: readonly ServerConfig[], context: CheckContext): readonly ConfigFinding[] {
  const pairs = joinedPairs(servers);
  const findings = [
    ...servers.flatMap((server) => [
      ...checkRemotes(server, context),
      ...checkListener(server, pairs),
      ...checkDomain(server),
    ]),
    ...checkNames(servers, pairs),
    ...pairs.flatMap((pair) => [
      ...checkDomains(pair),
      ...checkHubKnowsJwts(pair, context.credentialsAt),
      ...checkClusterNames(pair),
    ]),
    ...checkSiblings(servers, pairs, context.credentialsAt),
  ];
  const order = servers.map(({ file }) => file);
  return findings.toSorted(
    (a, b) => order.indexOf(a.at.file) - order.indexOf(b.at.file) || a.at.line - b.at.line || a.at.column - b.at.column,
  );
}

function checkListener(server: ServerConfig, pairs: readonly Pair[]): readonly ConfigFinding[] {
  const { listener, operatorMode } = server;
  if (listener === undefined) return [];
  if (operatorMode && listener.users)
    return [configFinding("listener.users_with_operator", listener.at, "the listener has its own users")];
  const known = localAccounts(server);
  const wrong = (operatorMode || server.knowsAccounts ? listener.accounts : []).filter(({ value }) =>
    operatorMode ? !isAccountId(value) : !known.includes(value),
  );
  const code = operatorMode ? "listener.account_not_public_key" : "listener.account_unknown";
  const anonymous =
    !operatorMode && !listener.authorization && applicationAccounts(server).length > 0 && !allAreUsers(server, pairs);
  return [
    ...wrong.map(({ value, at }) => configFinding(code, at, `the listener's account is ${JSON.stringify(value)}`)),
    ...(anonymous ? [configFinding("listener.binds_to_global", listener.at, "the listener has no authorization")] : []),
  ];
}

/** Whether every given remote that leads here carries a user of an account of this server, which decides the account. */
function allAreUsers(hub: ServerConfig, pairs: readonly Pair[]): boolean {
  const remotes = pairs.filter((pair) => pair.hub === hub).flatMap((pair) => pair.remotes);
  return remotes.length > 0 && remotes.every((remote) => isUser(remote, hub));
}

function isUser({ urls, nkey }: LeafRemote, { users }: ServerConfig): boolean {
  // Which user the seed is of can't be told without it; a hub with users who have nkeys knows it, or refuses it.
  if (nkey !== undefined) return users.some((user) => user.startsWith("U") && user.length === 56);
  return urls.length > 0 && urls.every((url) => users.includes(parseLeafUrl(url)?.user ?? ""));
}

function checkDomain({ jetstream, remotes }: ServerConfig): readonly ConfigFinding[] {
  if (!jetstream.enabled || jetstream.hasDomain || remotes.length === 0) return [];
  return [configFinding("domain.missing", jetstream.at, "JetStream has no domain, but there are leafnode remotes")];
}

/** Names matter between servers that meet: of one cluster, joined by a leafnode, or leaves of one hub. */
function checkNames(servers: readonly ServerConfig[], pairs: readonly Pair[]): readonly ConfigFinding[] {
  const meet = (a: ServerConfig, b: ServerConfig): boolean =>
    areClustered(a, b) ||
    pairs.some(({ hub, leaf }) => (hub === a && leaf === b) || (hub === b && leaf === a)) ||
    haveOneHub(a, b, pairs);
  return servers.flatMap((server, index) => {
    const { serverName } = server;
    if (serverName === undefined) return [];
    const first = servers
      .slice(0, index)
      .find((other) => other.serverName?.value === serverName.value && meet(server, other));
    if (first === undefined) return [];
    const problem = `the server in ${first.file} also has the name ${JSON.stringify(serverName.value)}`;
    return [configFinding("server_name.duplicate", serverName.at, problem)];
  });
}

/** Whether both have a remote to one hub: to one of the files, or to the same address. */
function haveOneHub(a: ServerConfig, b: ServerConfig, pairs: readonly Pair[]): boolean {
  const addresses = (server: ServerConfig): readonly string[] =>
    server.remotes.flatMap(({ urls }) => urls.flatMap((url) => parseLeafUrl(url)?.shown ?? []));
  const theirs = new Set(addresses(b));
  const hubs = (server: ServerConfig): readonly ServerConfig[] =>
    pairs.filter(({ leaf, isNamed }) => leaf === server && isNamed).map(({ hub }) => hub);
  return addresses(a).some((address) => theirs.has(address)) || hubs(a).some((hub) => hubs(b).includes(hub));
}

/** A finding about a pair is only a warning if nothing but the port says that the two are joined. */
function pairFinding(
  { isNamed, hub }: Pair,
  code: ConfigFindingCode,
  at: ConfigFinding["at"],
  problem: string,
): ConfigFinding {
  const finding = configFinding(code, at, problem);
  if (isNamed) return finding;
  return { ...finding, severity: "warning", problem: `if a remote leads to the server of ${hub.file}: ${problem}` };
}

function checkDomains(pair: Pair): readonly ConfigFinding[] {
  const { hub, leaf, remotes } = pair;
  if (!hub.jetstream.enabled || !leaf.jetstream.enabled) return [];
  const [ours, theirs] = [leaf.jetstream.domain, hub.jetstream.domain];
  // A leafnode without a domain has its own finding.
  if (ours === undefined || ours.value !== theirs?.value || extendsHub(leaf, remotes)) return [];
  const problem = `${hub.file}, to which a remote leads, also has the domain ${JSON.stringify(ours.value)}`;
  return [pairFinding(pair, "domain.shared", ours.at, problem)];
}

/** A remote for the system account intentionally extends the hub's JetStream to the leafnode, in one domain. */
function extendsHub({ systemAccount = "$SYS" }: ServerConfig, remotes: readonly LeafRemote[]): boolean {
  return remotes.some(({ account }) => account?.value === systemAccount);
}

function checkHubKnowsJwts(pair: Pair, credentialsAt: CredentialsAt): readonly ConfigFinding[] {
  const { hub, remotes } = pair;
  if (hub.operatorMode) return [];
  return remotes.flatMap(({ credentials }) => {
    const file = credentials === undefined ? undefined : credentialsAt(credentials.value);
    if (credentials === undefined || file?.kind !== "user") return [];
    const problem = `${credentials.value} belongs to account ${file.account}, but ${hub.file} has no operator`;
    return [pairFinding(pair, "credentials.ignored_by_hub", credentials.at, problem)];
  });
}

function checkClusterNames(pair: Pair): readonly ConfigFinding[] {
  const name = pair.leaf.cluster?.name;
  if (name === undefined || !sharesClusterName(pair.hub, pair.leaf)) return [];
  const problem = `${pair.hub.file}, to which a remote leads, has a cluster of the same name`;
  return [pairFinding(pair, "cluster.name_shared", name.at, problem)];
}
