import type { MiddlewareObj } from "@middy/core";
import type { Context as LambdaContext } from "aws-lambda";
import { type App, openApp } from "../lib/compose.ts";
import { millis } from "../lib/domain/time.ts";
import { asRelightError } from "../lib/errors.ts";
import { createLog, type LogOptions } from "../lib/log.ts";

/** What a handler finds in its Lambda context beside AWS's own. */
export type WithApp = LambdaContext & { readonly app: App };

/**
 * Opens Relight before the handler and closes it after, whatever happened. One run is one connection, one
 * read of each secret and one correlation id: the request's. An error is logged once, without secrets.
 * In the second half of its time no rung is begun, since Lambda would kill it midway.
 */
export function relight(): MiddlewareObj<unknown, unknown, Error, WithApp> {
  const close = async ({ context }: { context: WithApp }): Promise<void> => {
    await context.app?.[Symbol.asyncDispose]();
  };
  return {
    before: async ({ context }) => {
      const fields = { request: context.awsRequestId, function: context.functionName };
      const log = createLog({ level: logLevel(), fields });
      const configFile = process.env["RELIGHT_CONFIG"] ?? "relight.yaml";
      const lasts = millis(context.getRemainingTimeInMillis());
      const signal = AbortSignal.timeout(Math.floor(lasts / 2));
      Object.assign(context, { app: await openApp({ configFile, log, signal, lasts }) });
      log.info("started");
    },
    after: async (request) => {
      request.context.app.log.info("finished");
      await close(request);
    },
    onError: async (request) => {
      const { context, error } = request;
      const fields = { request: context.awsRequestId, function: context.functionName };
      createLog({ level: logLevel(), fields }).error("failed", { error: asRelightError(error).toJSON() });
      await close(request);
    },
  };
}

function logLevel(): LogOptions["level"] {
  const level = process.env["RELIGHT_LOG_LEVEL"];
  return level === "warn" || level === "error" || level === "silent" ? level : "info";
}
