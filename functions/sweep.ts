import middy from "@middy/core";
import type { ScheduledEvent } from "aws-lambda";
import { relight, type WithApp } from "./runtime.ts";

/** Schedule → one job for each account that is due. Fails loudly: an error here is the function's error metric. */
export const handler = middy<ScheduledEvent, unknown, Error, WithApp>()
  .use(relight())
  .handler(async (event, { app }) => {
    const {
      id: correlation,
      queued,
      unreadable,
      results,
      failures,
    } = await app.sweep("schedule", `schedule at ${event.time}`);
    const outcomes = results.map(({ account, outcome }) => ({ account, outcome }));
    return {
      correlation,
      queued,
      unreadable,
      outcomes,
      failures: failures.map(({ account, error }) => ({ account, code: error.code })),
    };
  });
