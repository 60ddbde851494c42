import { createHash } from "node:crypto";
import middy from "@middy/core";
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from "aws-lambda";
import * as z from "zod";
import type { AccountId } from "../lib/domain/claims/account.ts";
import { isPublicKey } from "../lib/domain/claims/nkey.ts";
import { defined } from "../lib/domain/time/defined.ts";
import { parseJson } from "../lib/domain/time/json.ts";
import { RelightError } from "../lib/errors.ts";
import { answer, problems, readRequest } from "./http.ts";
import { words } from "./requests.ts";
import { relight, type WithApp } from "./runtime.ts";

/** More than servers take. */
const LONGEST_JWT = 1_048_576;
const webhookId = words(1, 256);

/** Standard Webhooks' body; unknown fields are the issuer's own business. */
const notice = z.looseObject({
  type: words(1, 128),
  data: z.looseObject({
    account: z.custom<AccountId>((text) => typeof text === "string" && isPublicKey(text, "account"), {
      message: "is not an account's public key",
    }),
    jwt: z.string().max(LONGEST_JWT).optional(),
  }),
});

/** Issuer's webhook → a job. 202 queued or coalesced, 200 repeated, 4xx the issuer must fix it, 5xx try again. */
export const handler = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, WithApp>()
  .use(problems())
  .use(relight())
  .handler(async (event, { app }) => {
    const request = readRequest(event);
    const id = valid(webhookId, await app.authenticate(request), "webhook-id is invalid");
    const { type, data } = readNotice(request.body);
    const token = defined({ token: data.jwt });
    const digest = createHash("sha256").update(request.body).digest("hex");
    const accepted = await app.accept({ id, digest, account: data.account, reason: `webhook ${type}`, ...token });
    return answer(accepted.outcome === "repeated" ? 200 : 202, accepted);
  });

function readNotice(body: string): z.infer<typeof notice> {
  return valid(z.string().transform(parseJson).pipe(notice), body, "the body is not a notice");
}

/** @throws RelightError `webhook.invalid`; it never quotes the value. */
function valid<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new RelightError("webhook.invalid", `${what}: ${z.prettifyError(parsed.error)}`);
}
