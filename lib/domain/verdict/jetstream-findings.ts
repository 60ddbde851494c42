import { loaded } from "../claims/claims-in-force.ts";
import { enablesJetStream } from "../limits/jetstream-limits.ts";
import { isDeafConsumer } from "../observation/deafness.ts";
import { directFindings } from "../observation/direct-gets.ts";
import { missedConsumers } from "../observation/forgotten.ts";
import type { AccountView, ConsumerFacts, Observation, Probe, StreamFacts } from "../observation/observation.ts";
import type { LastSight } from "../observation/streams-seen.ts";
import { failedProbe, finding } from "./findings.ts";
import { heldFindings } from "./held-findings.ts";
import { importFindings } from "./import-findings.ts";
import type { Finding, FindingCode, Warning } from "./verdict.ts";

/** Findings about the account's JetStream, from the servers' view and the account's own. */
export function jetStreamFindings(observation: Observation, sight?: LastSight): Finding[] {
  const held = heldFindings(observation, sight);
  const others = [
    ...notEnabled(observation),
    ...streamFindings(observation.streams),
    ...elsewhereFindings(observation.elsewhere),
    ...accountViewFindings(observation, sight),
  ];
  return [...held, ...others.filter((found) => !isExplained(found, held))];
}

/** Findings that follow from a stream or consumer that no server can answer for. */
const UNANSWERED: ReadonlySet<FindingCode> = new Set(["probe.failed", "stream.failing"]);
const NOBODY_ANSWERS: ReadonlySet<FindingCode> = new Set([
  ...(["stream.unheld", "stream.no_majority", "stream.no_leader"] as const),
  ...(["consumer.unheld", "consumer.no_majority", "consumer.no_leader"] as const),
]);

function isExplained({ code, subject }: Finding, held: readonly Finding[]): boolean {
  if (!UNANSWERED.has(code) || subject.stream === undefined) return false;
  return held.some(
    (known) =>
      NOBODY_ANSWERS.has(known.code) &&
      known.subject.stream === subject.stream &&
      (known.subject.consumer === subject.consumer ||
        (known.subject.consumer === undefined && known.health === "dead")),
  );
}

/**
 * Where the claims give the account JetStream and a server does not. A server that has turned its own off, as a removed one
 * does (`peer-remove`, tested on 2.9.10), is left by its streams, and the others answer its clients.
 */
function notEnabled(observation: Observation): Finding[] {
  const withJetStream = new Set(observation.servers.filter((server) => server.jetstream).map(({ name }) => name));
  const turnedOff = new Set(observation.meta.ok ? observation.meta.value?.off : []);
  return loaded(observation)
    .filter(({ server, jetstream, document }) => {
      return withJetStream.has(server) && !jetstream && enablesJetStream(document.claims);
    })
    .map(({ server }) => {
      const message = `${server} has JetStream and the claims allow it, but it is off for this account`;
      if (!turnedOff.has(server)) return finding("jetstream.not_enabled", "dead", { server }, message);
      const why = "it has turned its JetStream off for all accounts, until it restarts; its log says why";
      return finding("jetstream.not_enabled", "degraded", { server }, `${message}: ${why}`, { lacks: [why] });
    });
}

const isOff = (observation: Observation): boolean => notEnabled(observation).some(({ health }) => health === "dead");

function streamFindings(streams: Probe<readonly StreamFacts[]>): Finding[] {
  if (!streams.ok) return [failedProbe("streams and consumers", streams)];
  return streams.value.flatMap((stream) => [
    ...lostNodes(stream),
    ...deafStream(stream),
    ...doubledStream(stream),
    ...differingReplicas(stream),
    ...directFindings(stream),
    ...importFindings(stream),
    ...stream.consumers.flatMap((consumer) => [
      ...lostConsumerNodes(stream, consumer),
      ...deafConsumer(stream, consumer),
    ]),
    ...forgottenConsumers(stream),
  ]);
}

/** A creation that meets a toggle ends in the stopped JetStream, and the files are loaded as well (2.10.27, 2.15.1). */
function doubledStream({ name, server, runsTwice, leader, subjects }: StreamFacts): Finding[] {
  if (!runsTwice) return [];
  const message = `${leader ?? server} runs stream ${name} twice over the same files: each message is acknowledged twice until the server restarts`;
  return [finding("stream.runs_twice", "degraded", { server, stream: name }, message, { probe: "SUBSZ", subjects })];
}

/** Direct gets are answered by each replica with what it has, and the next leader may be any of them. */
function differingReplicas({ name: stream, leader = "none", differing = [] }: StreamFacts): Finding[] {
  return differing.map(({ server, lastSeq, leaderSeq }) => {
    const message = `${server} holds stream ${stream} up to message ${lastSeq} and its leader ${leader} up to ${leaderSeq}, although both count as current: what is read depends on who answers. Scaled to one replica and back, all have what the leader has`;
    return finding("stream.replicas_differ", "degraded", { server, stream }, message, {
      probe: "JSZ",
      lastSeq,
      leaderSeq,
    });
  });
}

function forgottenConsumers(facts: StreamFacts): Finding[] {
  return missedConsumers(facts).map(({ server, name: consumer, ackFloor, config }) => {
    const { name: stream } = facts;
    const message = `the cluster has forgotten consumer ${stream} > ${consumer}; ${server} still holds it, at message ${ackFloor}`;
    const evidence = { probe: "CONSUMER.INFO", ackFloor, config };
    return finding("consumer.forgotten", "dead", { server, stream, consumer }, message, evidence);
  });
}

function elsewhereFindings(streams: Probe<readonly StreamFacts[]>): Finding[] {
  return streams.ok ? streamFindings(streams) : [failedProbe("the streams of other domains", streams)];
}

/** A server without a Raft node is no working replica: the stream is dead if no majority is left. */
function lostNodes({ name: stream, replicas, nodeMissingOn }: StreamFacts): Finding[] {
  const health = lacksMajority(replicas, nodeMissingOn.length) ? "dead" : "degraded";
  return nodeMissingOn.map((server) => {
    const message = `${server} has no Raft node of stream ${stream}`;
    return finding("stream.node_missing", health, { server, stream }, message, { probe: "JSZ" });
  });
}

function lostConsumerNodes(
  { name: stream, replicas }: StreamFacts,
  { name: consumer, nodeMissingOn, peers }: ConsumerFacts,
): Finding[] {
  const members = peers.length > 0 ? peers.length + 1 : replicas;
  const health = lacksMajority(members, nodeMissingOn.length) ? "dead" : "degraded";
  return nodeMissingOn.map((server) => {
    const message = `${server} has no Raft node of consumer ${stream} > ${consumer}`;
    const subject = { server, stream, consumer };
    return finding("consumer.node_missing", health, subject, message, { probe: "JSZ" });
  });
}

function lacksMajority(members: number, lost: number): boolean {
  return members - lost <= members / 2;
}

function deafStream({ server, name, deafSubjects, subjects }: StreamFacts): Finding[] {
  const subject = { server, stream: name };
  if (!deafSubjects.ok) return [failedProbe(`the subjects of stream ${name}`, deafSubjects, subject)];
  if (deafSubjects.value.length === 0) return [];
  const deaf = deafSubjects.value.join(", ");
  const evidence = { probe: "SUBSZ", deaf: deafSubjects.value, subjects };
  return [finding("stream.deaf", "dead", subject, `JetStream does not listen on ${deaf} of stream ${name}`, evidence)];
}

/**
 * A push consumer without acknowledgments, such as a watcher's of a KV bucket, needs no subscription to deliver, so it
 * works while it is deaf (nats-server 2.10.27, tested). Only its flow control is not heard.
 */
function deafConsumer({ name: stream }: StreamFacts, consumer: ConsumerFacts): Finding[] {
  const { server, name, heard, config } = consumer;
  const subject = { server, stream, consumer: name };
  if (!heard.ok) return [failedProbe(`consumer ${stream} > ${name}`, heard, subject)];
  if (!isDeafConsumer(consumer)) return [];
  const evidence = { probe: "SUBSZ", subject: `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}` };
  const message = `JetStream does not listen for consumer ${stream} > ${name}`;
  if (config["deliver_subject"] === undefined || config["ack_policy"] !== "none")
    return [finding("consumer.deaf", "dead", subject, message, evidence)];
  const until = config["flow_control"] === true ? ", until it waits for flow control" : "";
  return [finding("consumer.deaf", "degraded", subject, `${message}; it still delivers${until}`, evidence)];
}

/** Consumers that JetStream does not listen for, which harms nobody because their clients have left them. */
export function abandonedWarnings({ streams }: Observation): readonly Warning[] {
  const all = streams.ok ? streams.value : [];
  return all.flatMap(({ name: stream, consumers }) =>
    consumers
      .filter(({ heard, abandoned }) => heard.ok && !heard.value && abandoned)
      .map(({ name: consumer }): Warning => {
        const message = `JetStream does not listen for consumer ${stream} > ${consumer}, which its client has left: nobody misses it`;
        return { code: "consumer.abandoned", subject: { stream, consumer }, message };
      }),
  );
}

function accountViewFindings(observation: Observation, sight: LastSight | undefined): Finding[] {
  const { accountView, streams } = observation;
  if (accountView.ok === "not-asked") return [];
  // Where JetStream is off for the account, its clients get no answer.
  if (!accountView.ok && isOff(observation)) return [];
  if (!accountView.ok) return [failedProbe("JetStream as the account", accountView)];
  const { jetstream, failing, streamNames } = accountView.value;
  if (jetstream !== "enabled") return refusedView(observation, jetstream, sight);
  const listed = new Set(streamNames);
  const unlisted = streams.ok ? streams.value.filter(({ name }) => !listed.has(name)) : [];
  return [
    ...failing.map(({ stream, message }) =>
      finding("stream.failing", "dead", { stream }, `the account got no answer about stream ${stream}: ${message}`),
    ),
    ...unlisted.map(({ name, server }) => {
      const message = `${server} runs stream ${name}, but the account's API does not list it`;
      return finding("stream.unlisted", "dead", { server, stream: name }, message);
    }),
  ];
}

type Refusal = Exclude<AccountView["jetstream"], "enabled">;

const REFUSALS: Readonly<Record<Refusal, string>> = {
  disabled: "JetStream not enabled for account",
  account_not_found: "account not found",
};

/** The API refused the account: as it should be without JetStream, else its streams could not be checked. */
function refusedView(observation: Observation, jetstream: Refusal, sight: LastSight | undefined): Finding[] {
  if (isOff(observation) || hasNoJetStream(observation, sight)) return [];
  const message = `$JS.API.INFO: ${REFUSALS[jetstream]}`;
  return [failedProbe("JetStream as the account", { code: jetstream, message })];
}

/** Whether no claims give the account JetStream, no server has it on, and nobody knows of a stream of it. */
function hasNoJetStream(observation: Observation, sight: LastSight | undefined): boolean {
  const { stored, streams, elsewhere } = observation;
  const running = loaded(observation);
  const documents = [...running, ...(stored.ok && stored.value !== undefined ? [stored.value] : [])];
  const isOff = running.every(({ jetstream }) => !jetstream);
  const isGiven = documents.length === 0 || documents.some(({ document }) => enablesJetStream(document.claims));
  return isOff && !isGiven && isEmpty(streams) && isEmpty(elsewhere) && (sight?.streams ?? []).length === 0;
}

const isEmpty = (streams: Probe<readonly StreamFacts[]>): boolean => streams.ok && streams.value.length === 0;
