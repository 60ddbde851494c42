import { openReconfigurations } from "../../domain/journal/open-remedies.ts";
import { hasLostNodes, originsFirst, type Reconfiguration } from "../../domain/ladder/reconfiguration.ts";
import { nameOfGroup } from "../../domain/ladder/step-down.ts";
import { updateDanger } from "../../domain/observation/direct-gets.ts";
import type { Observation, StreamFacts } from "../../domain/observation/observation.ts";
import { isGroupWhole, isWhole, replicaShortages } from "../../domain/observation/replicas.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Configuration, RefusedConfiguration } from "../../ports/remedies.ts";
import { assertNotInterrupted, type Context, type RunningJob, record, requireAccountKey } from "../context/context.ts";
import { waitUntil } from "../context/wait-until.ts";
import { provedBy } from "../journal/proof.ts";
import { memoryOf } from "../journal/remembered.ts";
import { isDeletedNow } from "../observe/deletion.ts";
import { lookAtHeld } from "../observe/look.ts";

/** The assumed speed at which a new replica copies a stream: bytes per millisecond, that is 5 MB/s. */
const COPIED_PER_MS = 5_000;

/** Streams changed at once, to avoid overloading the cluster with new Raft groups and replicas. */
const AT_ONCE = 20;

/**
 * Changes configurations temporarily, runs `meanwhile`, and restores them, some streams at a time. The journal has the
 * originals before the first change; a later job that finds an open entry must call {@link finishReconfigurations}.
 * @throws RelightError `assets.not_configured` if a server refused a change; the others were made anyway.
 */
export async function reconfigure(
  context: Context,
  job: RunningJob,
  changes: readonly Reconfiguration[],
  meanwhile: () => Promise<void>,
): Promise<void> {
  const refused: RefusedConfiguration[] = [];
  for (let start = 0; start < changes.length; start += AT_ONCE) {
    assertNotInterrupted(context, job);
    refused.push(...(await reconfigureSome(context, job, changes.slice(start, start + AT_ONCE), meanwhile)));
  }
  assertAccepted(refused);
}

async function reconfigureSome(
  context: Context,
  job: RunningJob,
  changes: readonly Reconfiguration[],
  meanwhile: () => Promise<void>,
): Promise<readonly RefusedConfiguration[]> {
  for (const { stream, before, consumers } of changes) {
    const undo = { ...defined({ before }), consumers: [...consumers] };
    await record(context, job, "reconfigure.opened", { stream, undo: undo as unknown as JsonObject });
  }
  const refused: RefusedConfiguration[] = [];
  try {
    refused.push(...(await configure(context, job, changes.flatMap(streamChange), isGroupWhole)));
    refused.push(...(await configure(context, job, changes.flatMap(consumerChanges), () => true)));
    await waitUntilReady(context, job, changes.flatMap(streamChange), isWhole);
    await meanwhile();
  } catch (thrown) {
    // Restore the configurations after any error. If that fails too, throw that error instead; the entry stays open.
    await restoreAfterError(context, job, changes, await lookAtHeld(context, job.account));
    throw thrown;
  }
  await restore(context, job, changes);
  return refused;
}

/** Restores after an error. Waits for current replicas first, because a server could otherwise keep one that lacks messages. */
async function restoreAfterError(
  context: Context,
  job: RunningJob,
  changes: readonly Reconfiguration[],
  observation: Observation,
): Promise<void> {
  const damaged = namesOfDamaged(observation);
  const touched = changes.filter(({ stream }) => damaged.has(stream)).flatMap(consumerChanges);
  // A touch that stopped halfway: without its second half they would never be whole.
  if (updateDanger(observation, [...damaged]) === undefined) await configure(context, job, touched, () => true);
  await waitUntilReady(context, job, changes.flatMap(streamBefore), (stream, { config }) => {
    return isWhole(stream) || stream.replicas === Number(config["num_replicas"]);
  });
  await restore(context, job, changes);
}

const namesOfDamaged = ({ streams }: Observation): ReadonlySet<string> =>
  new Set((streams.ok ? streams.value.filter(hasLostNodes) : []).map(({ name }) => name));

/** Makes the changes that servers accept, and waits until each stream has its replicas and `isReady`; origins first. */
async function configure(
  context: Context,
  job: RunningJob,
  wanted: readonly Configuration[],
  isReady: (stream: StreamFacts) => boolean,
): Promise<readonly RefusedConfiguration[]> {
  const refused: RefusedConfiguration[] = [];
  for (const wave of originsFirst(wanted)) refused.push(...(await configureWave(context, job, wave, isReady)));
  return refused;
}

async function configureWave(
  context: Context,
  job: RunningJob,
  wanted: readonly Configuration[],
  isReady: (stream: StreamFacts) => boolean,
): Promise<readonly RefusedConfiguration[]> {
  const refused = await context.assets.configure(job.account, await requireAccountKey(context, job), wanted);
  const changed = wanted.filter((one) => !refused.some((refusal) => isSame(refusal, one)));
  await waitUntilReady(context, job, changed, (stream, { consumer, config }) => {
    return (consumer !== undefined || isAsConfigured(stream, config)) && isReady(stream);
  });
  return refused;
}

/** Whether the stream's leader reports the changed configuration. */
function isAsConfigured({ replicas, config: now }: StreamFacts, config: JsonObject): boolean {
  const isSameDirect = Boolean(now["allow_direct"]) === Boolean(config["allow_direct"]);
  return replicas === config["num_replicas"] && isSameDirect;
}

/**
 * Restores the configurations. A stream or consumer that is gone by now was removed by somebody else, and stays removed.
 * @throws RelightError `assets.not_configured` if an update would make servers panic, or a server refuses it
 */
async function restore(context: Context, job: RunningJob, changes: readonly Reconfiguration[]): Promise<void> {
  const observation = await lookAtHeld(context, job.account);
  // Restore undamaged streams even if others are damaged; otherwise one damaged stream would block all.
  const names = changes.map(({ stream }) => stream);
  const danger = updateDanger(observation, names);
  if (danger !== undefined) throw new RelightError("assets.not_configured", danger);
  const consumers = changes.flatMap(consumersBefore);
  const early = await configure(context, job, consumers, isWholeOrDamaged);
  const streams = await configure(context, job, changes.flatMap(streamBefore), isWholeOrDamaged);
  // A server may accept now what it refused while the stream was changed.
  const again = consumers.filter((one) => early.some((refusal) => !refusal.gone && isSame(refusal, one)));
  const late = await configure(context, job, again, isWholeOrDamaged);
  const kept = [...streams, ...late].filter(({ gone }) => !gone);
  for (const { stream } of changes)
    if (!kept.some((refusal) => refusal.stream === stream))
      await record(context, job, "reconfigure.closed", { stream });
  assertAccepted(kept);
}

/** Restores what a crashed job left changed. Returns the streams' names. */
export async function finishReconfigurations(context: Context, job: RunningJob): Promise<readonly string[]> {
  const open = openReconfigurations(await memoryOf(context.journal, job.account), provedBy(context));
  if (open.length === 0 || (await isDeletedNow(context, job))) return [];
  const observation = await lookAtHeld(context, job.account);
  const changed = open.filter((change) => !isAsBefore(observation, change));
  // That job crashed before its first change.
  for (const { stream } of open.filter((change) => !changed.includes(change)))
    await record(context, job, "reconfigure.closed", { stream });
  if (changed.length === 0) return [];
  const streams = changed.map(({ stream }) => stream);
  context.log.warn("restoring what another job left changed", { account: job.account, streams });
  await restoreAfterError(context, job, changed, observation);
  return streams;
}

/** Whether servers report the stream's and consumers' original configurations. */
function isAsBefore({ streams }: Observation, { stream: name, before, consumers }: Reconfiguration): boolean {
  const found = streams.ok ? streams.value.find((stream) => stream.name === name) : undefined;
  if (found === undefined) return false;
  const isSameConfig = (now: JsonObject, then: JsonObject): boolean => JSON.stringify(now) === JSON.stringify(then);
  return (
    (before === undefined || isSameConfig(found.config, before)) &&
    consumers.every((change) => {
      const config = found.consumers.find((consumer) => consumer.name === change.name)?.config;
      return config !== undefined && isSameConfig({ ...config, name: change.name }, change.before);
    })
  );
}

/** A stream that lost its Raft node becomes complete only through another remedy, so do not wait for it. */
const isWholeOrDamaged = (stream: StreamFacts): boolean => isWhole(stream) || hasLostNodes(stream);

type IsReady = (stream: StreamFacts, wanted: Configuration) => boolean;

/**
 * Waits until each stream is as it should be; does not wait for streams that are gone.
 * @throws RelightError `assets.not_settled`: then nothing else may be changed until it is.
 */
async function waitUntilReady(
  context: Context,
  { account }: RunningJob,
  wanted: readonly Configuration[],
  isReady: IsReady,
): Promise<void> {
  let lacking: readonly string[] = [];
  let why: readonly string[] = [];
  let bytes = 0;
  const areReady = async (): Promise<boolean> => {
    const { streams } = await lookAtHeld(context, account);
    const found = new Map((streams.ok ? streams.value : []).map((stream) => [stream.name, stream]));
    const waiting = wanted.filter((one) => {
      const stream = found.get(one.stream);
      return !streams.ok || (stream !== undefined && !isReady(stream, one));
    });
    lacking = waiting.map(nameOfGroup);
    const unready = [...new Set(waiting.map(({ stream }) => stream))].flatMap((name) => found.get(name) ?? []);
    why = streams.ok ? unready.flatMap(replicaShortages) : [streams.message];
    bytes = Math.max(...waiting.map(({ stream }) => found.get(stream)?.bytes ?? 0), 0);
    return lacking.length === 0;
  };
  const { timeout, interval } = context.timing.replicasCurrent;
  const wait = { interval, timeout: () => millis(timeout + bytes / COPIED_PER_MS) };
  if (await waitUntil(context.clock, areReady, wait)) return;
  const because = why.length === 0 ? "" : `: ${why.join("; ")}`;
  const message = `not all replicas of ${lacking.join(", ")} are current${because}`;
  throw new RelightError("assets.not_settled", message, {
    details: { lacking: [...lacking], why: [...why] },
  });
}

export const streamChange = ({ stream, during }: Reconfiguration): Configuration[] =>
  during === undefined ? [] : [{ stream, config: during }];

const streamBefore = ({ stream, before }: Reconfiguration): Configuration[] =>
  before === undefined ? [] : [{ stream, config: before }];

export const consumerChanges = ({ stream, consumers }: Reconfiguration): Configuration[] =>
  consumers.map(({ name, during, lost }) => ({
    stream,
    consumer: name,
    config: during,
    ...defined({ create: lost }),
  }));

const consumersBefore = ({ stream, consumers }: Reconfiguration): Configuration[] =>
  consumers.map(({ name, before }) => ({ stream, consumer: name, config: before }));

function isSame(one: RefusedConfiguration, other: Configuration): boolean {
  return one.stream === other.stream && one.consumer === other.consumer;
}

function assertAccepted(refused: readonly RefusedConfiguration[]): void {
  if (refused.length === 0) return;
  const reasons = refused.map((refusal) => `${nameOfGroup(refusal)}: ${refusal.reason}`).join("; ");
  throw new RelightError("assets.not_configured", `the servers refused to change ${reasons}`);
}
