import type { Context, ErrorHandler, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RelightError } from "../lib/errors.ts";
import { callerOf } from "../lib/http/caller.ts";
import { answerText, JSON_TYPE, problemOf } from "../lib/http/problems.ts";
import { logFailure } from "../lib/http/refusals.ts";
import type { Log } from "../lib/ports/log.ts";

/** JSON without secrets and control characters, which nobody keeps. */
export function answer(context: Context, status: number, body: object): Response {
  const headers = { ...JSON_TYPE, "cache-control": "no-store", "x-content-type-options": "nosniff" };
  return context.body(answerText(body), status as ContentfulStatusCode, headers);
}

/** Errors as answers, each with its line in the log. */
export const problems =
  (log: Log): ErrorHandler =>
  (thrown, context) => {
    const { status, body } = problemOf(thrown);
    const { method, path } = context.req;
    logFailure(log, { method, path, caller: callerOf(context) }, status, thrown);
    return answer(context, status, body);
  };

/** Refuses longer bodies before they are read to their end. @param maxSize bytes */
export const atMost = (maxSize: number): MiddlewareHandler =>
  bodyLimit({
    maxSize,
    onError: () => {
      throw new RelightError("request.too_large", `the body is longer than ${maxSize} bytes`);
    },
  });

export const notFound = ({ req }: Context): never => {
  throw new RelightError("request.unknown", `there is no ${req.method} ${req.path}`);
};
