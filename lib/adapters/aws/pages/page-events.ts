import * as z from "zod";
import { isAccountId } from "../../../domain/claims/account.ts";
import type { FailureClass, Incident } from "../../../domain/incidents/incident.ts";
import type { StackAlarm } from "../../../domain/incidents/stack-alarm.ts";
import { defined } from "../../../domain/time/defined.ts";
import { isJsonObject, type JsonObject, parseJson } from "../../../domain/time/json.ts";
import { epochMillis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";

/** What a message in the queue of pages tells of. */
export type PageEvent =
  | { readonly kind: "incident"; readonly incident: Incident }
  | { readonly kind: "alarm"; readonly alarm: StackAlarm };

const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), { message: "is not a time" });

/** Unknown keys are let through: a page of a newer version is better told in part than not at all. */
const incident = z.looseObject({
  key: z.string().min(1),
  status: z.enum(["open", "resolved"]),
  // A newer version may call people for more than this one knows.
  failureClass: z.custom<FailureClass>((value) => typeof value === "string" && value !== "", "is no class"),
  account: z.union([
    z.literal("-"),
    z.string().refine(isAccountId, { message: "is not an account's public key" }),
  ]),
  accountName: z.string(),
  severity: z.enum(["warning", "critical"]),
  summary: z.string(),
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
      message: "its type is not its status",
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
 * The event in the body of a message, as EventBridge puts it into a queue.
 * @throws RelightError `event.invalid` with what it claims to be; it never quotes the body.
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

/** Of a union, those of the kind of event that came nearest. */
function faultsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const [nearest = []] = [...issue.errors].sort((a, b) => a.length - b.length);
    return nearest.flatMap((inner) => faultsOf({ ...inner, path: [...issue.path, ...inner.path] }));
  }
  return [`${issue.path.join(".") || "body"}: ${issue.message}`];
}
