import { ALL, type LogKind } from "./explain-kind.ts";

const FIND_ACCOUNT =
  "Ask which it was: $SYS.REQ.ACCOUNT.<id>.INFO says `expired: true` if the account's claims expired; if not, it was the user's.";
const RENEW = "Renew the account, then prove that JetStream works again: relight heal ACCOUNT.";

/** What servers write about accounts, users and connections. The first kind that fits a line counts. */
export const ACCOUNT_KINDS: readonly LogKind[] = [
  {
    id: "account.expired_clients_closed",
    texts: ["Account Authentication Expired"],
    versions: ALL,
    worry: "act",
    title: "an account expired and its clients were closed",
    meaning:
      "The account's claims expired. Before 2.10.28 and 2.11.2 JetStream's own clients go with the others, and renewed claims do not bring them back (#6806).",
    advice: RENEW,
  },
  {
    id: "user.expired",
    texts: ["User Authentication Expired"],
    versions: ALL,
    worry: "act",
    title: "a user expired",
    meaning: "The user's own JWT expired; the account and its JetStream are not affected.",
    advice: "Give the client new credentials.",
  },
  {
    id: "connection.expired",
    texts: ["Authentication Expired"],
    versions: ALL,
    worry: "act",
    title: "a connection ended because a JWT expired",
    meaning: "The user's JWT or the account's. Many at one moment in one account: the account's.",
    advice: FIND_ACCOUNT,
  },
  {
    id: "account.expired",
    texts: ["Account JWT has expired", "Requested account [%s] has expired", "account expired"],
    versions: ALL,
    worry: "act",
    title: "someone asked for an account that has expired",
    meaning:
      "Its clients are refused until the claims are renewed. A full resolver deletes the JWT within about a minute.",
    advice: `${RENEW} Do not restart servers before: that damages streams in a cluster, on every version.`,
  },
  {
    id: "account.jetstream_expired",
    texts: ["JetStream account %q is expired", "JetStream account '%s' is expired"],
    versions: ["2.15.1"],
    worry: "act",
    title: "an account with streams has expired",
    meaning:
      "The health check found streams of an expired account; a probe on the full /healthz may restart the server, which does damage.",
    advice: `${RENEW} Probe with js-enabled-only and js-server-only rather than the full /healthz.`,
  },
  {
    id: "account.untrusted",
    texts: ["Account JWT not signed by trusted operator"],
    versions: ALL,
    worry: "act",
    title: "an account's JWT is not trusted",
    meaning:
      "It was signed by a key that is none of the servers' operator, as after an exchange of the operator or its signing keys.",
    advice: "Sign it with a key that the servers trust: relight renew ACCOUNT.",
  },
  {
    id: "account.update_skipped",
    texts: ["jwt update cache skipped"],
    versions: ALL,
    worry: "look",
    title: "a pushed JWT was not kept",
    meaning: "A cache resolver keeps only the JWTs of accounts that are loaded. It answers 200 all the same.",
    advice:
      "Nothing to do if the account is not used there; otherwise push to a server with a full resolver.",
  },
  {
    id: "account.update_refused",
    texts: ["jwt update resulted in error", "jwt validation failed"],
    versions: ALL,
    worry: "act",
    title: "a pushed JWT was refused",
    meaning: "The reason stands at the line's end; \"not trusted\": none of the servers' operator signed it.",
    advice: "Sign it with a key that the servers trust: relight renew ACCOUNT.",
  },
  {
    id: "account.fetch_failed",
    texts: ["Account fetch failed: %v"],
    versions: ALL,
    worry: "look",
    title: "an account's JWT could not be had",
    meaning:
      "The resolver does not know the account, or did not answer. A full resolver forgets expired accounts.",
    advice: "Push the account's JWT again: relight status says which are missing.",
  },
  {
    id: "auth.timeout",
    texts: ["Authentication Timeout"],
    versions: ALL,
    worry: "look",
    title: "a connection did not authenticate in time",
    meaning:
      "It said nothing: a slow network, a health check on the port, or a leaf whose credentials file is none.",
    advice:
      "If a leafnode is closed so, look into the leaf's own log and check its configuration (relight check-config FILE).",
  },
  {
    id: "auth.refused",
    texts: ["Authorization Violation", "Authentication Failure", "authentication error"],
    versions: ALL,
    worry: "look",
    title: "a connection was refused",
    meaning:
      "Wrong or revoked credentials, or an account that is expired or unknown (a line at debug level says which).",
    advice: "If many clients of one account are refused, look at it first: relight verify ACCOUNT.",
  },
  {
    id: "permissions.violation",
    texts: ["Permissions Violation for Publish to %q", "Permissions Violation for Subscription to %q"],
    versions: ALL,
    worry: "look",
    title: "a client may not use a subject",
    meaning: "Its user's permissions do not allow it.",
    advice: "Correct the permissions, or the client.",
  },
  {
    id: "connections.account_limit",
    texts: ["maximum account active connections exceeded", "Maximum Account Connections Exceeded"],
    versions: ALL,
    worry: "act",
    title: "an account has too many connections",
    meaning:
      "Its claims allow no more. If the limit was lowered below what is in use, JetStream's own clients were closed too before 2.10.28 and 2.11.2 (#6766).",
    advice: "Raise the limit, then relight verify ACCOUNT.",
  },
  {
    id: "connections.server_limit",
    texts: ["maximum connections exceeded", "Maximum Connections Exceeded"],
    versions: ALL,
    worry: "look",
    title: "a server has too many connections",
    meaning: "`max_connections` is reached: new clients are refused.",
    advice: "Raise it, add servers, or find the client that does not close its connections.",
  },
];
