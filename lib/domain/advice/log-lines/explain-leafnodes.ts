import { ALL, type LogKind, SINCE_2_10 } from "./explain-kind.ts";

/** The subjects that servers keep from crossing a leafnode between two JetStream domains. */
const CLAMPED = /(?:subscribe to|service|mapping) "(?:\$JS\.|\$KV\.|\$OBJ\.|\$O\.|\$JSC\.|\$NRG\.)/;
const PERMITTED = [
  "Not permitted to subscribe to %q on behalf of %s%s",
  "Not permitted to import service %q on behalf of %s%s",
  "Not permitted to import mapping %q on behalf of %s%s",
];
const NOTHING = "Nothing to do.";

/** What servers write about leafnodes. The first kind that fits a line counts. */
export const LEAF_KINDS: readonly LogKind[] = [
  {
    id: "leaf.clamped",
    texts: PERMITTED,
    only: CLAMPED,
    versions: ALL,
    worry: "none",
    advice: NOTHING,
    title: "JetStream's subjects are kept on their side of a leafnode",
    meaning:
      "Servers in different JetStream domains keep $JS.API, $KV and $OBJ from crossing the leafnode, or each would answer for the other. A handful of these lines at every connection is normal.",
  },
  {
    id: "leaf.not_permitted",
    texts: PERMITTED,
    versions: ALL,
    worry: "look",
    title: "a leafnode may not hear a subject",
    meaning: "The leaf's user, `deny_imports` or `deny_exports` keeps this subject from crossing.",
    advice:
      "If the subject should cross, correct the permissions of the leaf's user or the remote's deny lists.",
  },
  {
    id: "leaf.domains",
    versions: SINCE_2_10,
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
    advice: "Nothing to do if that is meant; otherwise give the leaf a domain of its own.",
  },
  {
    id: "leaf.seed_or_file_missing",
    texts: ["Error reading LeafNode Remote Credentials file %q: %v"],
    versions: ALL,
    worry: "act",
    title: "a leaf's credentials file can't be read",
    meaning: "The leaf never connects. What stands in quotes may be a seed that was given as `credentials`.",
    advice:
      "Correct `credentials` (relight check-config FILE). If a seed stood there, it is in this log: replace it.",
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
    title: "a leaf's credentials file is none",
    meaning:
      "The file lacks the JWT or the seed; often it is an NKey seed that belongs under `nkey`. The leaf never binds.",
    advice: "Correct `credentials` or use `nkey` (relight check-config FILE).",
  },
  {
    id: "leaf.loop",
    texts: [
      "Loop detected for leafnode account=%q. Delaying attempt to reconnect for %v",
      "leafnode loop detected",
    ],
    versions: SINCE_2_10,
    worry: "act",
    title: "leafnodes form a loop",
    meaning:
      "A message that crossed a leafnode would come back: two remotes lead to one cluster and account, or a leaf leads to itself.",
    advice: "Keep one remote per cluster and account, and list that cluster's servers in its `urls`.",
  },
  {
    id: "leaf.wrong_port",
    texts: ["attempted to connect to leaf node port", "attempted to connect to wrong port"],
    versions: ALL,
    worry: "act",
    title: "a connection came to the wrong port",
    meaning: "A leaf's url names the port of clients, or a client's that of leafnodes.",
    advice: "Leafnodes usually listen on 7422, clients on 4222.",
  },
  {
    id: "leaf.replaced",
    texts: ["Replacing connection from same server", "Duplicate Remote LeafNode Connection"],
    versions: ALL,
    worry: "look",
    title: "a leaf connected twice",
    meaning:
      "Once: a reconnect that overtook the old connection's end. Again and again: two leaves with one `server_name`, or one with the same remote twice, throw each other out.",
    advice:
      "If it repeats, give each server a name of its own and remove the second remote (relight check-config FILES).",
  },
  {
    id: "leaf.connect_failed",
    texts: ["Error trying to connect as leafnode to remote server %q (attempt %v): %v"],
    versions: ALL,
    worry: "look",
    title: "a leaf can't reach its hub",
    meaning:
      "The hub is down, or its address or port is another. Sources and mirrors across it stand still meanwhile.",
    advice: "Check the remote's `urls`, the network and the hub's `leafnodes { listen }`.",
  },
];
