import middy from "@middy/core";
import * as z from "zod";
import { verdictJson } from "../lib/domain/verdict/verdict.ts";
import { RelightError } from "../lib/errors.ts";
import { words } from "../lib/http/requests.ts";
import { relight, type WithApp } from "./runtime.ts";

const schema = z.strictObject({
  /** An account's id or name. */
  account: words(1, 256),
  action: z.enum(["verify", "renew", "heal", "remediate"]),
  /** Why; it goes into the journal. */
  reason: words(3, 500),
});

/** A person at the AWS console or CLI: `{"account": "APP", "action": "heal", "reason": "…"}` → the outcome. */
export const handler = middy<unknown, unknown, Error, WithApp>()
  .use(relight())
  .handler(async (event, { app, awsRequestId: correlation }) => {
    const parsed = schema.safeParse(event);
    if (!parsed.success) throw new RelightError("usage", z.prettifyError(parsed.error));
    const { account: name, action, reason } = parsed.data;
    const account = await app.findAccount(name);
    const order = { account, action, trigger: "manual", reason, correlation } as const;
    const { verdict, ...result } = await app.remediate(order);
    return { ...verdictJson(verdict), ...result };
  });
