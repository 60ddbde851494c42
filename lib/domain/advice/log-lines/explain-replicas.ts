import { ALL, type LogKind, SINCE_2_10, SINCE_2_10_27, SINCE_2_12 } from "./explain-kind.ts";

/** Log lines about replicas, leaders and health checks. The first matching kind counts. */
export const REPLICA_KINDS: readonly LogKind[] = [
  {
    id: "jetstream.node_missing",
    texts: ["stream node missing", "consumer node missing"],
    versions: SINCE_2_12,
    worry: "act",
    title: "a server runs no replica of a stream or consumer that it should",
    meaning:
      "Damage from toggling JetStream in a cluster, or from a restart while the account was expired. Waiting does not help.",
    advice: "If the account is expired, renew it first. Then run relight heal ACCOUNT.",
  },
  {
    id: "jetstream.group_missing",
    texts: ["group node missing"],
    versions: SINCE_2_10_27,
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
    texts: ["JetStream cluster no metadata leader", "JetStream has not established contact with a meta leader"],
    versions: ALL,
    worry: "act",
    title: "the JetStream cluster has no leader",
    meaning:
      "Normal for a moment after a leader stopped. If it persists, most servers are down, and nothing can be created or moved.",
    advice: "Bring the servers back; check that the routes are up.",
  },
  {
    id: "jetstream.bad_state",
    texts: ["Detected bad stream state, resetting '%s > %s'", "Resetting stream cluster state for '%s > %s'"],
    versions: ALL,
    worry: "look",
    title: "a replica is being rebuilt",
    meaning: "The server found its copy of a stream damaged and fetches it again from the leader.",
    advice: "Wait until the stream's replicas are current; if it repeats, the disk may be failing.",
  },
  {
    id: "raft.behind",
    texts: [
      "Falling behind in health check, commit %d != applied %d",
      "JetStream stream '%s > %s' has high message lag",
      "%d append entries pending",
      "Quorum paused, falling behind: commit %d != applied %d",
      "Leader falling behind, stepping down",
    ],
    versions: ALL,
    worry: "look",
    title: "a replica is behind its leader",
    meaning:
      "The server applies changes more slowly than they come: slow disks, a busy CPU, or a restart a moment ago.",
    advice:
      "Normal for a moment after a restart. If it persists, check the disk and how many streams the server holds.",
  },
  {
    id: "raft.behind_ended",
    texts: ["Health check OK, no longer falling behind", "Quorum resumed: commit %d, applied %d"],
    versions: SINCE_2_10,
    worry: "none",
    title: "a replica caught up with its leader",
    meaning: "What an earlier line said about falling behind is over.",
    advice: "Nothing to do.",
  },
  {
    id: "raft.reset",
    texts: ["Resetting WAL state", "Corrupt WAL, will truncate", "Misaligned WAL, will truncate", "Snapshot corrupt"],
    versions: ALL,
    worry: "look",
    title: "a replica threw its log away",
    meaning:
      "The server found its Raft log not to fit and takes it from the leader again. Without a leader, or on every server at once, data is at risk.",
    advice:
      "Wait until the stream's replicas are current (relight verify ACCOUNT). If it repeats, check disk and memory.",
  },
  {
    id: "raft.write_failed",
    texts: ["Critical write error: %v", "critical write error: %v", "Error storing entry to WAL: %v"],
    versions: ALL,
    worry: "act",
    title: "a server can't write to its disk",
    meaning: "A replica stopped because its storage failed: the disk is full, read-only or broken.",
    advice: "Mend the disk, then restart the server while no account with streams is expired.",
  },
  {
    id: "jetstream.catchup",
    texts: [
      "Catchup for stream '%s > %s' stalled",
      "Catchup for stream '%s > %s' errored, will retry: %v",
      "Catchup for stream '%s > %s' was aborted on the remote due to: %q",
      "Error loading message for catchup '%s > %s': %v",
    ],
    versions: ALL,
    worry: "look",
    title: "a replica could not be brought up to date",
    meaning: "It tries again. Until then the stream has a replica less than it should.",
    advice: "Wait until the replicas are current (relight verify ACCOUNT). If it repeats, check network and disks.",
  },
  {
    id: "jetstream.peer_removed",
    texts: ["JetStream being DISABLED, our server was removed from the cluster"],
    versions: ALL,
    worry: "act",
    title: "a server was removed from the JetStream cluster",
    meaning: "Somebody removed this peer. It has no JetStream until it starts again with an empty `store_dir`.",
    advice: "Empty its `store_dir` and restart it if it should be part of the cluster again.",
  },
  {
    id: "jetstream.leader",
    texts: [
      "JetStream cluster new stream leader for '%s > %s'",
      "JetStream cluster new consumer leader for '%s > %s > %s'",
      "JetStream cluster new metadata leader: %s",
      "Self is new JetStream cluster metadata leader",
      "JetStream cluster new remote metadata leader",
    ],
    versions: ALL,
    worry: "none",
    title: "a stream, consumer or meta group has a new leader",
    meaning: "Normal after a server started or stopped. Very many in a short time mean an unstable network or disk.",
    advice: "Nothing to do.",
  },
  {
    id: "health.failed",
    texts: ["Healthcheck failed: %q", "Healthcheck failed: %d errors"],
    versions: ALL,
    worry: "look",
    title: "a health check failed",
    meaning: "Somebody requested /healthz, and the server is not healthy, for the reason in quotes.",
    advice:
      "If it persists, run relight status. A probe on the full /healthz restarts servers while an account is expired, which does damage.",
  },
];
