import {
  EventBridgeClient,
  PutEventsCommand,
  type PutEventsRequestEntry,
  type PutEventsResultEntry,
} from "@aws-sdk/client-eventbridge";
import type { Incident } from "../../../domain/incidents/incident.ts";
import { fitted } from "../../../domain/incidents/incident-size.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { Announcer } from "../../../ports/announcer.ts";
import type { Escalation } from "../../../ports/escalation.ts";
import { CLIENT_SETTINGS, errorName } from "../client-settings.ts";
import { INCIDENT_EVENTS } from "./page-events.ts";

/** The `detail-type` of a job's end. */
export const JOB_EVENT = "Job Finished";
/** The source of every event of Relight's. */
const SOURCE = "relight";
/**
 * Bytes of an event's detail. EventBridge takes 262,144 in all, and so did SQS behind it: the rest is for the envelope
 * (EventBridge user guide, "Calculating PutEvents event entry size").
 */
const LARGEST_DETAIL = 240_000;

export interface BusSettings {
  /** The bus' name or ARN. */
  readonly bus: string;
  readonly client: EventBridgeClient;
  /** Takes secrets out of what is sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
}

export const eventBridgeClient = (): EventBridgeClient => new EventBridgeClient(CLIENT_SETTINGS);

/**
 * Relight's events on an EventBridge bus: `Incident Opened`, `Incident Resolved` and `Job Finished`. An event counts
 * as sent once the bus took it; whether a rule wants it, the bus does not say. The SDK tries three times.
 */
export function eventBridgeBus({ bus, client, scrub }: BusSettings): Escalation & Announcer {
  const put = async (type: string, detail: object): Promise<void> => {
    const entry: PutEventsRequestEntry = {
      EventBusName: bus,
      Source: SOURCE,
      DetailType: type,
      Detail: JSON.stringify(detail),
    };
    const { FailedEntryCount = 0, Entries = [] } = await client.send(
      new PutEventsCommand({ Entries: [entry] }),
    );
    if (FailedEntryCount > 0)
      throw new RefusedEntry(Entries.find(({ ErrorCode }) => ErrorCode !== undefined));
  };
  return {
    send: async (incident) => {
      const clean = scrub({ ...incident }) as unknown as Incident;
      const sent = put(INCIDENT_EVENTS[incident.status], fitted(clean, isSmall));
      await sent.catch(failed("escalation.undeliverable", bus, "the incident"));
    },
    jobFinished: async (notice) => {
      const clean = scrub({ ...notice });
      await put(JOB_EVENT, clean).catch(failed("events.unavailable", bus, "the end of a job"));
    },
  };
}

const isSmall = (detail: object): boolean => Buffer.byteLength(JSON.stringify(detail)) <= LARGEST_DETAIL;

/** A request that was answered with 200, though the one event in it was not taken. */
class RefusedEntry extends Error {
  constructor(entry: PutEventsResultEntry | undefined) {
    super("an entry was refused");
    this.name = entry?.ErrorCode ?? "FailedEntry";
  }
}

function failed(code: "escalation.undeliverable" | "events.unavailable", bus: string, what: string) {
  return (cause: unknown): never => {
    const reason = errorName(cause);
    const message = `the event bus ${bus} did not take ${what}: ${reason}`;
    throw new RelightError(code, message, { details: { channel: bus, reason }, cause });
  };
}
