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
import { type Look, lookAtHeld, lookOnce } from "./look.ts";

/** With any of these findings, servers may not report all streams. */
const UNTOLD: readonly FindingCode[] = ["remedy.unfinished", "account.expired", "jetstream.not_enabled"];

/** The state before the first rung, to find losses later. */
export interface Baseline {
  readonly streams: readonly Sketch[];
  /** The streams and consumers in memory when the account was last healthy. */
  readonly memorySeen: readonly MemoryAsset[];
  /** The deletions that its clients requested since; absent if the job that made the baseline crashed. */
  readonly deletions?: Pick<Deletions, "has">;
}

/**
 * The baseline before the first rung, from the job's first check, and from now on the deletions by the account's clients.
 * Excludes what they deleted between that check and now.
 */
export async function beginBaseline(
  context: Context,
  account: AccountId,
  { observation, memorySeen }: Pick<Look, "observation" | "memorySeen">,
): Promise<Baseline & { readonly deletions: Deletions }> {
  const deletions = await context.probes.deletions(account);
  // Without readable streams there is nothing to compare.
  if (!observation.streams.ok) return { streams: [], memorySeen: [], deletions };
  const now = await lookAtHeld(context, account);
  const streams = sketchOf(observation.streams.value);
  return { streams: now.streams.ok ? stillThere(streams, now) : streams, memorySeen, deletions };
}

/** While a server of a stream is away, the stream does not count as deleted. */
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
 * Finds losses compared with the baseline, and records them before the next verdict, because they are findings of every
 * later one. One check does not prove a loss: it must persist for a while.
 * @param known losses that were found before, which are not recorded again.
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
    // Unreadable streams are not lost; the next check will tell.
    if (!streams.ok || UNTOLD.some((code) => hasFinding(verdict, code))) return true;
    const here = new Set(servers.map(({ name }) => name));
    const comparable = baseline.streams.filter((stream) => stream.servers.every((server) => here.has(server)));
    losses = [
      ...findLosses(comparable, streams.value, mayLose(context, job.account)),
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

/** Reports a consumer that was found twice only once, as in the comparison with this job's first check. */
const unique = (losses: readonly Loss[]): readonly Loss[] =>
  losses.filter((loss, index) => losses.findIndex((one) => keyOfLoss(one) === keyOfLoss(loss)) === index);

/** Closes a loss that is back, because a later deletion may be intentional. */
export async function closeLosses(context: Context, job: RunningJob, { streams }: Observation): Promise<void> {
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
