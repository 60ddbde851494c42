import { ALL, type LogKind } from "./explain-kind.ts";

const FIND_ACCOUNT =
  "Find out which: $SYS.REQ.ACCOUNT.<id>.INFO reports `expired: true` if the account's claims expired; otherwise the user's JWT did.";
const RENEW = "Renew the account, then prove that JetStream works again: relight heal ACCOUNT.";

/** Log lines about accounts, users and connections. The first matching kind counts. */
export const ACCOUNT_KINDS: readonly LogKind[] = [
  {
    id: "account.expired_clients_closed",
    texts: ["Account Authentication Expired"],
    versions: ALL,
    worry: "act",
    title: "an account expired and its clients were closed",
    meaning:
      "The account's claims expired. Before 2.10.28 and 2.11.2 this also closes JetStream's own clients, and a renewal does not bring them back (#6806).",
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
    meaning:
      "The user's JWT or the account's expired. Many such lines for one account at the same time mean the account's.",
    advice: FIND_ACCOUNT,
  },
  {
    id: "account.expired",
    texts: ["Account JWT has expired", "Requested account [%s] has expired", "account expired"],
    versions: ALL,
    worry: "act",
    title: "a server refused an expired account",
    meaning:
      "Servers refuse its clients until the claims are renewed. A full resolver deletes the JWT within about a minute.",
    advice: `${RENEW} Do not restart servers before that: in a cluster it damages streams, on every version.`,
  },
  {
    id: "account.jetstream_expired",
    texts: ["JetStream account %q is expired", "JetStream account '%s' is expired"],
    versions: ["2.15.1"],
    worry: "act",
    title: "an account with streams has expired",
    meaning:
      "A health check found streams of an expired account. A probe on the full /healthz may restart the server, which does damage.",
    advice: `${RENEW} Probe with js-enabled-only and js-server-only instead of the full /healthz.`,
  },
  {
    id: "account.untrusted",
    texts: ["Account JWT not signed by trusted operator"],
    versions: ALL,
    worry: "act",
    title: "an account's JWT is not trusted",
    meaning:
      "The key that signed it does not belong to the servers' operator, for instance after the operator or its signing keys were replaced.",
    advice: "Sign it with a key that the servers trust: relight renew ACCOUNT.",
  },
  {
    id: "account.update_skipped",
    texts: ["jwt update cache skipped"],
    versions: ALL,
    worry: "look",
    title: "a pushed JWT was not stored",
    meaning: "A cache resolver stores only the JWTs of loaded accounts, but answers 200.",
    advice: "Nothing to do if the account is not used there; otherwise push to a server with a full resolver.",
  },
  {
    id: "account.update_refused",
    texts: ["jwt update resulted in error", "jwt validation failed"],
    versions: ALL,
    worry: "act",
    title: "a pushed JWT was refused",
    meaning: 'The line ends with the reason. "not trusted" means that no key of the servers\' operator signed it.',
    advice: "Sign it with a key that the servers trust: relight renew ACCOUNT.",
  },
  {
    id: "account.fetch_failed",
    texts: ["Account fetch failed: %v"],
    versions: ALL,
    worry: "look",
    title: "a server could not get an account's JWT",
    meaning: "The resolver does not have the account, or did not answer. A full resolver deletes expired accounts.",
    advice: "Push the account's JWT again; relight status shows which are missing.",
  },
  {
    id: "auth.timeout",
    texts: ["Authentication Timeout"],
    versions: ALL,
    worry: "look",
    title: "a connection did not authenticate in time",
    meaning:
      "It sent nothing: a slow network, a health check on the port, or a leafnode with an invalid credentials file.",
    advice: "If it was a leafnode, see the leafnode's own log and check its configuration (relight check-config FILE).",
  },
  {
    id: "auth.refused",
    texts: ["Authorization Violation", "Authentication Failure", "authentication error"],
    versions: ALL,
    worry: "look",
    title: "a connection was refused",
    meaning: "The credentials are wrong or revoked, or the account is expired or unknown (a debug line says which).",
    advice: "If many clients of one account are refused, check the account first: relight verify ACCOUNT.",
  },
  {
    id: "permissions.violation",
    texts: ["Permissions Violation for Publish to %q", "Permissions Violation for Subscription to %q"],
    versions: ALL,
    worry: "look",
    title: "a client is not allowed to use a subject",
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
      "Its claims allow no more. If the limit was lowered below current usage, versions before 2.10.28 and 2.11.2 also closed JetStream's own clients (#6766).",
    advice: "Raise the limit, then run relight verify ACCOUNT.",
  },
  {
    id: "connections.server_limit",
    texts: ["maximum connections exceeded", "Maximum Connections Exceeded"],
    versions: ALL,
    worry: "look",
    title: "a server has too many connections",
    meaning: "`max_connections` is reached: the server refuses new clients.",
    advice: "Raise it, add servers, or find the client that does not close its connections.",
  },
];
