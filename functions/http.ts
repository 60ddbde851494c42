import type { MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { RelightError } from "../lib/errors.ts";
import { answerText, JSON_TYPE, problemOf } from "../lib/http/problems.ts";
import type { WithApp } from "./runtime.ts";

/** Errors as HTTP answers. */
export function problems(): MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp> {
  return {
    onError: (request) => {
      const { status, body } = problemOf(request.error);
      request.response = answer(status, body);
    },
  };
}

export function answer(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { ...JSON_TYPE }, body: answerText(body) };
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
