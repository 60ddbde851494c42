import { createHash } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { isAccountId } from "../../domain/account.ts";
import { RelightError } from "../../errors.ts";
import type { Job, Jobs, Trigger } from "../../ports.ts";
import { CLIENT_SETTINGS, errorName } from "./client-settings.ts";

export const sqsClient = (): SQSClient => new SQSClient(CLIENT_SETTINGS);

/**
 * Jobs on an SQS FIFO queue. The account is the message group, so SQS gives out its jobs one after the
 * other, in order. A job id that was sent within the last five minutes is dropped by SQS, even if that job
 * is done already: whoever asks anew needs a new id.
 */
export function sqsJobs({ queueUrl, client }: { queueUrl: string; client: SQSClient }): Jobs {
  return {
    enqueue: async (job) => {
      const command = new SendMessageCommand({
        QueueUrl: queueUrl,
        MessageBody: JSON.stringify(job),
        MessageGroupId: job.account,
        MessageDeduplicationId: deduplicationId(job),
      });
      await client.send(command).catch((cause: unknown) => {
        throw queueError(queueUrl, cause);
      });
    },
    drain: async () => {},
  };
}

/** A job's id may be longer than the 128 characters, and hold others than those, that SQS takes. */
export function deduplicationId({ id }: Pick<Job, "id">): string {
  return createHash("sha256").update(id).digest("hex");
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
  const parsed = schema.safeParse(parseJson(body));
  if (!parsed.success)
    throw invalidJob(
      parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`),
    );
  return parsed.data;
}

/** The parser's own error quotes what it read, and that may hold a JWT. */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw invalidJob(["body: is not JSON"]);
  }
}

function invalidJob(faults: string[]): RelightError {
  const message = `a message of the queue is not a job: ${faults.join("; ")}`;
  return new RelightError("job.invalid", message, { details: { faults } });
}

function queueError(queueUrl: string, cause: unknown): RelightError {
  const queue = queueUrl.split("/").at(-1) ?? queueUrl;
  const reason = errorName(cause);
  const message = `the queue ${queue} did not take the job: ${reason}`;
  return new RelightError("queue.unavailable", message, { cause, details: { queue, reason } });
}
