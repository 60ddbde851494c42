import middy from "@middy/core";
import partialBatchFailure from "@middy/sqs-partial-batch-failure";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import { parseJob } from "../lib/adapters/aws/queue/job-message.ts";
import type { App } from "../lib/compose/compose.ts";
import { measuresOfMessage } from "../lib/domain/metrics/measures.ts";
import { epochMillis } from "../lib/domain/time/time.ts";
import { asRelightError, errorFields } from "../lib/errors.ts";
import { relight, type WithApp } from "./runtime.ts";

/**
 * Queue → one account at a time. What trying again can mend goes back to the queue, with everything behind
 * it of the same account, since the order within an account must hold; the rest was escalated and is done.
 */
export const handler = middy<SQSEvent, unknown, Error, WithApp>()
  .use(partialBatchFailure({ logger: () => undefined }))
  .use(relight())
  .handler(async ({ Records: records }, { app }) => {
    const blocked = new Set<string>();
    const ends: PromiseSettledResult<string>[] = [];
    for (const record of records) ends.push(await settle(app, record, blocked));
    return ends;
  });

async function settle(app: App, record: SQSRecord, blocked: Set<string>): Promise<PromiseSettledResult<string>> {
  const group = record.attributes.MessageGroupId ?? record.messageId;
  if (blocked.has(group)) return { status: "rejected", reason: "an earlier message of this account failed" };
  try {
    const sentAt = epochMillis(Number(record.attributes.SentTimestamp));
    app.metrics.emit(measuresOfMessage(sentAt, epochMillis(Date.now())));
    const { outcome } = await app.remediate(parseJob(record.body));
    return { status: "fulfilled", value: outcome };
  } catch (thrown) {
    const error = asRelightError(thrown);
    app.log.error("a message failed", { message: record.messageId, ...errorFields(thrown) });
    // A bug, or a message that is no job, ends in the dead-letter queue: it must not vanish as done.
    if (!error.retryable && error.code !== "internal" && error.code !== "job.invalid")
      return { status: "fulfilled", value: error.code };
    blocked.add(group);
    return { status: "rejected", reason: error.message };
  }
}
