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

/** The `detail-type` of finished jobs. */
export const JOB_EVENT = "Job Finished";
/** The source of all Relight events. */
const SOURCE = "relight";
/**
 * The maximum size of an event's detail in bytes. EventBridge allows 262,144 in total, and the rest is for the envelope
 * (EventBridge user guide, "Calculating PutEvents event entry size").
 */
const LARGEST_DETAIL = 240_000;

export interface BusSettings {
  /** The bus's name or ARN. */
  readonly bus: string;
  readonly client: EventBridgeClient;
  /** Redacts events before they are sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
}

export const eventBridgeClient = (): EventBridgeClient => new EventBridgeClient(CLIENT_SETTINGS);

/**
 * Sends Relight's events to an EventBridge bus: `Incident Opened`, `Incident Resolved` and `Job Finished`. An event counts
 * as sent once the bus accepts it, even if no rule matches. The SDK tries three times.
 */
export function eventBridgeBus({ bus, client, scrub }: BusSettings): Escalation & Announcer {
  const put = async (type: string, detail: object): Promise<void> => {
    const entry: PutEventsRequestEntry = {
      EventBusName: bus,
      Source: SOURCE,
      DetailType: type,
      Detail: JSON.stringify(detail),
    };
    const { FailedEntryCount = 0, Entries = [] } = await client.send(new PutEventsCommand({ Entries: [entry] }));
    if (FailedEntryCount > 0) throw new RefusedEntry(Entries.find(({ ErrorCode }) => ErrorCode !== undefined));
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

/** A request answered with 200 although its event was refused. */
class RefusedEntry extends Error {
  constructor(entry: PutEventsResultEntry | undefined) {
    super("an entry was refused");
    this.name = entry?.ErrorCode ?? "FailedEntry";
  }
}

function failed(code: "escalation.undeliverable" | "events.unavailable", bus: string, what: string) {
  return (cause: unknown): never => {
    const reason = errorName(cause);
    const message = `the event bus ${bus} did not accept ${what}: ${reason}`;
    throw new RelightError(code, message, { details: { channel: bus, reason }, cause });
  };
}
