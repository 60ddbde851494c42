import { type Channel, fanOutEscalation } from "../adapters/escalation/fan-out.ts";
import { pagerDutyEscalation } from "../adapters/escalation/pagerduty.ts";
import { slackEscalation } from "../adapters/escalation/slack.ts";
import { webhookEscalation } from "../adapters/escalation/webhook.ts";
import { systemClock } from "../adapters/local/clock.ts";
import type { Config } from "../config/config.ts";
import type { EscalationChannel } from "../config/escalation.ts";
import type { Links } from "../domain/incidents/page-text.ts";
import type { JsonObject } from "../domain/time/json.ts";
import { redact } from "../domain/time/redact.ts";
import { asRelightError, RelightError } from "../errors.ts";
import type { Announcer } from "../ports/announcer.ts";
import type { Escalation } from "../ports/escalation.ts";
import type { Log } from "../ports/log.ts";
import type { Secrets } from "../ports/secrets.ts";
import { openOnce } from "./open-once.ts";

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;

type Channels = Pick<Config, "escalation"> & { readonly links: Links };

/**
 * The configured channels, each opened at its first page. Without a page no secret is read, and a channel that can't be
 * opened does not affect the others.
 */
export function channelsAsNeeded(config: Channels, secrets: Secrets, log: Log): Escalation {
  return fanOutEscalation(channelsOf(config, secrets), log, config.links);
}

/**
 * The same, opened now, because a person wants to know at once what is missing. A channel whose secret is temporarily
 * unavailable is opened later.
 * @throws RelightError `secret.*` for faults that only a person can fix, `config.invalid`
 */
export async function openEscalation(config: Channels, secrets: Secrets, log: Log): Promise<Escalation> {
  const channels = channelsOf(config, secrets);
  await Promise.all(channels.map(({ open }) => open().catch((thrown: unknown) => unlessRetryable(thrown, log))));
  return fanOutEscalation(channels, log, config.links);
}

function unlessRetryable(thrown: unknown, log: Log): void {
  const error = asRelightError(thrown);
  if (!error.retryable) throw error;
  log.warn("an escalation channel can't be opened yet", { error: error.toJSON() });
}

/** Relight's event bus, if one is configured. A subscriber notifies the channels. */
export async function openBus({ events }: Pick<Config, "events">): Promise<(Escalation & Announcer) | undefined> {
  if (events === undefined) return undefined;
  const { eventBridgeBus, eventBridgeClient } = await import("../adapters/aws/pages/eventbridge-bus.ts");
  const bus = events.slice("eventbridge:".length);
  return eventBridgeBus({ bus, client: eventBridgeClient(), scrub });
}

/** Sends incidents to the bus and to the log. The bus is a channel like any other. */
export function busEscalation(
  bus: Escalation,
  { events, links }: Pick<Config, "events"> & { readonly links: Links },
  log: Log,
): Escalation {
  return fanOutEscalation([{ name: `events ${events}`, escalation: bus }], log, links);
}

/** Why no page would reach a person; undefined if one would. */
export function nobodyPagedWarning({ escalation, events }: Pick<Config, "escalation" | "events">): string | undefined {
  if (escalation.length > 0) return undefined;
  return events === undefined
    ? "no escalation is configured: nobody will be called, whatever happens (`escalation` in the configuration)"
    : "no escalation is configured: pages only go to the event bus and the log (`escalation` in the configuration)";
}

function channelsOf({ escalation, links }: Channels, secrets: Secrets) {
  return escalation.map((channel): Channel & { readonly open: () => Promise<Escalation> } => {
    const open = openOnce(() => openChannel(channel, links, secrets));
    return {
      name: nameOf(channel),
      open,
      escalation: { send: async (incident) => (await open()).send(incident) },
    };
  });
}

async function openChannel(channel: EscalationChannel, links: Links, secrets: Secrets): Promise<Escalation> {
  const { webhook, pagerDuty, slack, sns } = channel;
  const settings = { clock: systemClock, scrub, links };
  if (webhook !== undefined) {
    const { url, secret } = webhook;
    const signed = secret === undefined ? {} : { secret: await secrets.read(secret) };
    return webhookEscalation({ ...settings, url, ...signed });
  }
  if (pagerDuty !== undefined) {
    const routingKey = await secrets.read(pagerDuty.routingKey);
    return pagerDutyEscalation({ ...settings, url: pagerDuty.url, routingKey });
  }
  if (slack !== undefined) return slackEscalation({ ...settings, url: await secrets.read(slack.url) });
  if (sns === undefined) throw new RelightError("config.invalid", "an escalation channel is empty");
  const { snsClient, snsEscalation } = await import("../adapters/aws/pages/sns-escalation.ts");
  return snsEscalation({ topic: sns.topic, client: snsClient(sns.topic), scrub, links });
}

function nameOf({ webhook, pagerDuty, slack, sns }: EscalationChannel): string {
  if (webhook !== undefined) return `webhook ${new URL(webhook.url).host}`;
  if (pagerDuty !== undefined) return "PagerDuty";
  return slack === undefined ? `SNS ${sns?.topic}` : "Slack";
}
