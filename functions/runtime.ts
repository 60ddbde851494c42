import type { MiddlewareObj } from "@middy/core";
import type { Context as LambdaContext } from "aws-lambda";
import { type App, keptSecrets, openApp } from "../lib/compose/compose.ts";
import { openTracer } from "../lib/compose/open-observers.ts";
import { defined } from "../lib/domain/time/defined.ts";
import { millis } from "../lib/domain/time/time.ts";
import { errorFields } from "../lib/errors.ts";
import { createLog, type LogLevel, levelNamed } from "../lib/log.ts";
import type { Tracer } from "../lib/ports/observers.ts";

/** What a handler finds in its Lambda context beside AWS's own. */
export type WithApp = LambdaContext & { readonly app: App; readonly tracer?: Tracer };

/**
 * Opens Relight before the handler and closes it after, whatever happened. One run is one connection and at
 * most one read of each secret; its log lines carry the request's id and the trace's. An error is logged once, without secrets.
 * In the second half of its time no rung is begun, since Lambda would kill it midway.
 */
export function relight(): MiddlewareObj<unknown, unknown, Error, WithApp> {
  const close = async ({ context }: { context: WithApp }): Promise<void> => {
    await context.app?.[Symbol.asyncDispose]();
    await context.tracer?.[Symbol.asyncDispose]();
  };
  return {
    before: async ({ context }) => {
      const log = createLog({ level: logLevel(), fields: fieldsOf(context) });
      const configFile = process.env["RELIGHT_CONFIG"] ?? "relight.yaml";
      const lasts = millis(context.getRemainingTimeInMillis());
      const signal = AbortSignal.timeout(Math.floor(lasts / 2));
      const tracer = await openTracer();
      Object.assign(context, { tracer });
      Object.assign(context, { app: await openApp({ configFile, log, signal, lasts, tracer, keptSecrets: kept }) });
      log.info("started");
      warnOnce(context.app);
    },
    after: async (request) => {
      request.context.app.log.info("finished");
      await close(request);
    },
    onError: async (request) => {
      const { context, error } = request;
      createLog({ level: logLevel(), fields: fieldsOf(context) }).error("failed", errorFields(error));
      await close(request);
    },
  };
}

/** Of this environment that Lambda started; it may run for hours. */
const kept = keptSecrets();

let isWarned = false;

/** Once in each environment that Lambda starts. */
function warnOnce({ nobodyPagedWarning, log }: App): void {
  if (nobodyPagedWarning !== undefined && !isWarned) log.warn(nobodyPagedWarning);
  isWarned = true;
}

/** AWS changes the trace's header with each request; a line holds its root, which the X-Ray console finds. */
function fieldsOf({ awsRequestId: request, functionName }: LambdaContext): object {
  const [, trace] = /(?:^|;)Root=([^;]+)/i.exec(process.env["_X_AMZN_TRACE_ID"] ?? "") ?? [];
  return { request, function: functionName, ...defined({ trace }) };
}

const logLevel = (): LogLevel => levelNamed(process.env["RELIGHT_LOG_LEVEL"], "info");
