import type { Position } from "./nats-config.ts";

export type ConfigSeverity = "error" | "warning";

interface Kind {
  readonly severity: ConfigSeverity;
  /** What servers do with it; run on 2.10.27 and 2.15.1 where no version is named. */
  readonly meaning: string;
  /** The mistake that most likely led to it. */
  readonly likely: string;
  readonly fix: string;
}

/** Everything that `check-config` can find. docs/reference.md lists it. */
export const CONFIG_FINDINGS = {
  "remote.seed_as_credentials": {
    severity: "error",
    meaning:
      "An NKey seed is given as `credentials`. The leaf never authenticates, so nothing crosses it; a seed that is written there itself lands in the server's log.",
    likely:
      "`nkey` was meant: `credentials` takes the path of a .creds file, which holds a user JWT and its seed.",
    fix: "Write `nkey: SU…` in place of `credentials`, or name the .creds file. A seed that stood there itself is in the logs of every server that ran it: replace it.",
  },
  "remote.creds_as_nkey": {
    severity: "error",
    meaning:
      'A credentials file is given as `nkey`. The server refuses to start: "nkey is not a valid seed".',
    likely: "`credentials` was meant: `nkey` takes the seed of a user (SU…) itself, not a path.",
    fix: "Write `credentials: PATH` in place of `nkey`.",
  },
  "remote.nkey_invalid": {
    severity: "error",
    meaning: "`nkey` is not the seed of a user. The server refuses to start and prints the value.",
    likely: "A public key (U…), or the seed of an account (SA…) or operator (SO…), was pasted.",
    fix: "Give the seed of a user (SU…, 58 characters) whose public key the other side knows.",
  },
  "remote.credentials_and_nkey": {
    severity: "error",
    meaning: "A remote has both `credentials` and `nkey`. The server refuses to start.",
    likely: "One was added and the other left.",
    fix: "Keep `credentials` for a hub with an operator, `nkey` for a hub without.",
  },
  "remote.account_required": {
    severity: "error",
    meaning: "The server has an operator and the remote names no `account`. The server refuses to start.",
    likely: "The remote was copied from a server without an operator.",
    fix: "Add `account: A…`, the public key of the local account whose subjects shall cross the leaf.",
  },
  "remote.binds_to_global": {
    severity: "warning",
    meaning:
      "The configuration defines accounts and the remote names none, so it binds to `$G`, where none of their subjects and streams are: sources and mirrors across it stall without an error.",
    likely: "`account` was forgotten; the account of the credentials counts on the hub only.",
    fix: 'Add `account: NAME`, the local account whose subjects shall cross the leaf (or `account: "$G"` if that is meant).',
  },
  "remote.account_unknown": {
    severity: "error",
    meaning:
      "The remote's `account` is not defined here. The server refuses to start; `nats-server -t` does not notice.",
    likely: "The hub's account was named. `account` is the local one; the credentials decide the hub's.",
    fix: "Name an account of this file's `accounts`, or define it there.",
  },
  "remote.account_not_public_key": {
    severity: "error",
    meaning:
      "With an operator the remote's `account` must be a public key (A…). The server refuses to start.",
    likely: "The account's name was given.",
    fix: "Give the account's public key (nsc describe account NAME).",
  },
  "remote.duplicate": {
    severity: "error",
    meaning:
      'Two remotes have the same urls and local account. 2.15.1 refuses to start; on 2.10.27 each throws the other out of the hub, again and again ("Duplicate Remote LeafNode Connection").',
    likely: "A remote was copied and its `account` not changed.",
    fix: "Remove one, or bind it to another local account.",
  },
  "remote.no_urls": {
    severity: "error",
    meaning: "The remote has no `url` or `urls`: it never connects, and the server starts without saying so.",
    likely: "A template's variable was empty.",
    fix: 'Add `url: "nats-leaf://HUB:7422"`.',
  },
  "url.malformed": {
    severity: "error",
    meaning: "The url has no scheme or no host: the server refuses to start, or never finds the hub.",
    likely: "`HOST:PORT` was written without a scheme.",
    fix: "Write `nats-leaf://HOST:7422`, `tls://HOST:7422`, or `wss://HOST:443`.",
  },
  "url.scheme": {
    severity: "warning",
    meaning: "The server does not know the url's scheme and connects in the plain, as with `nats://`.",
    likely: "The address of a web page or monitoring port was pasted.",
    fix: "Write `nats-leaf://`, `tls://`, or for websockets `ws://` or `wss://`.",
  },
  "url.port": {
    severity: "warning",
    meaning:
      'The url names a port that usually is not for leafnodes, whose port is usually 7422. On the port of clients the leaf is dropped again and again: "attempted to connect to wrong port".',
    likely: "The hub's address for clients (4222), routes (6222) or monitoring (8222) was given.",
    fix: "Name the port of the hub's `leafnodes { listen }`.",
  },
  "url.mixed_websocket": {
    severity: "error",
    meaning:
      "A remote's urls are partly websockets and partly not. The server refuses to start; `nats-server -t` does not notice.",
    likely: "Addresses of two hubs were put into one list.",
    fix: "Use either ws/wss or other urls in one remote.",
  },
  "credentials.missing": {
    severity: "error",
    meaning:
      "The credentials file does not exist, as seen from here. The server starts, and the leaf never connects.",
    likely:
      "The path is another on this machine; the server takes a relative path from its working directory, not from the configuration.",
    fix: "Put the file there or correct the path; run this check where the server runs.",
  },
  "credentials.unreadable": {
    severity: "error",
    meaning:
      "The credentials file can't be read, as seen from here. The server starts, and the leaf never connects.",
    likely: "The file belongs to another user.",
    fix: "Let the server's user read it, and run this check as that user.",
  },
  "credentials.malformed": {
    severity: "error",
    meaning:
      'The file is not a credentials file. The leaf\'s connection is made and dropped again ("Credentials file malformed", "Authentication Timeout").',
    likely: "A JWT or another file was named.",
    fix: "Export it again: nsc generate creds -a ACCOUNT -n USER.",
  },
  "credentials.expired": {
    severity: "error",
    meaning: "The user's JWT in the file has expired: the hub refuses the leaf.",
    likely: "The file was not replaced when the user was renewed.",
    fix: "Generate the credentials anew.",
  },
  "credentials.other_account": {
    severity: "warning",
    meaning:
      "The credentials are of another account than the remote's `account`. The credentials decide the account on the hub, `account` the local one: a stream on one side hears nothing of the other account's subjects.",
    likely: "The credentials of another account's user were named.",
    fix: "Use credentials of a user of the same account; keep it as it is if two accounts are to be joined.",
  },
  "credentials.ignored_by_hub": {
    severity: "error",
    meaning:
      "The hub has no operator, so the JWT means nothing to it: it binds the leaf to `$G` or to the account of its `no_auth_user`, or refuses it, as the version and its users have it.",
    likely:
      "The hub's configuration is that of a server before operator mode, or the remote is meant for another hub.",
    fix: "Give the remote `nkey: SU…`, or a user and password in its url, of a user that the hub's account has.",
  },
  "listener.account_unknown": {
    severity: "error",
    meaning:
      "The listener binds leafnodes to an account that is not defined here. The server refuses to start.",
    likely: "The leaf's account was named, or a typo.",
    fix: "Name an account of this file's `accounts`.",
  },
  "listener.account_not_public_key": {
    severity: "error",
    meaning:
      "With an operator the listener's account must be a public key (A…). The server refuses to start.",
    likely: "The account's name was given.",
    fix: "Remove `account`, since the leaf's credentials decide it, or give the public key.",
  },
  "listener.users_with_operator": {
    severity: "error",
    meaning:
      "With an operator, `leafnodes { authorization { users } }` is not allowed. The server refuses to start.",
    likely: "The listener was copied from a server without an operator.",
    fix: "Remove the users; leafnodes authenticate with credentials.",
  },
  "listener.binds_to_global": {
    severity: "warning",
    meaning:
      "The configuration defines accounts and the listener has no `authorization`. 2.10.27 lets a leaf without credentials, or with a JWT, in and binds it to `$G`; 2.15.1 refuses it if there are users.",
    likely: "Leafnodes were expected to need the same users as clients.",
    fix: "Add `authorization { account: NAME, user: …, password: … }` or `users` with an `account` each.",
  },
  "domain.missing": {
    severity: "warning",
    meaning:
      "The server has JetStream and leafnode remotes, and no JetStream domain: from the hub nothing can be asked of its streams (`$JS.DOMAIN.API` has no responders), and a source on the hub that names one of them stays empty.",
    likely: "The domain was forgotten.",
    fix: "Add `domain: NAME` to `jetstream`, another one than the hub's.",
  },
  "domain.shared": {
    severity: "error",
    meaning:
      "Servers that are joined by leafnode have the same JetStream domain: `$JS.DOMAIN.API` reaches only the near side, so nothing of the other side's JetStream can be asked or managed across the leaf, and a source or mirror can't say which side's stream it means.",
    likely: "A configuration was copied and its domain not changed.",
    fix: "Give each side a domain of its own, unless the leaf shall extend the hub's JetStream through the system account.",
  },
  "server_name.duplicate": {
    severity: "error",
    meaning:
      'Two servers have the same name. Two leaves of one name throw each other out of the hub at every reconnect ("Duplicate Remote LeafNode Connection", "Replacing connection from same server"); a cluster refuses the second ("Duplicate Server Name").',
    likely: "A configuration was copied and its name not changed.",
    fix: "Give each server a name of its own.",
  },
} as const satisfies Record<string, Kind>;

export type ConfigFindingCode = keyof typeof CONFIG_FINDINGS;

/** One mistake at one place. `problem` says what is wrong there and never holds a secret. */
export interface ConfigFinding extends Kind {
  readonly code: ConfigFindingCode;
  readonly at: Position;
  readonly problem: string;
}

export function configFinding(code: ConfigFindingCode, at: Position, problem: string): ConfigFinding {
  return { code, at, problem, ...CONFIG_FINDINGS[code] };
}
