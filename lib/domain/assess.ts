import type { AccountClaims, ClaimsDocument } from "./claims.ts";
import { explainDefect } from "./defects.ts";
import { enablesJetStream } from "./jetstream-limits.ts";
import type { ConsumerFacts, Observation, Probe, RunningAccount, StreamFacts } from "./observation.ts";
import { toMillis } from "./time.ts";
import { type Depth, type Finding, observedAt, type Subject, type Verdict, worst } from "./verdict.ts";

/** What the journal knows that no server can tell. */
export interface JournalFacts {
  /** A claims toggle turned JetStream off and was not seen to turn it on again. */
  readonly unfinishedToggle: boolean;
}

/** Computes the verdict from one observation. Pure: the same observation gives the same verdict. */
export function assess(observation: Observation, { unfinishedToggle }: JournalFacts): Verdict {
  const findings = [
    ...(unfinishedToggle ? [unfinishedRemedy()] : []),
    ...claimsFindings(observation),
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

/** The claims that count: those that run, or else those that the resolver would give to a server. */
export function claimsInForce(observation: Observation): ClaimsDocument | undefined {
  const running = loaded(observation).map(({ document }) => document);
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  return newest([...running, ...(stored === undefined ? [] : [stored])]);
}

function newest(documents: readonly ClaimsDocument[]): ClaimsDocument | undefined {
  return documents.reduce<ClaimsDocument | undefined>(
    (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
    undefined,
  );
}

type Loaded = Extract<RunningAccount, { loaded: true }>;

function loaded({ running }: Observation): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}

function claimsFindings(observation: Observation): Finding[] {
  const { stored, running } = observation;
  if (!stored.ok) return [failedProbe("the resolver's claims", stored)];
  if (!running.ok) return [failedProbe("the claims in force", running)];
  const claims = claimsInForce(observation)?.claims;
  if (claims === undefined)
    return [finding("account.not_found", "unknown", {}, "no server and no resolver knows this account")];
  return [
    ...expiryFindings(observation, claims),
    ...storageFindings(observation, stored.value, claims),
    ...driftFindings(observation, stored.value),
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
  stored: ClaimsDocument | undefined,
  claims: AccountClaims,
): Finding[] {
  if (stored === undefined) {
    const message = "the resolver does not hold the account: after a restart no server could load it";
    return [finding("account.not_in_resolver", "degraded", {}, message, { jti: claims.jti })];
  }
  if (loaded(observation).length > 0 || !enablesJetStream(claims)) return [];
  const message =
    "no server has the account loaded, and the system account can't see its streams; configure its signingKey";
  return observation.accountView.ok === true ? [] : [finding("account.not_loaded", "unknown", {}, message)];
}

function driftFindings(observation: Observation, stored: ClaimsDocument | undefined): Finding[] {
  if (stored === undefined) return [];
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

function deafConsumer({ server, name: stream }: StreamFacts, { name, heard }: ConsumerFacts): Finding[] {
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
