import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { WEBHOOK_SECRET } from "./configuration.ts";
import type { End } from "./functions.ts";
import type { Twin } from "./twin.ts";

/** The triggers of Relight: the schedule, the issuer, a person. */

/** The schedule: starts `sweep` now, and waits for the sweep only. */
export async function bySchedule({ schedules }: Twin): Promise<End> {
  const schedule = schedules.find(({ function: name }) => name === "sweep");
  if (schedule === undefined) throw new Error("the stack has no schedule for sweep");
  return schedule.fire().end;
}

const STARTED = new Date();

/**
 * The issuer: sends a notice signed according to Standard Webhooks, and returns the HTTP status. A repetition has the same
 * id and the same body.
 */
export async function byWebhook(
  { http }: Twin,
  account: string,
  token?: string,
  id = `msg_${randomUUID()}`,
): Promise<number> {
  const data = token === undefined ? { account } : { account, jwt: token };
  const body = JSON.stringify({ type: "account.updated", timestamp: STARTED, data });
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
  return functions.invoke("manual", { account, action, reason: "a person at the twin" }).end;
}

/** A person at the console: sends a request to the HTTP API with an access key, and returns the answer's status and body. */
export async function byConsole({ http }: Twin, account: string, action = "remediate") {
  const answer = await askApi(http.url, `/accounts/${account}/jobs`, {
    method: "POST",
    body: JSON.stringify({ action, reason: "a person at the console" }),
  });
  return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, string>> };
}

/** A request to a route with the authorizer `aws_iam`. The twin's listener only reads the key. */
export function askApi(url: string, path: string, init: RequestInit = {}): Promise<Response> {
  const authorization = "AWS4-HMAC-SHA256 Credential=AKIATWINPERSON/20260101/eu-central-1/execute-api/aws4_request";
  return fetch(`${url}${path}`, { ...init, headers: { "content-type": "application/json", authorization } });
}
