import pWaitFor, { TimeoutError } from "p-wait-for";
import { deafConsumerGroups, deafStreamGroups, type Group } from "../domain/step-down.ts";
import { RelightError } from "../errors.ts";
import { accountKeyOf, type Context, type RunningJob } from "./context.ts";
import { type Look, look } from "./look.ts";

/** How long the streams may take to be heard under their new leaders; milliseconds. */
const ELECTION = { timeout: 15_000, interval: 250 };

/**
 * Lets the leaders of deaf streams step down, waits until the streams are heard, then does the same for
 * the consumers that still are deaf: each listens only under a leader of its own that came to it anew.
 */
export async function stepDownLeaders(
  context: Context,
  job: RunningJob,
  { observation }: Look,
): Promise<void> {
  await stepDown(context, job, deafStreamGroups(observation));
  let now = observation;
  const areStreamsHeard = async (): Promise<boolean> => {
    now = (await look(context, job.account)).observation;
    return now.streams.ok && deafStreamGroups(now).length === 0;
  };
  try {
    await pWaitFor(areStreamsHeard, ELECTION);
  } catch (error) {
    // The consumers may still be helped; the next verdict names the streams that were not.
    if (!(error instanceof TimeoutError)) throw error;
  }
  await stepDown(context, job, deafConsumerGroups(now));
}

async function stepDown(context: Context, { account }: RunningJob, groups: readonly Group[]): Promise<void> {
  if (groups.length === 0) return;
  const accountKey = await accountKeyOf(context, account);
  if (accountKey === undefined)
    throw new RelightError("signer.missing", `the signingKey of account ${account} is not configured`);
  await context.assets.stepDown(account, accountKey, groups);
}
