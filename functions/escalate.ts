import middy from "@middy/core";
import partialBatchFailure from "@middy/sqs-partial-batch-failure";
import type { SQSEvent, SQSRecord } from "aws-lambda";
import type { App } from "../lib/compose/compose.ts";
import { asRelightError } from "../lib/errors.ts";
import type { Page } from "../lib/usecases/paging/send-page.ts";
import { relight, type WithApp } from "./runtime.ts";

/**
 * Events of the bus → the channels, each told once. Whatever fails goes back to the queue, and in the end to the dead
 * letters, whose alarm calls by another way: no page is ever dropped as done.
 */
export const handler = middy<SQSEvent, unknown, Error, WithApp>()
  .use(partialBatchFailure({ logger: () => undefined }))
  .use(relight())
  .handler(({ Records: records }, { app }) => Promise.allSettled(records.map((record) => sendOne(app, record))));

async function sendOne({ log, readPage, sendPage }: App, { body, messageId: message }: SQSRecord): Promise<string> {
  let whose: object = { message };
  try {
    const page = await readPage(body);
    whose = { ...whose, ...correlationOf(page) };
    const result = await sendPage(page);
    log.info("a page was handled", { ...whose, told: result });
    return result;
  } catch (thrown) {
    log.error("a page could not be sent", { ...whose, error: asRelightError(thrown).toJSON() });
    throw thrown;
  }
}

/** An alarm of the stack came from no job. */
function correlationOf(page: Page): { readonly correlation?: string } {
  if (page.kind === "alarm" || page.incident.correlation === undefined) return {};
  return { correlation: page.incident.correlation };
}
