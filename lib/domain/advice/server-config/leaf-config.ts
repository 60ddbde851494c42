import {
  type ConfigMap,
  type ConfigValue,
  entryOf,
  isUnknown,
  itemsOf,
  mapOf,
  type Position,
  stringOf,
} from "./nats-config.ts";

/** The parts of a nats-server configuration about leafnodes, accounts and JetStream. */
export interface ServerConfig {
  readonly file: string;
  readonly serverName?: Text;
  readonly cluster?: ClusterPart;
  /** Whether accounts are JWTs signed by an operator, instead of entries of `accounts`. */
  readonly operatorMode: boolean;
  /** The accounts that the configuration defines; none in operator mode. */
  readonly accounts: readonly string[];
  /** Whether all of them are known. */
  readonly knowsAccounts: boolean;
  /** The names and public keys of the users of these accounts. */
  readonly users: readonly string[];
  readonly systemAccount?: string;
  readonly noSystemAccount: boolean;
  readonly jetstream: JetStreamPart;
  readonly listener?: LeafListener;
  readonly remotes: readonly LeafRemote[];
  /** Where `remotes` is no list of maps, which the server refuses. */
  readonly misshapen: readonly Position[];
}

export interface JetStreamPart {
  readonly enabled: boolean;
  readonly at: Position;
  readonly domain?: Text;
  /** Whether there is a domain, known or not. */
  readonly hasDomain: boolean;
}

export interface ClusterPart {
  readonly name?: Text;
  /** The host that it listens on or advertises; undefined if it listens on all. */
  readonly host?: string;
  readonly port: number;
  readonly routes: readonly Text[];
}

/** A string and its position. */
export interface Text {
  readonly value: string;
  readonly at: Position;
}

export interface LeafListener {
  readonly at: Position;
  /** The host that it listens on or advertises; undefined if it listens on all. */
  readonly host?: string;
  readonly port?: number;
  /** Whether it has its own `authorization`, which says who: one with a timeout only lets anybody in. */
  readonly authorization: boolean;
  /** Accounts that its `authorization` binds leafnodes to. */
  readonly accounts: readonly Text[];
  readonly users: boolean;
}

export interface LeafRemote {
  readonly at: Position;
  readonly urls: readonly Text[];
  /** The local account. The hub's account depends on how the leafnode authenticates. */
  readonly account?: Text;
  readonly credentials?: Text;
  readonly nkey?: Text;
  /** Settings whose values are not known here. */
  readonly unknown: readonly ("urls" | "account")[];
}

/** All top-level keys of nats-server 2.15.1 (server/opts.go). A file without any belongs to another program. */
const TOP_LEVEL = new Set(
  `listen client_advertise port server_name host net debug trace trace_verbose trace_headers logtime logtime_utc
  mappings maps disable_sublist_cache no_sublist_cache accounts default_sentinel authorization http https http_port
  monitor_port https_port http_base_path cluster gateway leaf leafnodes store_dir storedir jetstream logfile log_file
  logfile_size_limit log_size_limit logfile_max_num log_max_num syslog remote_syslog pidfile pid_file ports_file_dir
  prof_port prof_block_rate max_control_line max_payload max_pending proxy_protocol max_connections max_conn
  max_traced_msg_len max_subscriptions max_subs max_sub_tokens max_subscription_tokens ping_interval ping_max tls ocsp
  allow_non_tls write_deadline write_timeout lame_duck_duration lame_duck_grace_period operator operators roots root
  root_operators root_operator resolver account_resolver accounts_resolver resolver_tls resolver_preload
  resolver_pinned_accounts no_auth_user system_account system no_system_account no_system no_sys_acc
  no_header_support trusted trusted_keys connect_error_reports reconnect_error_reports websocket ws mqtt server_tags
  server_metadata feature_flags default_js_domain ocsp_cache no_fast_producer_stall max_closed_clients proxies`.split(
    /\s+/,
  ),
);

export function isServerConfig(root: ConfigMap): boolean {
  return [...root.entries.keys()].some((key) => TOP_LEVEL.has(key.toLowerCase()));
}

export function readServerConfig(file: string, root: ConfigMap): ServerConfig {
  const leafnodes = mapOf(entryOf(root, "leaf", "leafnodes"));
  const serverName = textOf(entryOf(root, "server_name"));
  const systemAccount = stringOf(entryOf(root, "system_account", "system"));
  const cluster = readCluster(mapOf(entryOf(root, "cluster")));
  const remotes = entryOf(leafnodes ?? root, "remotes");
  const listener = readListener(leafnodes);
  return {
    file,
    ...(serverName && { serverName }),
    ...(cluster && { cluster }),
    operatorMode:
      entryOf(root, "operator", "operators", "roots", "root", "root_operators", "root_operator") !== undefined,
    accounts: namesOf(entryOf(root, "accounts")),
    knowsAccounts: !isUnknown(entryOf(root, "accounts")) && !isUnknown(entryOf(root, "system_account", "system")),
    users: usersOf(mapOf(entryOf(root, "accounts"))),
    ...(systemAccount && { systemAccount }),
    noSystemAccount: isTrue(entryOf(root, "no_system_account", "no_system", "no_sys_acc")),
    jetstream: readJetStream(root),
    ...(listener && { listener }),
    remotes: itemsOf(remotes).flatMap((item) => readRemote(item)),
    misshapen: misshapenIn(remotes),
  };
}

const isTrue = (value: ConfigValue | undefined): boolean => value?.kind === "boolean" && value.value;

function textOf(value: ConfigValue | undefined): Text | undefined {
  return value?.kind === "string" ? { value: value.value, at: value.at } : undefined;
}

/** `accounts` is a map of accounts, or in short form a list of names. */
function namesOf(value: ConfigValue | undefined): readonly string[] {
  if (value?.kind === "map") return [...value.entries.keys()];
  return itemsOf(value).flatMap((item) => stringOf(item) ?? []);
}

/** A list of maps, or what is not known. */
function misshapenIn(remotes: ConfigValue | undefined): readonly Position[] {
  if (remotes === undefined || remotes.kind === "unknown") return [];
  if (remotes.kind !== "array") return [remotes.at];
  return remotes.items.filter(({ kind }) => kind !== "map" && kind !== "unknown").map(({ at }) => at);
}

function usersOf(accounts: ConfigMap | undefined): readonly string[] {
  return [...(accounts?.entries.values() ?? [])].flatMap((account) =>
    itemsOf(entryOf(mapOf(account), "users")).flatMap((item) =>
      [entryOf(mapOf(item), "user", "username"), entryOf(mapOf(item), "nkey")].flatMap((name) => stringOf(name) ?? []),
    ),
  );
}

/** The port of routes if a configuration or a url names none. */
const CLUSTER_PORT = 6222;

function readCluster(map: ConfigMap | undefined): ClusterPart | undefined {
  if (map === undefined) return undefined;
  const name = textOf(entryOf(map, "name"));
  const listen = entryOf(map, "listen", "port");
  const host = hostOf(
    stringOf(entryOf(map, "cluster_advertise", "advertise") ?? entryOf(map, "host", "net") ?? listen),
  );
  return {
    port: (listen === undefined ? undefined : portOf(listen)) ?? CLUSTER_PORT,
    routes: itemsOf(entryOf(map, "routes")).flatMap((route) => textOf(route) ?? []),
    ...(name && { name }),
    ...(host && { host }),
  };
}

function readJetStream(root: ConfigMap): JetStreamPart {
  const value = entryOf(root, "jetstream");
  if (value === undefined) return { enabled: false, at: root.at, hasDomain: false };
  const { at } = value;
  if (value.kind === "boolean") return { enabled: value.value, at, hasDomain: false };
  if (value.kind !== "map") return { enabled: /^enabled?$/i.test(stringOf(value) ?? ""), at, hasDomain: false };
  const switched = entryOf(value, "enable", "enabled");
  const set = entryOf(value, "domain");
  const domain = textOf(set);
  const enabled = switched === undefined || isTrue(switched);
  return { enabled, at, hasDomain: set !== undefined, ...(domain && { domain }) };
}

/** A server listens for leafnodes only if it has a port; remotes need none. */
function readListener(leafnodes: ConfigMap | undefined): LeafListener | undefined {
  const listen = entryOf(leafnodes, "listen", "port");
  if (leafnodes === undefined || listen === undefined) return undefined;
  const port = portOf(listen);
  const host = hostOf(stringOf(entryOf(leafnodes, "advertise") ?? entryOf(leafnodes, "host", "net") ?? listen));
  const authorization = mapOf(entryOf(leafnodes, "authorization"));
  const users = itemsOf(entryOf(authorization, "users"));
  const accounts = [authorization, ...users.map(mapOf)].flatMap((map) => textOf(entryOf(map, "account")) ?? []);
  return {
    at: leafnodes.at,
    accounts,
    users: users.length > 0,
    ...(port !== undefined && { port }),
    ...(host && { host }),
    authorization:
      isUnknown(entryOf(leafnodes, "authorization")) ||
      entryOf(authorization, "user", "username", "nkey", "users", "account") !== undefined,
  };
}

function hostOf(address: string | undefined): string | undefined {
  const host = address?.replace(/:-?\d*$/, "").replace(/^-?\d+$/, "");
  return host === "" || host === "0.0.0.0" || host === "[::]" || host === "::" || host === "*" ? undefined : host;
}

function portOf(value: ConfigValue): number | undefined {
  if (value.kind === "number") return value.value;
  const port = /(?:^|:)(\d+)$/.exec(stringOf(value) ?? "")?.[1];
  return port === undefined ? undefined : Number(port);
}

function readRemote(item: ConfigValue): readonly LeafRemote[] {
  const map = mapOf(item);
  if (map === undefined) return [];
  const urls = entryOf(map, "url", "urls");
  const account = textOf(entryOf(map, "account", "local"));
  const credentials = textOf(entryOf(map, "creds", "credentials"));
  const nkey = textOf(entryOf(map, "nkey", "seed"));
  return [
    {
      at: map.at,
      unknown: [
        ...(isUnknown(urls) || itemsOf(urls).some(isUnknown) ? (["urls"] as const) : []),
        ...(isUnknown(entryOf(map, "account", "local")) ? (["account"] as const) : []),
      ],
      urls: (urls?.kind === "array" ? urls.items : [urls]).flatMap((url) => textOf(url) ?? []),
      ...(account && { account }),
      ...(credentials && { credentials }),
      ...(nkey && { nkey }),
    },
  ];
}
