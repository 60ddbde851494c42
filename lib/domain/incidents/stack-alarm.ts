import { type EpochMillis, isoTime } from "../time/time.ts";
import type { Incident } from "./incident.ts";

/** A CloudWatch alarm and its new state. */
export interface StackAlarm {
  readonly name: string;
  readonly arn: string;
  readonly region: string;
  readonly state: "ALARM" | "OK" | "INSUFFICIENT_DATA";
  /** CloudWatch's reason for the state. */
  readonly reason: string;
  /** What the alarm means and what to do, as the stack defines it. */
  readonly description?: string;
  readonly at: EpochMillis;
}

/** One incident per alarm. Without the operator's name, because alarms must work if nothing else can be read. */
export const alarmKey = ({ arn }: Pick<StackAlarm, "arn">): string => `relight/${arn}/stack_alarm`;

/**
 * The alarm as an incident. The first line of its description says what it means, the other lines what to do. If it
 * begins with "Warning", the incident is a warning.
 */
export function alarmIncident(alarm: StackAlarm, since: EpochMillis = alarm.at): Incident {
  const { name, arn, state, reason, description = "", at } = alarm;
  const [meaning = "", ...advice] = description
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  return {
    key: alarmKey(alarm),
    status: state === "OK" ? "resolved" : "open",
    failureClass: "stack_alarm",
    account: "-",
    accountName: name,
    severity: /^warning\b/i.test(meaning) ? "warning" : "critical",
    summary: meaning || `the alarm ${name} went off; it has no description`,
    advice: [...advice, `CloudWatch's reason: ${reason || "none"}.`, `See the alarm: ${consoleOf(alarm)}`],
    evidence: { alarm: name, arn, state, reason },
    since: isoTime(since),
    at: isoTime(at),
  };
}

function consoleOf({ region, name }: StackAlarm): string {
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#alarmsV2:alarm/${encodeURIComponent(name)}`;
}
