import { claimsFindings } from "./claims-findings.ts";
import { skewFindings } from "./clocks.ts";
import { explainDefect } from "./defects.ts";
import { finding } from "./findings.ts";
import { jetStreamFindings } from "./jetstream-findings.ts";
import type { Observation } from "./observation.ts";
import type { Operator } from "./operator.ts";
import { type Depth, type Finding, observedAt, type Verdict, worst } from "./verdict.ts";

/** What an observation is judged against. */
export interface Standards {
  readonly operator: Operator;
  /** The journal says that a claims toggle turned JetStream off and was not seen to turn it on again. */
  readonly unfinishedToggle: boolean;
  /** Streams whose configuration a remedy changed for a while and was not seen to change back. */
  readonly unfinishedChanges: readonly string[];
}

/** Computes the verdict from one observation. Pure: the same observation gives the same verdict. */
export function assess(observation: Observation, standards: Standards): Verdict {
  const findings = [
    ...(standards.unfinishedToggle ? [unfinishedRemedy()] : []),
    ...standards.unfinishedChanges.map(unfinishedChange),
    ...claimsFindings(observation, standards.operator),
    ...jetStreamFindings(observation),
    ...skewFindings(observation.servers),
  ];
  const streams = observation.streams.ok ? observation.streams.value : [];
  return {
    account: observation.account,
    verdict: worst(findings.map(({ health }) => health)),
    depth: depthOf(observation),
    observedAt: observedAt(observation.at),
    servers: observation.servers.map(({ name, version, topology }) => ({ name, version, topology })),
    streams: streams.length,
    consumers: streams.reduce((sum, { consumers }) => sum + consumers.length, 0),
    findings,
    diagnosis: diagnose(observation, findings),
  };
}

/** Names the server's own defect where the findings are exactly its symptoms. */
function diagnose(observation: Observation, findings: readonly Finding[]): string[] {
  const { servers, accountView } = observation;
  const restarted = restartedWhileExpired(findings);
  const deaf = findings.filter(({ code }) => code === "stream.deaf" || code === "consumer.deaf");
  if (deaf.length === 0 || restarted.length > 0) return restarted;
  const versions = [...new Set(servers.map(({ version }) => version))];
  const known = versions.flatMap((version) => explainDefect(version, "#6806") ?? []);
  const green =
    accountView.ok === true && accountView.value.jetstream === "enabled"
      ? [`$JS.API.INFO says that all is well (${accountView.value.info.streams} streams): it does not notice`]
      : [];
  return [...known, ...green];
}

/** Every version does this, the newest included. */
function restartedWhileExpired(findings: readonly Finding[]): string[] {
  const lost = findings.filter(
    ({ code }) => code === "stream.node_missing" || code === "consumer.node_missing",
  );
  const servers = [...new Set(lost.map(({ subject }) => subject.server))].sort();
  if (servers.length === 0) return [];
  return [
    `${servers.join(", ")} restarted while the account was expired: streams and consumers came back without their Raft groups, and $JS.API.INFO does not notice`,
  ];
}

function depthOf({ accountView }: Observation): Depth {
  return accountView.ok === true ? "account" : "system";
}

function unfinishedChange(stream: string): Finding {
  const message = `Relight changed the configuration of stream ${stream} for a while and has not changed it back; heal does`;
  return finding("remedy.unfinished", "degraded", { stream }, message);
}

function unfinishedRemedy(): Finding {
  const message =
    "Relight took JetStream from this account and died before it gave it back; heal finishes that";
  return finding("remedy.unfinished", "dead", {}, message);
}
