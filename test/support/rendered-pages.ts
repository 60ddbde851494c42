import type { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { snsEscalation } from "../../lib/adapters/aws/pages/sns-escalation.ts";
import { pagerDutyEscalation } from "../../lib/adapters/escalation/pagerduty.ts";
import { slackEscalation } from "../../lib/adapters/escalation/slack.ts";
import { webhookEscalation } from "../../lib/adapters/escalation/webhook.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import { RUNBOOK } from "../../lib/domain/incidents/page-text.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { redact } from "../../lib/domain/time/redact.ts";

/** What the real channels send of a page, without sending it. */
export interface RenderedPage {
  readonly slack: JsonObject;
  readonly pagerDuty: JsonObject;
  readonly webhook: JsonObject;
  readonly mail: { readonly subject: string; readonly text: string };
}

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

export async function renderPage(incident: Incident): Promise<RenderedPage> {
  const settings = { clock: systemClock, scrub, links: { runbook: RUNBOOK } };
  const posted = async (send: (url: string) => Promise<void>): Promise<JsonObject> => {
    const bodies: string[] = [];
    const { fetch } = globalThis;
    globalThis.fetch = async (_url, init) => {
      bodies.push(String(init?.body));
      return new Response(null, { status: 202 });
    };
    try {
      await send("https://pager.example");
    } finally {
      globalThis.fetch = fetch;
    }
    return JSON.parse(bodies[0] ?? "");
  };
  const mails: RenderedPage["mail"][] = [];
  const client = {
    send: async ({ input: { Subject: subject = "", Message: text = "" } }: PublishCommand) => {
      mails.push({ subject, text });
    },
  } as unknown as SNSClient;
  await snsEscalation({ ...settings, topic: "arn:aws:sns:eu-central-1:123456789012:pages", client }).send(incident);
  return {
    slack: await posted((url) => slackEscalation({ ...settings, url }).send(incident)),
    pagerDuty: await posted((url) => pagerDutyEscalation({ ...settings, url, routingKey: "…" }).send(incident)),
    webhook: await posted((url) => webhookEscalation({ ...settings, url }).send(incident)),
    mail: mails[0] ?? { subject: "", text: "" },
  };
}
