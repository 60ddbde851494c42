import { type Channel, fanOutEscalation } from "./adapters/escalation/fan-out.ts";
import { pagerDutyEscalation } from "./adapters/escalation/pagerduty.ts";
import { slackEscalation } from "./adapters/escalation/slack.ts";
import { webhookEscalation } from "./adapters/escalation/webhook.ts";
import { systemClock } from "./adapters/local/clock.ts";
import type { Config } from "./config.ts";
import type { EscalationChannel } from "./config-escalation.ts";
import type { JsonObject } from "./domain/json.ts";
import type { Links } from "./domain/page-text.ts";
import { asRelightError, RelightError } from "./errors.ts";
import { redact } from "./log.ts";
import type { Escalation, Log, Secrets } from "./ports.ts";

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

/**
 * The channels of the configuration, side by side. One whose secret can't be read just now is opened once it is
 * needed: neither the others nor what is to be healed wait for it.
 * @throws RelightError `secret.*` for what only a person can mend, `config.invalid`
 */
export async function openEscalation(
  { escalation, links }: Pick<Config, "escalation" | "links">,
  secrets: Secrets,
  log: Log,
): Promise<Escalation> {
  const channels = escalation.map(async (channel): Promise<Channel> => {
    const open = () => openChannel(channel, links, secrets);
    return { name: nameOf(channel), escalation: await openOrLater(open, log) };
  });
  return fanOutEscalation(await Promise.all(channels), log, links);
}

async function openOrLater(open: () => Promise<Escalation>, log: Log): Promise<Escalation> {
  try {
    return await open();
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (!error.retryable) throw error;
    log.warn("an escalation channel can't be opened yet", { error: error.toJSON() });
    return { send: async (incident) => (await open()).send(incident) };
  }
}

async function openChannel(channel: EscalationChannel, links: Links, secrets: Secrets): Promise<Escalation> {
  const { webhook, pagerDuty, slack, sns } = channel;
  const settings = { clock: systemClock, scrub, links };
  if (webhook !== undefined) {
    const { url, secret } = webhook;
    const signed = secret === undefined ? {} : { secret: await secrets.read(secret) };
    return webhookEscalation({ clock: systemClock, scrub, url, ...signed });
  }
  if (pagerDuty !== undefined) {
    const routingKey = await secrets.read(pagerDuty.routingKey);
    return pagerDutyEscalation({ ...settings, url: pagerDuty.url, routingKey });
  }
  if (slack !== undefined) return slackEscalation({ ...settings, url: await secrets.read(slack.url) });
  if (sns === undefined) throw new RelightError("config.invalid", "an escalation channel is empty");
  const { snsClient, snsEscalation } = await import("./adapters/aws/sns-escalation.ts");
  return snsEscalation({ topic: sns.topic, client: snsClient(sns.topic), scrub, links });
}

function nameOf({ webhook, pagerDuty, slack, sns }: EscalationChannel): string {
  if (webhook !== undefined) return `webhook ${new URL(webhook.url).host}`;
  if (pagerDuty !== undefined) return "PagerDuty";
  return slack === undefined ? `SNS ${sns?.topic}` : "Slack";
}
