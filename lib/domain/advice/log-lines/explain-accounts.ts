import { ALL, type LogKind } from "./explain-kind.ts";

const FIND_ACCOUNT =
  "Find out which: $SYS.REQ.ACCOUNT.<id>.INFO reports `expired: true` if the account's claims expired; otherwise the user's JWT did.";
const RENEW = "Renew the account, then prove that JetStream works again: relight heal ACCOUNT.";

/** Log lines about accounts and users. The first matching kind counts. */
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
    id: "account.streams_not_created",
    texts: ["lookup for stream create failed: %v", "lookup for consumer create failed: %v"],
    versions: ALL,
    worry: "act",
    title: "a server started without an account's streams",
    meaning:
      "It could not look up the account, most often because the account was expired. In a cluster these streams stay away after the renewal, on every version.",
    advice: "Renew the account first, then relight heal ACCOUNT. Restart no server before that.",
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
    versions: ["2.15.2"],
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
    texts: ["Account fetch failed: %v", "Account [%s] fetch took %v", "DirResolver - Could not find account %q"],
    versions: ALL,
    worry: "look",
    title: "a server could not get an account's JWT",
    meaning: "The resolver does not have the account, or did not answer. A full resolver deletes expired accounts.",
    advice: "Push the account's JWT again; relight status shows which are missing.",
  },
  {
    id: "account.imports_refused",
    texts: [
      "Can't locate account [%s] for import of [%v] %s (err=%v)",
      "has issues importing account %s",
      "Error adding stream import to account [%s]: %v",
      "Error adding service import to account [%s]: %v",
      "Invalid issuer account %q in activation claim",
    ],
    versions: ALL,
    worry: "act",
    title: "an import is not in force",
    meaning:
      "The exporting account is unknown or expired, its export is gone, or the activation is not valid: the account lacks these subjects.",
    advice: "Push the exporting account first, then renew the activation. relight verify ACCOUNT names the imports.",
  },
  {
    id: "user.revoked",
    texts: ["User authentication revoked", "Credentials Revoked"],
    versions: ALL,
    worry: "look",
    title: "a revoked user was refused",
    meaning: "The account's claims revoke the user's JWT.",
    advice: "Nothing to do if this is intended; otherwise give the client new credentials.",
  },
  {
    id: "user.rejected",
    texts: [
      "User JWT no longer valid: %+v",
      "User JWT not valid: %v",
      "User JWT issuer is not known",
      "User nkey not valid: %v",
      "Bearer User JWT not allowed",
      "Connection type not allowed",
    ],
    versions: ALL,
    worry: "look",
    title: "a user's JWT was refused",
    meaning: "The line says why: expired, signed by a key that the account no longer has, or used where it may not be.",
    advice: "Give the client new credentials, signed by a key of the account.",
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
];
