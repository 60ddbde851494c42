import * as z from "zod";
import { isAccountId } from "../../../domain/claims/account.ts";
import type { FailureClass } from "../../../domain/incidents/classes.ts";
import type { Incident } from "../../../domain/incidents/incident.ts";
import type { StackAlarm } from "../../../domain/incidents/stack-alarm.ts";
import { defined } from "../../../domain/time/defined.ts";
import { isJsonObject, type JsonObject, parseJson } from "../../../domain/time/json.ts";
import { epochMillis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";

/** A message in the queue of pages. */
export type PageEvent =
  | { readonly kind: "incident"; readonly incident: Incident }
  | { readonly kind: "alarm"; readonly alarm: StackAlarm };

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), { message: "is not a time" });

/** Accepts unknown keys, because a page of a newer version should be sent at least in part. */
const incident = z.looseObject({
  key: z.string().min(1),
  status: z.enum(["open", "resolved"]),
  // A newer version may have more classes.
  failureClass: z.custom<FailureClass>((value) => typeof value === "string" && value !== "", "is not a failure class"),
  account: z.union([z.literal("-"), z.string().refine(isAccountId, { message: "is not an account's public key" })]),
  accountName: z.string(),
  severity: z.enum(["warning", "critical"]),
  summary: z.string(),
  also: z.array(z.string()).exactOptional(),
  impact: z.string().exactOptional(),
  was: z.string().exactOptional(),
  command: z.string().exactOptional(),
  advice: z.array(z.string()),
  evidence: z.custom<JsonObject>(isJsonObject, "is not an object"),
  since: time,
  at: time,
  correlation: z.string().exactOptional(),
});

/** CloudWatch user guide, "Alarm events and EventBridge". */
const alarm = z.looseObject({
  alarmName: z.string().min(1),
  state: z.looseObject({
    value: z.enum(["ALARM", "OK", "INSUFFICIENT_DATA"]),
    reason: z.string().default(""),
    timestamp: time,
  }),
  configuration: z.looseObject({ description: z.string().exactOptional() }).prefault({}),
});

/** The `detail-type` of an incident's events, by its status. */
export const INCIDENT_EVENTS = { open: "Incident Opened", resolved: "Incident Resolved" } as const;

const event = z.union([
  z
    .looseObject({
      source: z.literal("relight"),
      "detail-type": z.enum(Object.values(INCIDENT_EVENTS)),
      detail: incident,
    })
    .refine((it) => it["detail-type"] === INCIDENT_EVENTS[it.detail.status], {
      message: "does not match the incident's status",
    }),
  z.looseObject({
    source: z.literal("aws.cloudwatch"),
    "detail-type": z.literal("CloudWatch Alarm State Change"),
    region: z.string().min(1),
    resources: z.tuple([z.string().min(1)]).rest(z.string()),
    detail: alarm,
  }),
]);

/**
 * Parses the body of a message that EventBridge put into the queue.
 * @throws RelightError `event.invalid` with the faults; never quotes the body.
 */
export function parsePageEvent(body: string): PageEvent {
  const parsed = event.safeParse(parseJson(body));
  if (!parsed.success) throw invalidEvent(parsed.error);
  const { data } = parsed;
  if (data.source === "relight") return { kind: "incident", incident: data.detail };
  const { alarmName: name, state, configuration } = data.detail;
  return {
    kind: "alarm",
    alarm: {
      name,
      arn: data.resources[0],
      region: data.region,
      state: state.value,
      reason: state.reason,
      ...defined({ description: configuration.description }),
      at: epochMillis(Date.parse(state.timestamp)),
    },
  };
}

function invalidEvent(error: z.ZodError): RelightError {
  const faults = error.issues.flatMap(faultsOf);
  const message = `a message of the queue is neither an incident nor an alarm: ${faults.join("; ")}`;
  return new RelightError("event.invalid", message, { details: { faults } });
}

/** The faults of an issue. For a union, those of the most similar kind of event. */
function faultsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const [nearest = []] = [...issue.errors].sort((a, b) => a.length - b.length);
    return nearest.flatMap((inner) => faultsOf({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [`${issue.path.join(".") || "body"}: ${issue.message}`];
}
