import { nameOfGroup } from "../ladder/step-down.ts";
import { isJsonObject } from "../time/json.ts";
import { clip, listed } from "../time/text.ts";
import type { Finding, FindingCode, Verdict } from "../verdict/verdict.ts";

/** How many streams or consumers a page names, and how long each name may be. */
const MOST_NAMES = 8;
const LONGEST_NAME = 60;

interface Effect {
  readonly codes: readonly FindingCode[];
  /** Only for findings of this health; any by default. */
  readonly health?: Finding["health"];
  /** What the findings are about; by default streams and consumers. */
  readonly about?: (finding: Finding) => readonly string[];
  readonly say: (names: string, findings: readonly Finding[]) => string;
}

const asset = ({ subject: { stream, consumer } }: Finding): readonly string[] =>
  stream === undefined ? [] : [nameOfGroup({ stream, ...(consumer === undefined ? {} : { consumer }) })];
const bucket = (finding: Finding): readonly string[] => asset(finding).map((name) => name.replace(/^(KV|OBJ)_/, ""));
const refused = ({ evidence }: Finding): readonly string[] => {
  const streams = isJsonObject(evidence) ? evidence["streams"] : undefined;
  return Array.isArray(streams) ? streams.map(String) : [];
};
const server = ({ subject }: Finding): readonly string[] => (subject.server === undefined ? [] : [subject.server]);
const beyond = ({ subject: { domain, leafnode } }: Finding): readonly string[] => [
  ...(domain ? [`domain ${domain}`] : []),
  ...(leafnode ? [`leafnode ${leafnode}`] : []),
];

const REFUSED = "Servers refuse every client of the account: nobody can connect, publish or consume.";

/** What users notice of a finding, the worst first. */
const EFFECTS: readonly Effect[] = [
  {
    codes: ["account.expired", "account.deleted", "account.gone", "source.missing_account", "limit.locked"],
    say: () => REFUSED,
  },
  {
    codes: ["remedy.unfinished"],
    health: "dead",
    say: () => "The account has no JetStream: publishers and consumers get no answer.",
  },
  {
    codes: ["jetstream.not_enabled"],
    about: server,
    say: (names) => `The account has no JetStream on ${names}: its clients there get no answer.`,
  },
  {
    codes: ["stream.unheld", "stream.no_majority"],
    health: "dead",
    say: (names) => `Publishers to ${names} get 503 no responders, and their consumers get nothing.`,
  },
  {
    codes: ["stream.deaf", "stream.node_missing", "stream.failing", "stream.unlisted"],
    health: "dead",
    say: (names) => `Publishers to ${names} get 503 no responders.`,
  },
  {
    codes: [
      ...(["consumer.deaf", "consumer.node_missing", "consumer.forgotten"] as const),
      ...(["consumer.unheld", "consumer.no_majority"] as const),
    ],
    health: "dead",
    say: (names) => `Consumers get nothing, and fetches get 503: ${names}.`,
  },
  { codes: ["stream.direct_deaf"], about: bucket, say: (names) => `Every get on ${names} fails.` },
  {
    codes: ["limit.storage", "limit.no_tier"],
    about: refused,
    say: (names) => `Servers refuse messages to ${names}.`,
  },
  { codes: ["limit.outside_tiers"], say: () => "Servers refuse messages to streams that count in no tier (10120)." },
  {
    codes: ["limit.tiers_unproven"],
    about: refused,
    say: (names) => `Perhaps servers refuse every message to ${names} (10120). Relight can't see it.`,
  },
  {
    codes: ["limit.server_storage"],
    about: server,
    say: (names) => `${names} refuses messages of every account, because its storage is used up.`,
  },
  {
    codes: ["limit.connections"],
    say: () => "Servers refuse new clients of the account. Those that are connected go on working.",
  },
  { codes: ["asset.lost"], health: "dead", say: (names) => `Users of ${names} get errors, because it is gone.` },
  { codes: ["asset.lost"], health: "degraded", say: (names) => `Messages or positions are missing: ${names}.` },
  {
    codes: ["stream.runs_twice"],
    say: (names) => `Publishers to ${names} get two acknowledgments for each message.`,
  },
  {
    codes: ["stream.replicas_differ"],
    say: (names) => `Readers of ${names} get other messages from one server than from another.`,
  },
  {
    codes: ["stream.stalled", "stream.ahead_of_origin"],
    say: (names) => `Copies get no new messages: ${names}.`,
  },
  {
    codes: ["domain.silent", "domain.disabled", "leaf.missing", "leaf.wrong_account"],
    about: beyond,
    say: (names) => `Nothing of the account crosses to ${names}.`,
  },
  {
    codes: ["account.not_deleted"],
    say: () => "Clients of the account still have access, although the operator ordered its deletion.",
  },
  { codes: ["claims.no_start"], say: () => "Nothing fails yet, but a server that stops can't start again." },
  {
    codes: ["stream.no_leader", "consumer.no_leader"],
    say: (names) => `Perhaps no publish and no fetch works: ${names}.`,
  },
  {
    codes: [
      ...(["stream.replica_away", "consumer.replica_away", "stream.replica_behind"] as const),
      ...(["consumer.replica_behind", "stream.node_missing", "consumer.node_missing"] as const),
    ],
    health: "degraded",
    say: (names) => `Nothing fails yet. If another server fails, these may stop: ${names}.`,
  },
];

/** What users of the account notice, in sentences that name streams and consumers; undefined if that is not known. */
export function impactOf({ findings }: Pick<Verdict, "findings">): string | undefined {
  const sentences = EFFECTS.flatMap(({ codes, health, about = asset, say }) => {
    const own = findings.filter((found) => codes.includes(found.code) && (health ?? found.health) === found.health);
    if (own.length === 0) return [];
    const names = [...new Set(own.flatMap(about))].map((name) => clip(name, LONGEST_NAME));
    return [say(listed(names, MOST_NAMES) || "some streams", own)];
  });
  const [first] = sentences;
  if (first === undefined) return undefined;
  // Nothing is worse than that no client can connect.
  return first === REFUSED ? first : [...new Set(sentences)].join(" ");
}
