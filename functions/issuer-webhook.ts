import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as z from "zod";
import { isAccountId } from "../lib/domain/claims/account.ts";
import { defined } from "../lib/domain/time/defined.ts";
import { parseJson } from "../lib/domain/time/json.ts";
import { RelightError } from "../lib/errors.ts";
import { answer, problems, readRequest } from "./http.ts";
import { relight, type WithApp } from "./runtime.ts";

/** Standard Webhooks' body; unknown fields are the issuer's own business. */
const notice = z.looseObject({
  type: z.string().min(1),
  data: z.looseObject({
    account: z.string().refine(isAccountId, { message: "is not an account's public key" }),
    jwt: z.string().optional(),
  }),
});

/** Issuer's webhook → a job. 202 queued, 200 repeated, 4xx what the issuer must mend, 5xx try again. */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp>()
  .use(problems())
  .use(relight())
  .handler(async (event, { app }) => {
    const request = readRequest(event);
    const id = await app.authenticate(request);
    const { type, data } = readNotice(request.body);
    const token = defined({ token: data.jwt });
    const accepted = await app.accept({ id, account: data.account, reason: `webhook ${type}`, ...token });
    return answer(accepted.outcome === "queued" ? 202 : 200, accepted);
  });

function readNotice(body: string): z.infer<typeof notice> {
  const parsed = z.string().transform(parseJson).pipe(notice).safeParse(body);
  if (parsed.success) return parsed.data;
  throw new RelightError("webhook.invalid", `the body is not a notice: ${z.prettifyError(parsed.error)}`);
}
