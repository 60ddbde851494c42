import { ALL, type LogKind, SINCE_2_10 } from "./explain-kind.ts";

/** Log lines about JetStream and the server itself. The first matching kind counts. */
export const JETSTREAM_KINDS: readonly LogKind[] = [
  {
    id: "jetstream.not_enabled",
    texts: ["JetStream not enabled for account"],
    versions: ALL,
    worry: "act",
    title: "an account has no JetStream on a server",
    meaning:
      "Its claims give it none, or the server has not enabled it yet (in a cluster, a second or more after a push).",
    advice: "If it persists, run relight verify ACCOUNT.",
  },
  {
    id: "jetstream.not_configured",
    texts: ["Error configuring JetStream for account %q"],
    versions: SINCE_2_10,
    worry: "act",
    title: "a server could not give an account its JetStream",
    meaning: "Its claims require more than the server has, or its streams could not be read; the line says which.",
    advice:
      "Compare the account's limits with the server's `jetstream { max_mem, max_file }`, then run relight verify ACCOUNT.",
  },
  {
    id: "jetstream.node_missing",
    texts: ["stream node missing", "consumer node missing"],
    versions: ["2.15.1"],
    worry: "act",
    title: "a server runs no replica of a stream or consumer that it should",
    meaning:
      "Damage from toggling JetStream in a cluster, or from a restart while the account was expired. Waiting does not help.",
    advice: "If the account is expired, renew it first. Then run relight heal ACCOUNT.",
  },
  {
    id: "jetstream.group_missing",
    texts: ["group node missing"],
    versions: SINCE_2_10,
    worry: "act",
    title: "a server has no Raft node for a stream or consumer that it should run",
    meaning:
      "Damage from toggling JetStream in a cluster, or from a restart while the account was expired. Waiting does not help.",
    advice: "If the account is expired, renew it first. Then run relight heal ACCOUNT.",
  },
  {
    id: "jetstream.no_quorum",
    texts: [
      "JetStream cluster stream '%s > %s' has NO quorum, stalled",
      "JetStream cluster consumer '%s > %s > %s' has NO quorum, stalled",
    ],
    versions: ALL,
    worry: "act",
    title: "a stream or consumer has no quorum",
    meaning: "Most of its replicas are down or can't reach each other. It accepts no messages until they are back.",
    advice: "Bring its servers back, one at a time. Do not remove peers that will return.",
  },
  {
    id: "jetstream.no_meta_leader",
    texts: ["JetStream cluster no metadata leader"],
    versions: ALL,
    worry: "act",
    title: "the JetStream cluster has no leader",
    meaning:
      "Normal for a moment after a leader stopped. If it persists, most servers are down, and nothing can be created or moved.",
    advice: "Bring the servers back; check that the routes are up.",
  },
  {
    id: "jetstream.storage",
    texts: [
      "could not create storage directory - %v",
      "storage directory is not a directory",
      "storage directory is not writable",
    ],
    versions: ALL,
    worry: "act",
    title: "JetStream can't use its storage directory",
    meaning: "The server has no JetStream, so its replicas are missing.",
    advice: "Check `jetstream { store_dir }`, the volume, and the write permission of the server's user.",
  },
  {
    id: "jetstream.out_of_resources",
    texts: [
      "JetStream out of %s resources, will be DISABLED",
      "JetStream out of resources, will be DISABLED",
      "JetStream out of space, will be DISABLED",
    ],
    versions: ALL,
    worry: "act",
    title: "a server turned its JetStream off",
    meaning: "It is out of disk or memory.",
    advice: "Free resources, then restart it while no account with streams is expired.",
  },
  {
    id: "jetstream.bad_state",
    texts: ["Detected bad stream state, resetting '%s > %s'", "Resetting stream cluster state for '%s > %s'"],
    versions: SINCE_2_10,
    worry: "look",
    title: "a replica is being rebuilt",
    meaning: "The server found its copy of a stream damaged and fetches it again from the leader.",
    advice: "Wait until the stream's replicas are current; if it repeats, the disk may be failing.",
  },
  {
    id: "health.failed",
    texts: ["Healthcheck failed: %q", "Healthcheck failed: %d errors"],
    versions: SINCE_2_10,
    worry: "look",
    title: "a health check failed",
    meaning: "Somebody requested /healthz, and the server is not healthy, for the reason in quotes.",
    advice:
      "If it persists, run relight status. A probe on the full /healthz restarts servers while an account is expired, which does damage.",
  },
  {
    id: "server.duplicate_name",
    texts: ["Duplicate Server Name"],
    versions: ALL,
    worry: "act",
    title: "two servers have the same name",
    meaning: "One refused the connection of the other.",
    advice: "Give each its own `server_name` (relight check-config FILES).",
  },
  {
    id: "server.address_in_use",
    texts: ["address already in use"],
    versions: ALL,
    worry: "act",
    title: "a port is taken",
    meaning: "Another program, often a second server, uses the port.",
    advice: "Stop it, or choose another port.",
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
    id: "connection.slow_consumer",
    texts: ["Slow Consumer"],
    versions: ALL,
    worry: "look",
    title: "a client reads too slowly",
    meaning:
      "The server closed the client instead of buffering more messages. If it was a leafnode, its sources stop for a while.",
    advice: "Find the client by its cid. `max_pending` or `write_deadline` give it more room.",
  },
  {
    id: "server.panic",
    texts: ["invalid memory address or nil pointer dereference"],
    versions: ALL,
    worry: "act",
    title: "a server crashed",
    meaning:
      "A bug in the server. 2.10.27 crashes like this if a stream is updated that lost its Raft node in a restart.",
    advice: "Keep the log, upgrade, and update no streams until relight verify ACCOUNT reports them healthy.",
  },
];
