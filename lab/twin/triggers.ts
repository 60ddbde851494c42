import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { WEBHOOK_SECRET } from "./configuration.ts";
import type { End } from "./functions.ts";
import type { Twin } from "./twin.ts";

/** What starts Relight: the clock, the issuer, a person. */

/** The clock: fires the schedule of `sweep` now, and waits for the sweep alone. */
export async function bySchedule({ schedules }: Twin): Promise<End> {
  const schedule = schedules.find(({ function: name }) => name === "sweep");
  if (schedule === undefined) throw new Error("the stack has no schedule for sweep");
  return schedule.fire().end;
}

/** The issuer: a notice, signed as Standard Webhooks has it; gives the HTTP status. */
export async function byWebhook({ http }: Twin, account: string, token?: string): Promise<number> {
  const data = token === undefined ? { account } : { account, jwt: token };
  const body = JSON.stringify({ type: "account.updated", timestamp: new Date(), data });
  const id = `msg_${randomUUID()}`;
  const now = new Date();
  const { status } = await fetch(`${http.url}/issuer`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
      "webhook-signature": new Webhook(WEBHOOK_SECRET).sign(id, now, body),
    },
    body,
  });
  return status;
}

/** A person: invokes the function `manual` and waits for its answer. */
export function byHand({ functions }: Twin, account: string, action = "remediate"): Promise<End> {
  return functions.invoke("manual", { account, action, reason: "a person asked the twin" }).end;
}
