import { type Expectations, NOTHING_EXPECTED } from "../claims/account.ts";
import { claimsInForce, loaded } from "../claims/claims-in-force.ts";
import type { SourceView } from "../claims/claims-source.ts";
import type { Operator } from "../claims/operator.ts";
import { type Presence, presenceIn } from "../claims/presence.ts";
import type { JournalEntry } from "../journal/journal.ts";
import type { LastPush } from "../journal/last-push.ts";
import { emptiedWarnings } from "../ladder/emptied.ts";
import type { Loss } from "../ladder/loss.ts";
import { lossFindings } from "../ladder/loss-findings.ts";
import { orderOfRestarts, restartFindings } from "../ladder/restart-findings.ts";
import { limitFindings, limitWarnings } from "../limits/limits-findings.ts";
import type { TierHistory } from "../limits/tier-history.ts";
import type { Agreement } from "../observation/agreement.ts";
import { skewFindings } from "../observation/clocks.ts";
import { allStreams } from "../observation/domains.ts";
import type { Observation, ServerFacts } from "../observation/observation.ts";
import type { LastSight } from "../observation/streams-seen.ts";
import { defined } from "../time/defined.ts";
import { counted } from "../time/text.ts";
import { isoTime } from "../time/time.ts";
import { claimsFindings, idleWarnings, resolverWarnings, withdrawalFinding } from "./claims-findings.ts";
import { explainDefect } from "./defects.ts";
import { domainFindings } from "./domains-findings.ts";
import { finding } from "./findings.ts";
import { importWarnings } from "./import-findings.ts";
import { abandonedWarnings, jetStreamFindings } from "./jetstream-findings.ts";
import { boundTo, leafnodeFindings } from "./leafnodes-findings.ts";
import { originFindings } from "./origins-findings.ts";
import { overwrittenFindings } from "./overwritten-findings.ts";
import { sourceFindings } from "./source-findings.ts";
import {
  type Depth,
  type Finding,
  type FindingCode,
  observedAt,
  type Verdict,
  type Warning,
  worst,
} from "./verdict.ts";

/** What an observation is judged by. */
export interface Standards {
  readonly operator: Operator;
  /** Whether the journal has an open toggle, so JetStream may be off. */
  readonly unfinishedToggle: boolean;
  /** Streams with an open reconfiguration. */
  readonly unfinishedChanges: readonly string[];
  /** Unacknowledged losses; none by default. */
  readonly losses?: readonly Loss[];
  /** Journal entries without a valid proof that Relight would otherwise act on; none by default. */
  readonly unproved?: readonly JournalEntry[];
  /** Expected domains and leafnodes; none by default. */
  readonly expected?: Expectations;
  /** The source of truth; absent if none is configured. */
  readonly source?: SourceView;
  /** Whether the account exists, and if not, why. By default from this observation alone, without the journal. */
  readonly presence?: Presence;
  /** What servers lack to give the account JetStream; nothing by default. */
  readonly shortage?: readonly string[];
  /** Relight's last push of the account, if any. */
  readonly pushed?: LastPush;
  /** The account when it was last healthy, if ever. */
  readonly sight?: LastSight;
  /** Since when the account is known to have tiers, if it has; unknown by default. */
  readonly tiers?: TierHistory;
  /** Which findings earlier observations confirm; all by default. */
  readonly agreement?: Pick<Agreement, "counts" | "unsettled">;
}

const NOTHING_KNOWN = { lastSeen: undefined, deletion: undefined };

/** Computes the verdict from one observation. */
export function assess(observation: Observation, standards: Standards): Verdict {
  const { expected = NOTHING_EXPECTED, sight } = standards;
  const presence = standards.presence ?? presenceIn(observation, standards.operator, NOTHING_KNOWN);
  const withdrawn = withdrawalFinding(presence, sight?.streams ?? []);
  // Everything else that is wrong with a deleted account follows from the deletion.
  const findings =
    withdrawn === undefined
      ? agreedFindings(allFindings(observation, standards, presence, expected), standards)
      : [withdrawn];
  const streams = allStreams(observation);
  return {
    account: observation.account,
    health: worst(findings.map(({ health }) => health)),
    depth: depthOf(observation),
    observedAt: observedAt(observation.at),
    servers: observation.servers.map(describeServer),
    leafnodes: boundTo(observation),
    streams: streams.length,
    consumers: streams.reduce((sum, { consumers }) => sum + consumers.length, 0),
    findings,
    warnings: withdrawn === undefined ? warningsAbout(observation, findings, sight) : [],
    diagnosis: diagnose(observation, findings),
  };
}

function warningsAbout(
  observation: Observation,
  findings: readonly Finding[],
  sight: LastSight | undefined,
): readonly Warning[] {
  return [
    ...limitWarnings(observation),
    ...emptiedWarnings(observation),
    ...resolverWarnings(observation),
    ...keptOutWarnings(observation),
    ...idleWarnings(observation, findings, sight),
    ...abandonedWarnings(observation),
    ...importWarnings(
      loaded(observation)[0]?.document.claims,
      observation.streams.ok ? observation.streams.value : [],
      observation.servers,
    ),
  ];
}

function keptOutWarnings({ accountView: view }: Observation): readonly Warning[] {
  if (view.ok !== "not-asked" || view.keptOut !== true) return [];
  return [{ code: "account.kept_out", subject: {}, message: `checked only as the system account: ${view.why}` }];
}

function agreedFindings(findings: readonly Finding[], { agreement }: Standards): readonly Finding[] {
  if (agreement === undefined) return findings;
  return [...findings.filter(agreement.counts), ...agreement.unsettled];
}

function allFindings(
  observation: Observation,
  standards: Standards,
  presence: Presence,
  expected: Expectations,
): readonly Finding[] {
  const claims = claimsFindings(observation, standards.operator, presence, standards.sight);
  return [
    ...(standards.unfinishedToggle ? [unfinishedRemedy()] : []),
    ...standards.unfinishedChanges.map(unfinishedChange),
    ...(standards.unproved ?? []).map(unprovedEntry),
    ...lossFindings(observation, standards.losses ?? []),
    ...claims,
    ...overwrittenFindings(
      claimsInForce(observation, standards.operator)?.claims,
      standards.pushed,
      observation.servers,
    ),
    ...restartFindings(observation, standards.operator, claims),
    ...sourceFindings(observation, standards.operator, standards.source),
    ...jetStreamFindings(observation, standards.sight).map((found) => withShortage(found, standards.shortage)),
    ...limitFindings(observation, standards),
    ...connectionFindings(observation, expected, standards.operator),
    ...skewFindings(observation.servers),
  ];
}

/** Names what prevents JetStream, which servers do not report. */
function withShortage(found: Finding, shortage: readonly string[] = []): Finding {
  if (found.code !== "jetstream.not_enabled" || shortage.length === 0) return found;
  const message = `${found.message}: ${shortage.join("; ")}; raise max_mem or max_file of the server, or lower an account's limits (relight jetstream limits)`;
  return { ...found, message, evidence: { ...found.evidence, lacks: [...shortage] } };
}

/** Findings about leafnodes, other domains, and the mirrors and sources that depend on them. */
function connectionFindings(observation: Observation, expected: Expectations, operator: Operator): Finding[] {
  const beyond = [...leafnodeFindings(observation, expected, operator), ...domainFindings(observation, expected)];
  return [...beyond, ...originFindings(observation, expected, beyond)];
}

function describeServer({ name, version, topology, domain, resolver }: ServerFacts): Verdict["servers"][number] {
  return { name, version, topology, ...defined({ domain, resolver }) };
}

/** The symptoms of #6806. */
const DEAF: ReadonlySet<FindingCode> = new Set(["stream.deaf", "consumer.deaf", "stream.direct_deaf"]);

/** Names a known server defect if the findings are its symptoms. */
function diagnose(observation: Observation, findings: readonly Finding[]): string[] {
  const { servers, accountView } = observation;
  const restarted = [...restartedWhileExpired(observation, findings), ...forgottenConsumers(observation, findings)];
  const deaf = findings.filter(({ code }) => DEAF.has(code));
  if (deaf.length === 0 || restarted.length > 0) return restarted;
  const known = carriedBy(servers, "#6806");
  const green =
    accountView.ok === true && accountView.value.jetstream === "enabled"
      ? [`$JS.API.INFO reports no problem (${counted(accountView.value.info.streams, "stream")})`]
      : [];
  return [...known, ...green];
}

/** A line for each server version that has the defect. */
function carriedBy(servers: readonly ServerFacts[], issue: string): readonly string[] {
  const versions = [...new Set(servers.map(({ version }) => version))];
  return versions.flatMap((version) => explainDefect(version, issue) ?? []);
}

/** Every version has this problem, including the newest. */
function restartedWhileExpired(observation: Observation, findings: readonly Finding[]): string[] {
  const lost = findings.filter(({ code }) => code === "stream.node_missing" || code === "consumer.node_missing");
  const servers = [...new Set(lost.flatMap(({ subject }) => subject.server ?? []))].sort();
  if (servers.length === 0) return [];
  return [
    `${servers.join(", ")} restarted while the account was expired: streams and consumers came back without their Raft groups; $JS.API.INFO reports no problem`,
    ...orderOfRestarts(observation, servers),
  ];
}

function forgottenConsumers({ servers }: Observation, findings: readonly Finding[]): string[] {
  if (findings.every(({ code }) => code !== "consumer.forgotten")) return [];
  return [
    ...carriedBy(servers, "#3881"),
    "if Relight can't restore a forgotten consumer, create it by hand: use the configuration in its finding, and start after its last acknowledged message",
  ];
}

function depthOf({ accountView }: Observation): Depth {
  return accountView.ok === true ? "account" : "system";
}

function unprovedEntry({ kind, at, data }: JournalEntry): Finding {
  const stream = typeof data["stream"] === "string" ? data["stream"] : undefined;
  const message = `nothing proves that Relight wrote the journal entry ${kind} of ${isoTime(at)}, so Relight does not act on it`;
  return finding("journal.unproved", "degraded", { ...defined({ stream }) }, message);
}

function unfinishedChange(stream: string): Finding {
  const message = `Relight changed the configuration of stream ${stream} temporarily and has not restored it; heal restores it`;
  return finding("remedy.unfinished", "degraded", { stream }, message);
}

function unfinishedRemedy(): Finding {
  const message = "Relight turned JetStream off for this account and has not fully restored it; heal restores it";
  return finding("remedy.unfinished", "dead", {}, message);
}
