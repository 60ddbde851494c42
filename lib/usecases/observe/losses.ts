import type { AccountId } from "../../domain/claims/account.ts";
import {
  findLosses,
  findVanished,
  isBack,
  keyOfLoss,
  type Loss,
  openLosses,
  type Sketch,
  sketchOf,
} from "../../domain/ladder/loss.ts";
import type { MemoryAsset } from "../../domain/ladder/memory.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import type { Json } from "../../domain/time/json.ts";
import { type FindingCode, hasFinding } from "../../domain/verdict/verdict.ts";
import type { Deletions } from "../../ports/cluster.ts";
import { type Context, mayLose, type RunningJob, record } from "../context/context.ts";
import { waitUntil } from "../context/wait-until.ts";
import { memoryOf } from "../journal/remembered.ts";
import { type Look, lookOnce } from "./look.ts";

/** While any of these is found, servers tell of no streams, or not of all. */
const UNTOLD: readonly FindingCode[] = ["remedy.unfinished", "account.expired", "jetstream.not_enabled"];

/** What there was, and may be missing later. */
export interface Baseline {
  readonly streams: readonly Sketch[];
  /** What was held in memory when the account was last healthy. */
  readonly memorySeen: readonly MemoryAsset[];
  /** What its users asked to delete since; not heard where the job that looked first has died. */
  readonly deletions?: Pick<Deletions, "has">;
}

/**
 * What there is before the first rung, by the first look of a job, and from now on what the account's own users delete.
 * What they deleted between that look and now is not in it.
 */
export async function beginBaseline(
  context: Context,
  account: AccountId,
  { observation, memorySeen }: Pick<Look, "observation" | "memorySeen">,
): Promise<Baseline & { readonly deletions: Deletions }> {
  const deletions = await context.probes.deletions(account);
  // Nothing is compared with what could not be looked at.
  if (!observation.streams.ok) return { streams: [], memorySeen: [], deletions };
  const now = (await lookOnce(context, account)).observation;
  const streams = sketchOf(observation.streams.value);
  return { streams: now.streams.ok ? stillThere(streams, now) : streams, memorySeen, deletions };
}

/** Where a server of one is away nothing is known to be deleted. */
function stillThere(before: readonly Sketch[], now: Observation): readonly Sketch[] {
  const here = new Set(now.servers.map(({ name }) => name));
  const existing = new Map(now.streams.ok ? now.streams.value.map((stream) => [stream.name, stream]) : []);
  return before.flatMap((sketch) => {
    if (!sketch.servers.every((server) => here.has(server))) return [sketch];
    const stream = existing.get(sketch.name);
    if (stream === undefined || stream.created !== sketch.created) return [];
    const names = new Set(stream.consumers.map(({ name }) => name));
    return [{ ...sketch, consumers: sketch.consumers.filter(({ name }) => names.has(name)) }];
  });
}

/**
 * What is missing now of what there was, journalled before the next verdict, so that it is a finding of it and of each
 * later one. One look proves no absence: what is missing has to stay so for a while.
 * @param known losses that were found before, which are not journalled again.
 */
export async function noteLosses(
  context: Context,
  job: RunningJob,
  baseline: Baseline,
  known: readonly Loss[],
): Promise<readonly Loss[]> {
  let losses: readonly Loss[] = [];
  const isWhole = async (): Promise<boolean> => {
    const { observation, verdict } = await lookOnce(context, job.account);
    const { streams, servers } = observation;
    losses = [];
    // What could not be looked at is not lost: the next look of this job tells.
    if (!streams.ok || UNTOLD.some((code) => hasFinding(verdict, code))) return true;
    const here = new Set(servers.map(({ name }) => name));
    const told = baseline.streams.filter((stream) => stream.servers.every((server) => here.has(server)));
    losses = [
      ...findLosses(told, streams.value, mayLose(context, job.account)),
      ...findVanished(baseline.memorySeen, streams.value),
    ].filter((loss) => !baseline.deletions?.has(loss));
    return losses.every(({ allowed }) => allowed === true);
  };
  await waitUntil(context.clock, isWhole, context.timing.missing);
  const keys = new Set(known.map(keyOfLoss));
  const found = unique(losses).filter((loss) => !keys.has(keyOfLoss(loss)));
  if (found.length > 0) await record(context, job, "loss.found", { losses: found as unknown as Json });
  return [...known, ...found];
}

/** Found twice, a consumer is told of once: as the comparison with this job's first look has it. */
const unique = (losses: readonly Loss[]): readonly Loss[] =>
  losses.filter((loss, index) => losses.findIndex((one) => keyOfLoss(one) === keyOfLoss(loss)) === index);

/** A loss that is good again is closed: what is deleted on purpose later is none. */
export async function closeLosses(
  context: Context,
  job: RunningJob,
  { streams }: Observation,
): Promise<void> {
  if (!streams.ok) return;
  const open = openLosses(await memoryOf(context.journal, job.account));
  const back = open.filter((loss) => isBack(loss, streams.value));
  if (back.length === 0) return;
  await record(context, job, "loss.acknowledged", {
    losses: back as unknown as Json,
    by: "relight",
    reason: "it is back",
  });
}
