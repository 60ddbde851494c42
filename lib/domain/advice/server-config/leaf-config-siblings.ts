import type { LeafRemote, ServerConfig } from "./leaf-config.ts";
import { type ConfigFinding, configFinding } from "./leaf-config-findings.ts";
import { areClustered, type Pair } from "./leaf-config-joins.ts";
import type { CredentialsAt } from "./leaf-config-remotes.ts";
import { type LeafUrl, parseLeafUrl } from "./leaf-config-urls.ts";

/** Mistakes between leaves of one hub, and between remotes of one leaf. */
export function checkSiblings(
  servers: readonly ServerConfig[],
  pairs: readonly Pair[],
  credentialsAt: CredentialsAt,
): readonly ConfigFinding[] {
  return [
    ...checkLeafDomains(servers, pairs, credentialsAt),
    ...servers.flatMap((server) => checkTwice(server, servers, pairs)),
  ];
}

const urlsOf = ({ urls }: LeafRemote): readonly LeafUrl[] => urls.flatMap((url) => parseLeafUrl(url) ?? []);
const addressOf = ({ host, port }: LeafUrl): string => `${host}:${port}`;

/** Two leaves of one hub, in one account there, with one domain: either of them answers for both. */
function checkLeafDomains(
  servers: readonly ServerConfig[],
  pairs: readonly Pair[],
  credentialsAt: CredentialsAt,
): readonly ConfigFinding[] {
  return servers.flatMap((server, index) => {
    const { domain } = server.jetstream;
    if (domain === undefined || !server.jetstream.enabled || extendsHub(server)) return [];
    const first = servers.slice(0, index).find((other) => {
      const isSame = other.jetstream.enabled && other.jetstream.domain?.value === domain.value && !extendsHub(other);
      return isSame && !areClustered(server, other) && meetAtHub(server, other, pairs, credentialsAt);
    });
    if (first === undefined) return [];
    const problem = `${first.file}, a leafnode of the same hub, also has the domain ${JSON.stringify(domain.value)}`;
    return [configFinding("domain.shared_by_leaves", domain.at, problem)];
  });
}

const extendsHub = ({ systemAccount = "$SYS", remotes }: ServerConfig): boolean =>
  remotes.some(({ account }) => account?.value === systemAccount);

function meetAtHub(a: ServerConfig, b: ServerConfig, pairs: readonly Pair[], credentialsAt: CredentialsAt): boolean {
  return a.remotes.some((ours) =>
    b.remotes.some(
      (theirs) => leadToOne([a, ours], [b, theirs], pairs) && !areInTwoAccounts(ours, theirs, credentialsAt),
    ),
  );
}

type Remote = readonly [server: ServerConfig, remote: LeafRemote];

function leadToOne([a, ours]: Remote, [b, theirs]: Remote, pairs: readonly Pair[]): boolean {
  const addresses = new Set(urlsOf(theirs).map(addressOf));
  if (urlsOf(ours).some((url) => addresses.has(addressOf(url)))) return true;
  const hubsOf = (leaf: ServerConfig, remote: LeafRemote): readonly ServerConfig[] =>
    pairs.filter((pair) => pair.leaf === leaf && pair.isNamed && pair.remotes.includes(remote)).map(({ hub }) => hub);
  const hubs = hubsOf(b, theirs);
  return hubsOf(a, ours).some((hub) => hubs.some((other) => hub === other || areClustered(hub, other)));
}

/** Whether the hub certainly binds the two to different accounts; without the credentials nobody knows. */
function areInTwoAccounts(a: LeafRemote, b: LeafRemote, credentialsAt: CredentialsAt): boolean {
  const accountOf = ({ credentials }: LeafRemote): string | undefined => {
    const file = credentials === undefined ? undefined : credentialsAt(credentials.value);
    return file?.kind === "user" ? file.account : undefined;
  };
  const [ours, theirs] = [accountOf(a), accountOf(b)];
  return ours !== undefined && theirs !== undefined && ours !== theirs;
}

/** Several remotes of one account to servers of one cluster: each brings every message. */
function checkTwice(
  server: ServerConfig,
  servers: readonly ServerConfig[],
  pairs: readonly Pair[],
): readonly ConfigFinding[] {
  return server.remotes.flatMap((remote, index) => {
    const first = server.remotes.slice(0, index).find((other) => {
      const addresses = new Set(urlsOf(other).map(addressOf));
      const isSame = urlsOf(remote).some((url) => addresses.has(addressOf(url)));
      // The same urls are a finding of their own.
      return !isSame && actAsOne(remote, other) && leadToOneCluster(server, remote, other, servers, pairs);
    });
    if (first === undefined) return [];
    const problem = `the remote leads to the same cluster and account as the one on line ${first.at.line}`;
    return [configFinding("remote.same_cluster_twice", remote.at, problem)];
  });
}

/** The same account here, and the same user there. */
function actAsOne(a: LeafRemote, b: LeafRemote): boolean {
  const userOf = (remote: LeafRemote): string =>
    JSON.stringify([remote.credentials?.value, remote.nkey?.value, urlsOf(remote)[0]?.user]);
  return a.account?.value === b.account?.value && userOf(a) === userOf(b);
}

function leadToOneCluster(
  leaf: ServerConfig,
  a: LeafRemote,
  b: LeafRemote,
  servers: readonly ServerConfig[],
  pairs: readonly Pair[],
): boolean {
  const hubsOf = (remote: LeafRemote): readonly ServerConfig[] =>
    pairs.filter((pair) => pair.leaf === leaf && pair.isNamed && pair.remotes.includes(remote)).map(({ hub }) => hub);
  const [ours, theirs] = [hubsOf(a), hubsOf(b)];
  if (ours.some((hub) => theirs.some((other) => hub !== other && areClustered(hub, other)))) return true;
  const areGiven = servers.length > 1 && ours.length > 0 && theirs.length > 0;
  return !areGiven && urlsOf(a).some((url) => urlsOf(b).some((other) => areNumbered(url, other)));
}

/** `nats-0.example.com` and `nats-1.example.com`: pods of one StatefulSet, or servers of one cluster. */
function areNumbered(a: LeafUrl, b: LeafUrl): boolean {
  const shape = ({ host }: LeafUrl): string => host.replace(/\d+(?=\.|$)/, "#");
  const isAddress = /^[\d.]+$/.test(a.host) || a.host.startsWith("[");
  return !isAddress && a.host !== b.host && a.port === b.port && shape(a) === shape(b);
}
