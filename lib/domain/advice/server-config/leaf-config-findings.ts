import type { Position } from "./nats-config.ts";

export type ConfigSeverity = "error" | "warning";

interface Kind {
  readonly severity: ConfigSeverity;
  /** What servers do; tested on 2.10.27 and 2.15.1 unless a version is named. */
  readonly meaning: string;
  /** The most likely mistake. */
  readonly likely: string;
  readonly advice: string;
}

/** All findings of `check-config`. docs/reference.md lists them. */
export const CONFIG_FINDINGS = {
  "remote.seed_as_credentials": {
    severity: "error",
    meaning:
      "`credentials` is an NKey seed. The leafnode never authenticates, so nothing crosses it. If the seed itself is in the configuration, the server writes it to its log.",
    likely: "`nkey` was meant: `credentials` takes the path of a .creds file, which contains a user JWT and its seed.",
    advice:
      "Write `nkey: SU…` instead of `credentials`, or name the .creds file. If the seed itself was in the configuration, replace it, because it is in the log of every server that ran it.",
  },
  "remote.creds_as_nkey": {
    severity: "error",
    meaning: '`nkey` is a credentials file. The server refuses to start: "nkey is not a valid seed".',
    likely: "`credentials` was meant: `nkey` takes a user seed (SU…), not a path.",
    advice: "Write `credentials: PATH` instead of `nkey`.",
  },
  "remote.nkey_invalid": {
    severity: "error",
    meaning: "`nkey` is not a user seed. The server refuses to start and prints the value.",
    likely: "A public key (U…), or the seed of an account (SA…) or operator (SO…), was pasted.",
    advice: "Use the seed of a user (SU…, 58 characters) whose public key the other side knows.",
  },
  "remote.credentials_and_nkey": {
    severity: "error",
    meaning: "A remote has both `credentials` and `nkey`. The server refuses to start.",
    likely: "One was added and the other was not removed.",
    advice: "Keep `credentials` for a hub with an operator, or `nkey` for a hub without one.",
  },
  "remote.account_required": {
    severity: "error",
    meaning: "The server has an operator, but the remote has no `account`. The server refuses to start.",
    likely: "The remote was copied from a server without an operator.",
    advice: "Add `account: A…`, the public key of the local account whose subjects should cross the leafnode.",
  },
  "remote.binds_to_global": {
    severity: "warning",
    meaning:
      "The configuration defines accounts, but the remote has no `account`, so it binds to `$G`, which does not have their subjects and streams. Sources and mirrors across it stall without an error.",
    likely: "`account` was forgotten; the account of the credentials counts only on the hub.",
    advice:
      'Add `account: NAME`, the local account whose subjects should cross the leafnode (or `account: "$G"` if that is intended).',
  },
  "remote.account_unknown": {
    severity: "error",
    meaning:
      "The remote's `account` is not defined here. The server refuses to start; `nats-server -t` does not notice.",
    likely: "It is the hub's account. `account` is the local one; the credentials decide the hub's.",
    advice: "Use an account from this file's `accounts`, or define it there.",
  },
  "remote.account_not_public_key": {
    severity: "error",
    meaning: "With an operator, the remote's `account` must be a public key (A…). The server refuses to start.",
    likely: "It is the account's name.",
    advice: "Use the account's public key (nsc describe account NAME).",
  },
  "remote.duplicate": {
    severity: "error",
    meaning:
      'Two remotes have the same urls and local account. 2.15.1 refuses to start; on 2.10.27 they keep replacing each other on the hub ("Duplicate Remote LeafNode Connection").',
    likely: "A remote was copied without changing its `account`.",
    advice: "Remove one, or bind it to another local account.",
  },
  "remote.no_urls": {
    severity: "error",
    meaning: "The remote has no `url` or `urls`. It never connects, and the server starts without a warning.",
    likely: "A template's variable was empty.",
    advice: 'Add `url: "nats-leaf://HUB:7422"`.',
  },
  "remote.not_a_list": {
    severity: "error",
    meaning: '`remotes` is not a list of maps. The server refuses to start: "Expected remotes field to be an array".',
    likely: "There is one remote, and its brackets are missing.",
    advice: "Write `remotes: [ { url: … } ]`.",
  },
  "remote.same_cluster_twice": {
    severity: "warning",
    meaning:
      'Two remotes of one account lead to servers of one cluster. The servers refuse both as a loop ("Loop detected for leafnode account") and try again every 30 seconds, or do not notice: then subscribers on either side receive messages twice, and no log line says so.',
    likely: "Each server of the hub got a remote of its own.",
    advice: "Keep one remote, and list the cluster's servers in its `urls`.",
  },
  "url.placeholder": {
    severity: "error",
    meaning:
      "The url has a variable or placeholder within its text. The server does not replace it: it refuses to start, or dials a host or sends a password of that very text.",
    likely: "Variables were expected to work inside a text; they only work as a whole value (`url: $HUB_URL`).",
    advice: "Put the whole url into a variable (`url: $HUB_URL`), or render the file before the server reads it.",
  },
  "url.unescaped": {
    severity: "error",
    meaning:
      'The url\'s user or password has a character that ends it or begins an escape. The server refuses to start: "error parsing leafnode url".',
    likely: "A password with #, %, /, ? or the like was pasted.",
    advice: "Write the character as %XX: # is %23, % is %25, / is %2F, ? is %3F.",
  },
  "url.port_invalid": {
    severity: "error",
    meaning: "The url's port is not between 1 and 65535. The server starts, but the leafnode never connects.",
    likely: "A template's variable was empty, or a digit was typed twice.",
    advice: "Use the port of the hub's `leafnodes { listen }`, usually 7422.",
  },
  "url.websocket_port": {
    severity: "warning",
    meaning: "A ws or wss url has no port. The server dials 7422, not 80 or 443 as a browser would.",
    likely: "The address was copied from a browser or a client.",
    advice: "Add the port of the hub's `websocket { port }`, such as wss://HOST:443.",
  },
  "url.malformed": {
    severity: "error",
    meaning: "The url has no scheme or no host. The server refuses to start, or never finds the hub.",
    likely: "`HOST:PORT` was written without a scheme.",
    advice: "Write `nats-leaf://HOST:7422`, `tls://HOST:7422`, or `wss://HOST:443`.",
  },
  "url.scheme": {
    severity: "warning",
    meaning: "The server does not know the url's scheme and connects without TLS, as with `nats://`.",
    likely: "The address of a web page or monitoring port was pasted.",
    advice: "Write `nats-leaf://`, `tls://`, or for websockets `ws://` or `wss://`.",
  },
  "url.port": {
    severity: "warning",
    meaning:
      'The url names a port that is usually not for leafnodes; their port is usually 7422. On the client port the hub keeps closing the connection: "attempted to connect to wrong port".',
    likely: "It is the hub's address for clients (4222), routes (6222) or monitoring (8222).",
    advice: "Use the port of the hub's `leafnodes { listen }`.",
  },
  "url.mixed_websocket": {
    severity: "error",
    meaning:
      "Some of a remote's urls are websockets and some are not. The server refuses to start; `nats-server -t` does not notice.",
    likely: "Addresses of two hubs were put into one list.",
    advice: "Use either only ws/wss urls or none in a remote.",
  },
  "credentials.missing": {
    severity: "error",
    meaning: "The credentials file does not exist on this machine. The server starts, but the leafnode never connects.",
    likely:
      "The path is different on this machine. The server resolves a relative path from its working directory, not from the configuration.",
    advice: "Put the file there or correct the path; run this check where the server runs.",
  },
  "credentials.unreadable": {
    severity: "error",
    meaning: "The credentials file can't be read on this machine. The server starts, but the leafnode never connects.",
    likely: "The file belongs to another user.",
    advice: "Give the server's user permission to read it, and run this check as that user.",
  },
  "credentials.malformed": {
    severity: "error",
    meaning:
      'The file is not a credentials file. The leafnode keeps connecting and being closed ("Credentials file malformed", "Authentication Timeout").',
    likely: "It is a JWT or another file.",
    advice: "Export it again: nsc generate creds -a ACCOUNT -n USER.",
  },
  "credentials.expired": {
    severity: "error",
    meaning: "The user JWT in the file has expired: the hub refuses the leafnode.",
    likely: "The file was not replaced when the user was renewed.",
    advice: "Generate the credentials again.",
  },
  "credentials.other_account": {
    severity: "warning",
    meaning:
      "The credentials belong to a different account than the remote's `account`. The credentials decide the account on the hub, `account` the local one, so a stream on one side receives nothing from the other account's subjects.",
    likely: "They are the credentials of another account's user.",
    advice: "Use credentials of a user of the same account, unless two accounts should be joined.",
  },
  "credentials.ignored_by_hub": {
    severity: "error",
    meaning:
      "The hub has no operator and ignores the JWT. Depending on its version and users, it binds the leafnode to `$G` or to the account of its `no_auth_user`, or refuses it.",
    likely: "The hub's configuration is from before operator mode, or the remote is meant for another hub.",
    advice: "Give the remote `nkey: SU…`, or a user and password in its url, of a user in the hub's account.",
  },
  "listener.account_unknown": {
    severity: "error",
    meaning: "The listener binds leafnodes to an account that is not defined here. The server refuses to start.",
    likely: "It is the leafnode's account, or a typo.",
    advice: "Use an account from this file's `accounts`.",
  },
  "listener.account_not_public_key": {
    severity: "error",
    meaning: "With an operator, the listener's account must be a public key (A…). The server refuses to start.",
    likely: "It is the account's name.",
    advice: "Remove `account`, because the leafnode's credentials decide it, or use the public key.",
  },
  "listener.users_with_operator": {
    severity: "error",
    meaning: "With an operator, `leafnodes { authorization { users } }` is not allowed. The server refuses to start.",
    likely: "The listener was copied from a server without an operator.",
    advice: "Remove the users; leafnodes authenticate with credentials.",
  },
  "listener.binds_to_global": {
    severity: "warning",
    meaning:
      "The configuration defines accounts, but the listener has no `authorization`. 2.10.27 accepts a leafnode without credentials or with a JWT and binds it to `$G`; 2.15.1 refuses it if there are users.",
    likely: "Leafnodes were expected to need the same users as clients.",
    advice: "Add `authorization { account: NAME, user: …, password: … }`, or `users` with an `account` each.",
  },
  "domain.missing": {
    severity: "warning",
    meaning:
      "The server has JetStream and leafnode remotes, but no JetStream domain. Its streams can't be reached from the hub (`$JS.DOMAIN.API` has no responders), and a source on the hub that names one of them stays empty.",
    likely: "The domain was forgotten.",
    advice: "Add `domain: NAME` to `jetstream`, different from the hub's.",
  },
  "domain.shared": {
    severity: "error",
    meaning:
      "Servers connected by a leafnode have the same JetStream domain. `$JS.DOMAIN.API` reaches only the local side, so the other side's JetStream can't be queried or managed across the leafnode, and a source or mirror can't say which side's stream it means.",
    likely: "A configuration was copied without changing its domain.",
    advice:
      "Give each side its own domain, unless the leafnode should extend the hub's JetStream through the system account.",
  },
  "domain.shared_by_leaves": {
    severity: "error",
    meaning:
      "Two leafnodes of one hub have the same JetStream domain. Either of them answers a request for `$JS.DOMAIN.API`, so the hub finds a stream or not, by chance.",
    likely: "A leafnode's configuration was copied without changing its domain.",
    advice: "Give each leafnode its own domain, unless they form one cluster.",
  },
  "cluster.name_shared": {
    severity: "error",
    meaning:
      'The leafnode and its hub have the same cluster name. The hub refuses it ("remote leafnode has same cluster name"), and it tries again every 30 seconds.',
    likely: "The hub's configuration was copied.",
    advice: "Give the leafnode's cluster another `name`, or remove `cluster` if it is a single server.",
  },
  "server_name.duplicate": {
    severity: "error",
    meaning:
      'Two servers have the same name. Two leafnodes with the same name replace each other on the hub at every reconnect ("Duplicate Remote LeafNode Connection", "Replacing connection from same server"). A cluster refuses the second server ("Duplicate Server Name").',
    likely: "A configuration was copied without changing its name.",
    advice: "Give each server its own name.",
  },
} as const satisfies Record<string, Kind>;

export type ConfigFindingCode = keyof typeof CONFIG_FINDINGS;

/** One mistake at one place. `problem` says what is wrong there and never contains a secret. */
export interface ConfigFinding extends Kind {
  readonly code: ConfigFindingCode;
  readonly at: Position;
  readonly problem: string;
}

export function configFinding(code: ConfigFindingCode, at: Position, problem: string): ConfigFinding {
  return { code, at, problem, ...CONFIG_FINDINGS[code] };
}
