import { hash } from "node:crypto";
import { PublishCommand, type PublishCommandInput, SNSClient } from "@aws-sdk/client-sns";
import type { Incident } from "../../../domain/incidents/incident.ts";
import { type Links, pageText, textLines } from "../../../domain/incidents/page-text.ts";
import { defined } from "../../../domain/time/defined.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { Escalation } from "../../../ports/escalation.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";

/** The maximum length of a subject, which must be ASCII without line breaks (SNS API reference, Publish). */
const LONGEST_SUBJECT = 100;

export interface SnsSettings {
  /** The topic's ARN. */
  readonly topic: string;
  readonly client: SNSClient;
  /** Redacts the incident before it is sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
  readonly links?: Links;
}

/** A client for the topic's region. */
export function snsClient(topic: string): SNSClient {
  const region = topic.split(":")[3];
  return new SNSClient({ ...CLIENT_SETTINGS, ...defined({ region }) });
}

/**
 * Publishes incidents as readable text, with attributes for subscription filters. The SDK tries three times. On a FIFO
 * topic each incident is its own message group.
 */
export function snsEscalation({ topic, client, scrub, links }: SnsSettings): Escalation {
  return {
    send: async (incident) => {
      const clean = scrub({ ...incident }) as unknown as Incident;
      await client.send(new PublishCommand(publication(topic, clean, links))).catch((cause: unknown) => {
        throw undeliverable(topic, cause);
      });
    },
  };
}

function publication(topic: string, incident: Incident, links: Links | undefined): PublishCommandInput {
  const { key, status, severity, failureClass, account } = incident;
  const text = pageText(incident, links);
  const attributes = { key, status, severity, failureClass, account };
  return {
    TopicArn: topic,
    Subject: text.title
      .replaceAll("…", "..")
      .replace(/[^\x20-\x7e]/g, "?")
      .slice(0, LONGEST_SUBJECT),
    Message: textLines(text).join("\n"),
    MessageAttributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, { DataType: "String", StringValue: value }]),
    ),
    ...(topic.endsWith(".fifo") ? ordered(incident) : {}),
  };
}

function ordered({ key, status, at }: Incident): Partial<PublishCommandInput> {
  const id = JSON.stringify([key, status, at]);
  return { MessageGroupId: hash("sha256", key), MessageDeduplicationId: hash("sha256", id) };
}

function undeliverable(topic: string, cause: unknown): RelightError {
  const reason = errorName(cause);
  const message = `the SNS topic ${topic} did not accept the incident: ${reason}`;
  return new RelightError("escalation.undeliverable", message, {
    details: { channel: topic, reason },
    cause,
  });
}
