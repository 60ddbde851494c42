import { hash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import {
  type BatchResultErrorEntry,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import * as z from "zod";
import { isAccountId } from "../../../domain/claims/account.ts";
import { type JsonObject, parseJson } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { Job, Jobs, Trigger } from "../../../ports/jobs.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";

export const sqsClient = (): SQSClient => new SQSClient(CLIENT_SETTINGS);

export interface SqsJobsSettings {
  readonly queueUrl: string;
  readonly client: SQSClient;
}

/**
 * Jobs on an SQS FIFO queue. The account is the message group, so SQS gives out its jobs one after the
 * other, in order. A job id that was sent within the last five minutes is dropped by SQS, even if that job
 * is done already: whoever asks anew needs a new id.
 */
export function sqsJobs({ queueUrl, client }: SqsJobsSettings): Jobs {
  const attempt = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    work().catch((cause: unknown) => {
      throw queueError(queueUrl, what, cause);
    });
  return {
    enqueue: async (job) => {
      const message = { QueueUrl: queueUrl, ...messageOf(job) };
      await attempt("did not take the job", () => client.send(new SendMessageCommand(message)));
    },
    enqueueAll: (jobs) => sendAll({ queueUrl, client }, jobs),
    waiting: () => attempt("did not say how many jobs wait", () => countWaiting({ queueUrl, client })),
    drain: async () => {},
  };
}

const messageOf = (job: Job) => ({
  MessageBody: JSON.stringify(job),
  MessageGroupId: job.account,
  MessageDeduplicationId: deduplicationId(job),
});

/** A FIFO queue counts those that are held back behind a job of their account as waiting, too. */
async function countWaiting({ queueUrl, client }: SqsJobsSettings): Promise<number> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["ApproximateNumberOfMessages"] }),
  );
  return Number(Attributes?.["ApproximateNumberOfMessages"] ?? 0);
}

/** How often a batch is sent for the sake of single entries that SQS did not take. */
const MOST_TRIES = 4;
/** The pause before the second try, in milliseconds; it doubles with each. */
const FIRST_PAUSE = 100;

/** Every batch is tried, so that one that fails costs no other account its job. */
async function sendAll(settings: SqsJobsSettings, jobs: readonly Job[]): Promise<void> {
  let notTaken = 0;
  let cause: unknown;
  for (const batch of batchesOf(jobs)) {
    const rest = await sendBatch(settings, batch).catch((error: unknown) => ({ jobs: batch, error }));
    notTaken += rest.jobs.length;
    cause ??= rest.error;
  }
  if (notTaken === 0) return;
  throw queueError(settings.queueUrl, `did not take ${notTaken} of ${jobs.length} jobs`, cause, { notTaken });
}

/** Those that were not taken, and why. */
interface NotTaken {
  readonly jobs: readonly Job[];
  readonly error?: unknown;
}

async function sendBatch({ queueUrl, client }: SqsJobsSettings, batch: readonly Job[]): Promise<NotTaken> {
  let left = batch;
  const faulty: Job[] = [];
  let code: string | undefined;
  for (let tries = 0; tries < MOST_TRIES && left.length > 0; tries += 1) {
    if (tries > 0) await setTimeout(FIRST_PAUSE * 2 ** (tries - 1));
    const Entries = left.map((job, index) => ({ Id: String(index), ...messageOf(job) }));
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }));
    const of = (failed: readonly BatchResultErrorEntry[]): Job[] =>
      failed.flatMap(({ Id }) => left[Number(Id)] ?? []);
    faulty.push(...of(Failed.filter(({ SenderFault }) => SenderFault)));
    code ??= Failed[0]?.Code;
    left = of(Failed.filter(({ SenderFault }) => !SenderFault));
  }
  const jobs = [...faulty, ...left];
  return jobs.length === 0 ? { jobs } : { jobs, error: Object.assign(new Error(code), { name: code }) };
}

/** What SQS takes in one call. */
const MOST_ENTRIES = 10;
/** In bytes. SQS takes 1 MiB since August 2025; a queue's own limit may still be the 256 KiB of before. */
const MOST_BYTES = 256 * 1024;

/**
 * In their order; an account comes once in a batch, since a job that is sent again would overtake the next of its
 * account.
 */
export function* batchesOf(jobs: readonly Job[]): Iterable<readonly Job[]> {
  let batch: Job[] = [];
  let bytes = 0;
  for (const job of jobs) {
    const size = Buffer.byteLength(JSON.stringify(job));
    const isFull = batch.length === MOST_ENTRIES || bytes + size > MOST_BYTES;
    if (batch.length > 0 && (isFull || batch.some(({ account }) => account === job.account))) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(job);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** A job's id may be longer than the 128 characters, and hold others than those, that SQS takes. */
export function deduplicationId({ id }: Pick<Job, "id">): string {
  return hash("sha256", id);
}

// Records, so that the compiler misses neither a name too many nor one too few.
const ACTIONS: Record<Job["action"], true> = {
  remediate: true,
  heal: true,
  renew: true,
  push: true,
  verify: true,
};
const TRIGGERS: Record<Trigger, true> = {
  schedule: true,
  webhook: true,
  manual: true,
  event: true,
  resume: true,
};

const schema = z.strictObject({
  account: z.string().refine(isAccountId, { message: "is not an account's public key" }),
  trigger: z.enum(Object.keys(TRIGGERS) as Trigger[]),
  reason: z.string(),
  action: z.enum(Object.keys(ACTIONS) as Job["action"][]),
  token: z.string().exactOptional(),
  correlation: z.string().min(1).exactOptional(),
  id: z.string().min(1),
});

/**
 * The job in the body of a queue's message. Unknown keys are refused: they are the wish of a newer version,
 * and to leave out a part of a wish is to do something else.
 * @throws RelightError `job.invalid` with every fault; it never quotes the body.
 */
export function parseJob(body: string): Job {
  const value = parseJson(body);
  if (value === undefined) throw invalidJob(["body: is not JSON"]);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw invalidJob(
      parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`),
    );
  return parsed.data;
}

function invalidJob(faults: string[]): RelightError {
  const message = `a message of the queue is not a job: ${faults.join("; ")}`;
  return new RelightError("job.invalid", message, { details: { faults } });
}

function queueError(queueUrl: string, what: string, cause: unknown, more: JsonObject = {}): RelightError {
  const queue = queueUrl.split("/").at(-1) ?? queueUrl;
  const reason = errorName(cause);
  const message = `the queue ${queue} ${what}: ${reason}`;
  return new RelightError("queue.unavailable", message, { cause, details: { queue, reason, ...more } });
}
