import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { printableJson } from "../lib/domain/time/printable.ts";
import { asRelightError, type ErrorCode, RelightError } from "../lib/errors.ts";
import { redact } from "../lib/log.ts";
import type { WithApp } from "./runtime.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  "webhook.unauthorized": 401,
  "webhook.invalid": 400,
  "webhook.conflict": 409,
  "jwt.malformed": 422,
  "gate.refused": 422,
  "request.unauthorized": 403,
  "request.invalid": 400,
  "request.unknown": 404,
  "account.unknown": 404,
};

/** Errors as HTTP answers: the sender learns what to mend; what is ours to mend is only named by its code. */
export function problems(): MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp> {
  return {
    onError: (request) => {
      const { code, message, details, retryable } = asRelightError(request.error);
      const status = STATUS[code] ?? (retryable ? 503 : 500);
      request.response = answer(status, { error: status >= 500 ? { code } : { code, message, details } });
    },
  };
}

export function answer(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { "content-type": "application/json" },
    body: printableJson(JSON.stringify(redact(body))),
  };
}

/** The body as it was sent, and the headers by names in lower case, which proxies write as they like. */
export function readRequest({ body = "", headers, isBase64Encoded }: APIGatewayProxyEventV2) {
  return {
    body: isBase64Encoded ? Buffer.from(body, "base64").toString() : body,
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

/** For middy's router, whose own answer would not be one of ours. @throws RelightError `request.unknown` */
export function notFoundResponse({ method, path }: { method: string; path: string }): never {
  throw new RelightError("request.unknown", `there is no ${method} ${path}`);
}
