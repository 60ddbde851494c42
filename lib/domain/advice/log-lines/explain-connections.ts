import { ALL, type LogKind, SINCE_2_12 } from "./explain-kind.ts";

const NOTHING = "Nothing to do.";

/** Log lines about permissions, limits and transport of single connections. The first matching kind counts. */
export const CONNECTION_KINDS: readonly LogKind[] = [
  {
    id: "permissions.violation",
    texts: ["Publish Violation - ", "Subscription Violation"],
    versions: ALL,
    worry: "look",
    title: "a client is not allowed to use a subject",
    meaning:
      "Its user's permissions do not allow the subject in quotes. The server refuses it and keeps the connection.",
    advice: "Correct the user's permissions, or the client. A reply subject needs `allow_responses` or `_INBOX.>`.",
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
  {
    id: "connections.subscription_limit",
    texts: ["maximum subscriptions exceeded", "Maximum Subscriptions Exceeded"],
    versions: ALL,
    worry: "look",
    title: "a connection has too many subscriptions",
    meaning:
      "The account's or user's `subs`, or `max_subscriptions` of the server, allows no more: the server refuses it.",
    advice: "Find the client that does not unsubscribe, or raise the limit.",
  },
  {
    id: "connection.payload_limit",
    texts: ["maximum payload exceeded", "Maximum Message Payload Exceeded"],
    versions: ALL,
    worry: "look",
    title: "a client sent a message that is too large",
    meaning:
      "It is larger than `max_payload` of the server or the `payload` limit of the account. The client is closed.",
    advice: "Send smaller messages (the object store splits large ones), or raise the limit.",
  },
  {
    id: "connection.protocol_error",
    texts: ["parser ERROR", "maximum control line exceeded", "Maximum Control Line Exceeded", "Protocol Violation"],
    versions: ALL,
    worry: "look",
    title: "a connection does not speak NATS",
    meaning:
      "The server could not read what was sent: a client of another protocol (HTTP, TLS on a port without TLS), a health check, or a port scan.",
    advice:
      "Find the sender by its address. A line that repeats at a fixed time is a health check: use the monitoring port.",
  },
  {
    id: "tls.handshake",
    texts: ["handshake error: %v", "TLS handshake timeout", "TLS Handshake Failure"],
    versions: ALL,
    worry: "look",
    title: "a TLS handshake failed",
    meaning:
      "The reason follows: a certificate that expired or is not trusted, a name that is not in it, no certificate of the client, or a connection without TLS (`first record does not look like a TLS handshake`).",
    advice:
      "Correct the certificate, or the CA or the name that the other side checks. EOF alone is often a health check.",
  },
  {
    id: "connection.stale",
    texts: ["Stale Connection", "Stale Client Connection - Closing"],
    versions: ALL,
    worry: "look",
    title: "a connection was closed because it did not answer",
    meaning: "It missed `ping_max` pings: the network or the client was gone, or the client was blocked.",
    advice: "Occasional lines are normal. Many at once mean a network or a server that was away.",
  },
  {
    id: "connection.slow_recovered",
    texts: ["Slow Consumer Recovered"],
    versions: SINCE_2_12,
    worry: "none",
    title: "a slow connection caught up",
    meaning: "A route, gateway or leafnode that was too slow takes data again. It was not closed.",
    advice: NOTHING,
  },
  {
    id: "connection.slow_consumer",
    texts: ["Slow Consumer"],
    versions: ALL,
    worry: "look",
    title: "a connection reads too slowly",
    meaning:
      "The server closes a client instead of buffering more messages; from 2.12 on it keeps routes, gateways and leafnodes. While a leafnode is slow, its sources lag.",
    advice: "Find the connection by its cid. `max_pending` or `write_deadline` give it more room.",
  },
  {
    id: "server.slow_read",
    texts: ["Readloop processing time: %v"],
    versions: ALL,
    worry: "look",
    title: "a server took long over one read",
    meaning: "Slow disks, a busy CPU, or a subject with very many subscribers. Clients' requests may time out.",
    advice: "Occasional lines are normal. If there are many, check disks and CPU.",
  },
  {
    id: "server.slow_internal",
    texts: ["Internal subscription on %q took too long: %v", "Took too long to process subscription for %q: %v"],
    versions: ALL,
    worry: "look",
    title: "a server took long over a request to itself",
    meaning: "Slow disks or a busy CPU. On `$JS.API.…` the requests of other clients waited, too.",
    advice:
      "Occasional lines are normal. If there are many, check disks and CPU, and how often clients ask for stream info.",
  },
  {
    id: "connection.refused_by_peer",
    texts: ["Leafnode Error %s", "Route Error %s", "Gateway Error %s", "Client Error %s"],
    versions: ALL,
    worry: "look",
    title: "the other side of a connection reported an error",
    meaning: "The text in quotes is the other server's: its log says more.",
    advice: "Look for the same time in the other server's log.",
  },
];
