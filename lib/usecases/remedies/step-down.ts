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

/** How often to ask, because a group does not answer during an election. */
const ROUNDS = 3;

type Groups = (observation: Observation) => readonly Group[];

/**
 * Makes the leaders of deaf streams, and of mirrors that no longer answer their origin's direct gets, step down, and waits
 * until JetStream listens on the streams. Then does the same for consumers that are still deaf, because each listens again
 * only with a new leader of its own.
 */
export async function stepDownLeaders(
  context: Context,
  job: RunningJob,
  { observation }: Pick<Look, "observation">,
): Promise<void> {
  // Mirrors answer only after their next message, so do not wait for them.
  const mirrors = silencedMirrorGroups(observation);
  if (mirrors.length > 0) await context.assets.stepDown(job.account, await requireAccountKey(context, job), mirrors);
  const now = await stepDown(context, job, observation, deafStreamGroups);
  await stepDown(context, job, now, deafConsumerGroups);
}

/** Asks a few times until no group is left; the next verdict names remaining ones. Returns the last check. */
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

/** The check that finds JetStream listening for the groups, or the last one before the timeout. */
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
