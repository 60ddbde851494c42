import {
  areHeard,
  deafConsumerGroups,
  deafStreamGroups,
  type Group,
  silencedMirrorGroups,
} from "../../domain/ladder/step-down.ts";
import type { Observation } from "../../domain/observation/observation.ts";
import { type Context, type RunningJob, requireAccountKey } from "../context/context.ts";
import { waitUntil } from "../context/wait-until.ts";
import { type Look, looking } from "../observe/look.ts";

/** A group that is electing a leader hears nobody who asks it to step down, so it is asked again. */
const ROUNDS = 3;

type Groups = (observation: Observation) => readonly Group[];

/**
 * Lets the leaders of mirrors that no longer stand in for their origin, and of deaf streams step down, waits until the streams are heard, then does the same for
 * the consumers that still are deaf: each listens only under a leader of its own that came to it anew.
 */
export async function stepDownLeaders(
  context: Context,
  job: RunningJob,
  { observation }: Pick<Look, "observation">,
): Promise<void> {
  // They answer with the next message that they take, which nobody waits for.
  const mirrors = silencedMirrorGroups(observation);
  if (mirrors.length > 0)
    await context.assets.stepDown(job.account, await requireAccountKey(context, job), mirrors);
  const now = await stepDown(context, job, observation, deafStreamGroups);
  await stepDown(context, job, now, deafConsumerGroups);
}

/** Asks until none of `groups` is left, a few times; the next verdict names those that are. Gives the last look. */
async function stepDown(
  context: Context,
  job: RunningJob,
  observation: Observation,
  groups: Groups,
): Promise<Observation> {
  let now = observation;
  for (let round = 0; round < ROUNDS && groups(now).length > 0; round++) {
    const deaf = groups(now);
    await context.assets.stepDown(job.account, await requireAccountKey(context, job), deaf);
    now = await lookWhenHeard(context, job, deaf);
  }
  return now;
}

/** The look that finds the groups heard, or the last one before the patience was over. */
async function lookWhenHeard(
  context: Context,
  { account }: RunningJob,
  groups: readonly Group[],
): Promise<Observation> {
  const again = looking(context, account, false);
  let now: Observation | undefined;
  const isOver = async (): Promise<boolean> => {
    now = (await again()).observation;
    return areHeard(now, groups);
  };
  await waitUntil(context.clock, isOver, context.timing.election);
  return now ?? (await again()).observation;
}
