import { ALL, type LogKind } from "./explain-kind.ts";

/** Subjects that servers do not let cross a leafnode between two JetStream domains. */
const CLAMPED = /(?:subscribe to|service|mapping) \\?"(?:\$JS\.|\$KV\.|\$OBJ\.|\$O\.|\$JSC\.|\$NRG\.)/;
const PERMITTED = [
  "Not permitted to subscribe to %q on behalf of %s%s",
  "Not permitted to import service %q on behalf of %s%s",
  "Not permitted to import mapping %q on behalf of %s%s",
];
const NOTHING = "Nothing to do.";

/** Log lines about leafnodes. The first matching kind counts. */
export const LEAF_KINDS: readonly LogKind[] = [
  {
    id: "leaf.clamped",
    texts: PERMITTED,
    only: CLAMPED,
    versions: ALL,
    worry: "none",
    advice: NOTHING,
    title: "JetStream's subjects do not cross a leafnode",
    meaning:
      "Servers in different JetStream domains do not let $JS.API, $KV and $OBJ cross the leafnode, because otherwise each would answer for the other. A few of these lines per connection are normal.",
  },
  {
    id: "leaf.not_permitted",
    texts: PERMITTED,
    versions: ALL,
    worry: "look",
    title: "a leafnode is not allowed to use a subject",
    meaning: "The permissions of the leafnode's user, `deny_imports` or `deny_exports` block this subject.",
    advice: "If the subject should cross, correct the permissions of the leafnode's user or the remote's deny lists.",
  },
  {
    id: "leaf.domains",
    versions: ALL,
    worry: "none",
    advice: NOTHING,
    texts: [
      "JetStream using domains: local %q, remote %q",
      "JetStream not extended, domains differ",
      "Adding JetStream Domain Mapping %q -> %s to account %q",
      "Adding deny %+v for account %q",
      "Adding deny %q for outgoing messages to account %q",
    ],
    title: "two JetStream domains were joined",
    meaning: "The server sets up `$JS.DOMAIN.API` and the rules that keep the two domains apart.",
  },
  {
    id: "leaf.extended",
    texts: ["Extending JetStream domain %q as System Account connected from server %s"],
    versions: ALL,
    worry: "look",
    title: "JetStream was extended across a leafnode",
    meaning: "Both sides share the system account and the domain, so they form one JetStream.",
    advice: "Nothing to do if this is intended; otherwise give the leafnode its own domain.",
  },
  {
    id: "leaf.seed_or_file_missing",
    texts: ["Error reading LeafNode Remote Credentials file %q: %v"],
    versions: ALL,
    worry: "act",
    title: "a leafnode's credentials file can't be read",
    meaning: "The leafnode never connects. The text in quotes may be a seed that was given as `credentials`.",
    advice:
      "Correct `credentials` (relight check-config FILE). If it was a seed, replace it, because it is in this log.",
  },
  {
    id: "leaf.credentials_malformed",
    texts: [
      "LeafNode Remote Credentials file %q malformed",
      "LeafNode Remote Credentials file %q has malformed seed",
      "LeafNode Remote Credentials file %q has malformed user jwt",
      "Credentials file malformed",
      "Credentials file has malformed seed",
    ],
    versions: ALL,
    worry: "act",
    title: "a leafnode's credentials file is invalid",
    meaning:
      "The file lacks the JWT or the seed; often it is an NKey seed, which belongs under `nkey`. The leafnode never binds.",
    advice: "Correct `credentials` or use `nkey` (relight check-config FILE).",
  },
  {
    id: "leaf.loop",
    texts: ["Loop detected for leafnode account=%q. Delaying attempt to reconnect for %v", "leafnode loop detected"],
    versions: ALL,
    worry: "act",
    title: "leafnodes form a loop",
    meaning:
      "A message that crossed a leafnode would come back: two remotes lead to the same cluster and account, or a leafnode leads to itself.",
    advice: "Keep one remote per cluster and account, and list that cluster's servers in its `urls`.",
  },
  {
    id: "leaf.same_cluster_name",
    texts: [
      "Leafnode connection dropped with same cluster name error. Delaying attempt to reconnect for %v",
      "remote leafnode has same cluster name",
      "Cluster Names Identical",
    ],
    versions: ALL,
    worry: "act",
    title: "a leafnode has the cluster name of its hub",
    meaning: "The hub refuses it and it tries again every 30 seconds: nothing crosses the leafnode.",
    advice: "Give one of them another `cluster { name }` (relight check-config FILES).",
  },
  {
    id: "leaf.wrong_port",
    texts: ["attempted to connect to leaf node port", "attempted to connect to wrong port", "Incorrect Port"],
    versions: ALL,
    worry: "act",
    title: "a connection used the wrong port",
    meaning: "A leafnode's url names the client port, or a client's url the leafnode port.",
    advice: "Leafnodes usually listen on 7422, clients on 4222.",
  },
  {
    id: "leaf.replaced",
    texts: ["Replacing connection from same server", "Duplicate Remote LeafNode Connection"],
    versions: ALL,
    worry: "look",
    title: "a leafnode connected twice",
    meaning:
      "If it happens once, a leafnode reconnected before the old connection ended. If it repeats, two leafnodes with the same `server_name`, or one with the same remote twice, keep replacing each other.",
    advice: "If it repeats, give each server its own name and remove the second remote (relight check-config FILES).",
  },
  {
    id: "leaf.connect_failed",
    texts: ["Error trying to connect as leafnode to remote server %q (attempt %v): %v"],
    versions: ALL,
    worry: "look",
    title: "a leafnode can't reach its hub",
    meaning: "The hub is down, or its address or port is wrong. Sources and mirrors across it stall meanwhile.",
    advice: "Check the remote's `urls`, the network and the hub's `leafnodes { listen }`.",
  },
];
