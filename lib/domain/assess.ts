import type { AccountClaims, ClaimsDocument } from "./claims.ts";
import { explainDefect } from "./defects.ts";
import { enablesJetStream } from "./jetstream-limits.ts";
import type {
  ConsumerFacts,
  Observation,
  Probe,
  RunningAccount,
  StoredClaims,
  StreamFacts,
} from "./observation.ts";
import { type Operator, trustedIssuers } from "./operator.ts";
import { toMillis } from "./time.ts";
import { type Depth, type Finding, observedAt, type Subject, type Verdict, worst } from "./verdict.ts";

/** What an observation is judged against. */
export interface Standards {
  readonly operator: Operator;
  /** The journal says that a claims toggle turned JetStream off and was not seen to turn it on again. */
  readonly unfinishedToggle: boolean;
}

/** Computes the verdict from one observation. Pure: the same observation gives the same verdict. */
export function assess(observation: Observation, standards: Standards): Verdict {
  const findings = [
    ...(standards.unfinishedToggle ? [unfinishedRemedy()] : []),
    ...claimsFindings(observation, standards.operator),
    ...jetStreamFindings(observation),
    ...streamFindings(observation.streams),
    ...accountViewFindings(observation),
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

/**
 * The claims that count: the newest of those that run and of those in the resolver. The resolver takes
 * any JWT, so what lies there counts only if a trusted issuer signed it; servers checked what they run.
 */
export function claimsInForce(observation: Observation, operator: Operator): ClaimsDocument | undefined {
  const running = loaded(observation).map(({ document }) => document);
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const candidates =
    stored !== undefined && isTrusted(stored, operator) ? [...running, stored.document] : running;
  return candidates.reduce<ClaimsDocument | undefined>(
    (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
    undefined,
  );
}

function isTrusted({ document, signatureValid }: StoredClaims, operator: Operator): boolean {
  return signatureValid && trustedIssuers(operator).includes(document.claims.iss);
}

type Loaded = Extract<RunningAccount, { loaded: true }>;

function loaded({ running }: Observation): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}

function claimsFindings(observation: Observation, operator: Operator): Finding[] {
  const { stored, running } = observation;
  if (!running.ok) return [failedProbe("the claims in force", running)];
  // Servers with a memory or URL resolver hold no JWTs to look up: what runs is all there is.
  if (!stored.ok && stored.code !== "nats.no_resolver") return [failedProbe("the resolver's claims", stored)];
  const claims = claimsInForce(observation, operator)?.claims;
  if (claims === undefined)
    return [finding("account.not_found", "unknown", {}, "no server and no resolver knows this account")];
  return [
    ...expiryFindings(observation, claims),
    ...(stored.ok ? storageFindings(observation, stored.value, claims, operator) : []),
  ];
}

function expiryFindings(observation: Observation, claims: AccountClaims): Finding[] {
  const expiredOn = loaded(observation)
    .filter(({ expired }) => expired)
    .map(({ server }) => server);
  const byClock = claims.exp !== undefined && toMillis(claims.exp) <= observation.at;
  if (!byClock && expiredOn.length === 0) return [];
  const expiredAt = claims.exp === undefined ? "" : ` at ${observedAt(toMillis(claims.exp))}`;
  const evidence = { jti: claims.jti, exp: claims.exp ?? null, servers: expiredOn };
  return [finding("account.expired", "dead", {}, `the account expired${expiredAt}`, evidence)];
}

function storageFindings(
  observation: Observation,
  stored: StoredClaims | undefined,
  claims: AccountClaims,
  operator: Operator,
): Finding[] {
  if (stored === undefined) {
    const message = "the resolver does not hold the account: after a restart no server could load it";
    return [finding("account.not_in_resolver", "degraded", {}, message, { jti: claims.jti })];
  }
  if (!isTrusted(stored, operator)) {
    const { jti, iss } = stored.document.claims;
    const message = `the resolver holds a JWT that the servers don't trust (issuer ${iss})`;
    return [finding("claims.untrusted", "degraded", {}, message, { jti, iss })];
  }
  return [...notLoaded(observation, claims), ...driftFindings(observation, stored.document)];
}

function notLoaded(observation: Observation, claims: AccountClaims): Finding[] {
  const isSeen = loaded(observation).length > 0 || observation.accountView.ok === true;
  if (isSeen || !enablesJetStream(claims)) return [];
  const message =
    "no server has the account loaded, and the system account can't see its streams; configure its signingKey";
  return [finding("account.not_loaded", "unknown", {}, message)];
}

function driftFindings(observation: Observation, stored: ClaimsDocument): Finding[] {
  return loaded(observation)
    .filter(({ document }) => document.text !== stored.text)
    .map(({ server, document }) => {
      const evidence = { running: document.claims.jti, stored: stored.claims.jti };
      const message = `${server} runs other claims than the resolver holds`;
      return finding("claims.drift", "degraded", { server }, message, evidence);
    });
}

function jetStreamFindings(observation: Observation): Finding[] {
  const withJetStream = new Set(
    observation.servers.filter((server) => server.jetstream).map(({ name }) => name),
  );
  return loaded(observation)
    .filter(({ server, jetstream, document }) => {
      return withJetStream.has(server) && !jetstream && enablesJetStream(document.claims);
    })
    .map(({ server }) => {
      const message = `${server} has JetStream, the claims allow it, and still it is off for this account`;
      return finding("jetstream.not_enabled", "dead", { server }, message);
    });
}

function streamFindings(streams: Probe<readonly StreamFacts[]>): Finding[] {
  if (!streams.ok) return [failedProbe("streams and consumers", streams)];
  return streams.value.flatMap((stream) => [
    ...deafStream(stream),
    ...stream.consumers.flatMap((consumer) => deafConsumer(stream, consumer)),
  ]);
}

function deafStream({ server, name, deafSubjects, subjects }: StreamFacts): Finding[] {
  const subject = { server, stream: name };
  if (!deafSubjects.ok) return [failedProbe(`the subjects of stream ${name}`, deafSubjects, subject)];
  if (deafSubjects.value.length === 0) return [];
  const deaf = deafSubjects.value.join(", ");
  const evidence = { probe: "SUBSZ", deaf: deafSubjects.value, subjects };
  return [
    finding(
      "stream.deaf",
      "dead",
      subject,
      `JetStream does not listen on ${deaf} of stream ${name}`,
      evidence,
    ),
  ];
}

function deafConsumer({ name: stream }: StreamFacts, { server, name, heard }: ConsumerFacts): Finding[] {
  const subject = { server, stream, consumer: name };
  if (!heard.ok) return [failedProbe(`consumer ${stream} > ${name}`, heard, subject)];
  if (heard.value) return [];
  const evidence = { probe: "SUBSZ", subject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}` };
  return [
    finding(
      "consumer.deaf",
      "dead",
      subject,
      `JetStream does not listen for consumer ${stream} > ${name}`,
      evidence,
    ),
  ];
}

function accountViewFindings({ accountView, streams }: Observation): Finding[] {
  if (accountView.ok === "not-asked") return [];
  if (!accountView.ok) return [failedProbe("the account's own view", accountView)];
  const { failing, streamNames } = accountView.value;
  const listed = new Set(streamNames);
  const unlisted = streams.ok ? streams.value.filter(({ name }) => !listed.has(name)) : [];
  return [
    ...failing.map(({ stream, message }) =>
      finding("stream.failing", "dead", { stream }, `the account asked about stream ${stream}: ${message}`),
    ),
    ...unlisted.map(({ name, server }) => {
      const message = `${server} runs stream ${name}, but the account's API does not list it`;
      return finding("stream.unlisted", "dead", { server, stream: name }, message);
    }),
  ];
}

/** Names the server's own defect where the findings are exactly its symptoms. */
function diagnose({ servers, accountView }: Observation, findings: readonly Finding[]): string[] {
  const deaf = findings.filter(({ code }) => code === "stream.deaf" || code === "consumer.deaf");
  if (deaf.length === 0) return [];
  const versions = [...new Set(servers.map(({ version }) => version))];
  const known = versions.flatMap((version) => explainDefect(version, "#6806") ?? []);
  const green =
    accountView.ok === true && accountView.value.jetstream === "enabled"
      ? [`$JS.API.INFO says that all is well (${accountView.value.info.streams} streams): it does not notice`]
      : [];
  return [...known, ...green];
}

function depthOf({ accountView }: Observation): Depth {
  return accountView.ok === true ? "account" : "system";
}

function unfinishedRemedy(): Finding {
  const message =
    "Relight took JetStream from this account and died before it gave it back; heal finishes that";
  return finding("remedy.unfinished", "dead", {}, message);
}

function failedProbe(what: string, probe: { code: string; message: string }, subject: Subject = {}): Finding {
  const { code, message } = probe;
  return finding("probe.failed", "unknown", subject, `could not look at ${what}: ${message}`, {
    error: code,
  });
}

function finding(
  code: Finding["code"],
  health: Finding["health"],
  subject: Subject,
  message: string,
  evidence: Finding["evidence"] = {},
): Finding {
  return { code, health, subject, message, evidence };
}
