import type { Incident } from "../../domain/incidents/incident.ts";
import { type Links, pageText } from "../../domain/incidents/page-text.ts";
import { defined } from "../../domain/time/defined.ts";
import type { JsonObject } from "../../domain/time/json.ts";
import { clip } from "../../domain/time/text.ts";
import type { Escalation } from "../../ports/escalation.ts";
import { type ChannelSettings, postedEscalation } from "./persistent.ts";

/** Characters. PagerDuty allows 1,024 in a summary, and 512 kB in total (developer.pagerduty.com, Events API v2). */
const LONGEST_SUMMARY = 1_024;
const LARGEST_EVIDENCE = 300_000;

export interface PagerDutySettings extends ChannelSettings {
  readonly url: string;
  /** The key of a service's integration "Events API v2". */
  readonly routingKey: string;
  readonly links?: Links;
}

/**
 * Triggers and resolves PagerDuty alerts. The `dedup_key` is the incident's key, so repetitions join the open alert.
 * @throws RelightError `config.invalid` for a bad address.
 */
export function pagerDutyEscalation({ routingKey, links, ...settings }: PagerDutySettings): Escalation {
  return postedEscalation({
    ...settings,
    kind: "PagerDuty",
    // Add the routing key after redaction, which would remove it.
    message: (incident) => ({ routing_key: routingKey, ...eventOf(incident, links) }),
  });
}

function eventOf(incident: Incident, links: Links | undefined): JsonObject {
  const text = pageText(incident, links);
  return {
    event_action: incident.status === "open" ? "trigger" : "resolve",
    dedup_key: incident.key,
    client: "Relight",
    ...(links?.console === undefined ? {} : { client_url: consoleOf(text.links) }),
    payload: {
      summary: clip(summaryOf(incident, text), LONGEST_SUMMARY),
      source: incident.accountName,
      severity: incident.severity,
      timestamp: incident.at,
      component: "JetStream",
      group: incident.account,
      class: incident.failureClass,
      custom_details: {
        ...Object.fromEntries(text.parts.map(({ heading, lines }) => [heading, lines.join("\n")])),
        ...Object.fromEntries(text.links.map(({ text: name, href }) => [name, href])),
        ...defined({ correlation: incident.correlation }),
        evidence: evidenceOf(incident),
      },
    },
    links: text.links.filter(({ href }) => isAddress(href)).map(({ text: name, href }) => ({ href, text: name })),
  };
}

/** The title, and what users notice: PagerDuty reads it out. */
function summaryOf({ status, impact, summary }: Incident, { title }: ReturnType<typeof pageText>): string {
  return status === "resolved" ? title : `${title}: ${impact ?? summary}`;
}

/** A runbook may be a path. */
const isAddress = (href: string): boolean => /^https?:\/\//.test(href);

function consoleOf(links: ReturnType<typeof pageText>["links"]): string {
  return links.find(({ text }) => text === "Console")?.href ?? "";
}

/** Omits evidence that is too large, because a page without it is better than none. */
function evidenceOf({ evidence }: Incident): JsonObject | string {
  const size = Buffer.byteLength(JSON.stringify(evidence));
  return size > LARGEST_EVIDENCE ? "too large to send; see `relight journal`" : evidence;
}
