import middy, { type MiddlewareObj } from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import { z } from "zod";
import { isAccountId } from "../lib/domain/account.ts";
import { asRelightError, type ErrorCode, RelightError } from "../lib/errors.ts";
import { relight, type WithApp } from "./runtime.ts";

/** Standard Webhooks' body; unknown fields are the issuer's own business. */
const notice = z.looseObject({
  type: z.string().min(1),
  data: z.looseObject({
    account: z.string().refine(isAccountId, { message: "is not an account's public key" }),
    jwt: z.string().optional(),
  }),
});

const STATUS: Partial<Record<ErrorCode, number>> = {
  "webhook.unauthorized": 401,
  "webhook.invalid": 400,
  "jwt.malformed": 422,
  "gate.refused": 422,
  "queue.unavailable": 503,
};

/** Issuer's webhook → a job. 202 queued, 200 repeated, 4xx what the issuer must mend, 5xx try again. */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp>()
  .use(problems())
  .use(relight())
  .handler(async (event, { app }) => {
    const body = event.isBase64Encoded
      ? Buffer.from(event.body ?? "", "base64").toString()
      : (event.body ?? "");
    const id = await app.authenticate({ headers: lowerCase(event.headers), body });
    const { type, data } = readNotice(body);
    const token = data.jwt === undefined ? {} : { token: data.jwt };
    const accepted = await app.accept({ id, account: data.account, reason: `webhook ${type}`, ...token });
    return answer(accepted.outcome === "queued" ? 202 : 200, accepted);
  });

function readNotice(body: string): z.infer<typeof notice> {
  const parsed = z.string().transform(parseJson).pipe(notice).safeParse(body);
  if (parsed.success) return parsed.data;
  throw new RelightError("webhook.invalid", `the body is not a notice: ${z.prettifyError(parsed.error)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Errors as HTTP answers; the sender learns what to mend and nothing else. */
function problems(): MiddlewareObj<
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Error,
  WithApp
> {
  return {
    onError: (request) => {
      const error = asRelightError(request.error);
      const status = STATUS[error.code] ?? 500;
      const { code, message, details } = error;
      request.response = answer(status, { error: status === 500 ? { code } : { code, message, details } });
    },
  };
}

function lowerCase(
  headers: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function answer(statusCode: number, body: object): APIGatewayProxyStructuredResultV2 {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
