import { hash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import {
  type BatchResultErrorEntry,
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { JsonObject } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { Job, Jobs } from "../../../ports/jobs.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";

export const sqsClient = (): SQSClient => new SQSClient(CLIENT_SETTINGS);

export interface SqsJobsSettings {
  readonly queueUrl: string;
  readonly client: SQSClient;
}

/**
 * Jobs on an SQS FIFO queue. The account is the message group, so SQS delivers its jobs in order, one at a time. SQS drops
 * a job whose id was sent within the last five minutes, even if that job is finished, so a new order needs a new id.
 */
export function sqsJobs({ queueUrl, client }: SqsJobsSettings): Jobs {
  const attempt = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    work().catch((cause: unknown) => {
      throw queueError(queueUrl, what, cause);
    });
  return {
    enqueue: async (job) => {
      const message = { QueueUrl: queueUrl, ...messageOf(job) };
      await attempt("did not accept the job", () => client.send(new SendMessageCommand(message)));
    },
    enqueueAll: (jobs) => sendAll({ queueUrl, client }, jobs),
    waiting: () => attempt("did not report how many jobs wait", () => countWaiting({ queueUrl, client })),
    drain: async () => {},
  };
}

const messageOf = (job: Job) => ({
  MessageBody: JSON.stringify(job),
  MessageGroupId: job.account,
  MessageDeduplicationId: deduplicationId(job),
});

/** A FIFO queue also counts jobs that wait for another job of their account. */
async function countWaiting({ queueUrl, client }: SqsJobsSettings): Promise<number> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ["ApproximateNumberOfMessages"] }),
  );
  return Number(Attributes?.["ApproximateNumberOfMessages"] ?? 0);
}

/** How often to send a batch if SQS refuses single entries. */
const MOST_TRIES = 4;
/** The pause before the second try, in milliseconds; it doubles each time. */
const FIRST_PAUSE = 100;

/** Tries every batch, even if one fails. */
async function sendAll(settings: SqsJobsSettings, jobs: readonly Job[]): Promise<void> {
  let notTaken = 0;
  let cause: unknown;
  for (const batch of batchesOf(jobs)) {
    const rest = await sendBatch(settings, batch).catch((error: unknown) => ({ jobs: batch, error }));
    notTaken += rest.jobs.length;
    cause ??= rest.error;
  }
  if (notTaken === 0) return;
  throw queueError(settings.queueUrl, `did not accept ${notTaken} of ${jobs.length} jobs`, cause, {
    notTaken,
  });
}

/** The jobs that were refused, and why. */
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
    const of = (failed: readonly BatchResultErrorEntry[]): Job[] => failed.flatMap(({ Id }) => left[Number(Id)] ?? []);
    faulty.push(...of(Failed.filter(({ SenderFault }) => SenderFault)));
    code ??= Failed[0]?.Code;
    left = of(Failed.filter(({ SenderFault }) => !SenderFault));
  }
  const jobs = [...faulty, ...left];
  return jobs.length === 0 ? { jobs } : { jobs, error: Object.assign(new Error(code), { name: code }) };
}

/** The maximum number of entries in a batch. */
const MOST_ENTRIES = 10;
/** Bytes. SQS accepts 1 MiB since August 2025, but a queue's own limit may still be the former 256 KiB. */
const MOST_BYTES = 256 * 1024;

/** Splits jobs into batches, in order. Each account appears once per batch, because a retried job would overtake the next one. */
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

/** A hash of the job's id, which may be too long for SQS or contain characters that SQS refuses. */
export function deduplicationId({ id }: Pick<Job, "id">): string {
  return hash("sha256", id);
}

function queueError(queueUrl: string, what: string, cause: unknown, more: JsonObject = {}): RelightError {
  const queue = queueUrl.split("/").at(-1) ?? queueUrl;
  const reason = errorName(cause);
  const message = `the queue ${queue} ${what}: ${reason}`;
  return new RelightError("queue.unavailable", message, { cause, details: { queue, reason, ...more } });
}
