import type { Context, ErrorHandler, MiddlewareHandler } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { redactText } from "../lib/domain/time/redact.ts";
import { asRelightError, type ErrorCode } from "../lib/errors.ts";
import { callerOf } from "../lib/http/caller.ts";
import { logFailure } from "../lib/http/refusals.ts";
import type { Log } from "../lib/ports/log.ts";
import type { Guard, PageContext } from "./guard.ts";
import { type Html, layout, problem } from "./views/layout.ts";

/** The pages' own script and style, and nothing from or to anybody else. */
const POLICY = [
  ...["default-src 'none'", "style-src 'self'", "script-src 'self'", "img-src 'self' data:"],
  ...["connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"],
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  // Not `no-referrer`: browsers would not say where a form comes from.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

/** Sets the headers of every answer, and refuses requests that must not be answered. */
export function protect(guard: Pick<Guard, "admit">): MiddlewareHandler {
  return async (context, next) => {
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    guard.admit(context);
    await next();
  };
}

/** Sends a page. Secrets should not be in it; if one is, it is not shown. */
export async function send(context: Context, page: Html, status: ContentfulStatusCode = 200): Promise<Response> {
  return context.html(redactText(String(await page)), status);
}

const STATUS: Readonly<Partial<Record<ErrorCode, ContentfulStatusCode>>> = {
  "request.unauthorized": 403,
  "request.locked": 429,
  "request.invalid": 400,
  "request.unknown": 404,
  "account.unknown": 404,
};

const TITLES: Readonly<Partial<Record<ContentfulStatusCode, string>>> = {
  400: "That was not understood",
  403: "Not allowed",
  404: "Not found",
  429: "Locked for a while",
};

/** An error as a page: what is wrong, and what to do. */
export function answerErrors(log: Log): ErrorHandler {
  return (thrown, context) => {
    const error = asRelightError(thrown);
    const status = STATUS[error.code] ?? (error.retryable ? 503 : 500);
    const { method, path } = context.req;
    const who = (context as PageContext).get("person")?.name;
    logFailure(log, { method, path, caller: callerOf(context), who }, status, thrown);
    const lines =
      error.code === "internal"
        ? ["The log has the details."]
        : [error.message, ...(status >= 500 ? [error.advice] : [])];
    for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
    const title = TITLES[status] ?? "That did not work";
    return send(context, layout({ title, body: problem(title, [...lines, `[${error.code}]`]) }), status);
  };
}
