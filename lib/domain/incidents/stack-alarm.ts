import { type EpochMillis, isoTime } from "../time/time.ts";
import type { Incident } from "./incident.ts";

/** An alarm of CloudWatch, and the state that it came to. */
export interface StackAlarm {
  readonly name: string;
  readonly arn: string;
  readonly region: string;
  readonly state: "ALARM" | "OK" | "INSUFFICIENT_DATA";
  /** Why, in CloudWatch's words. */
  readonly reason: string;
  /** What it means and what is to be done: the stack says so where it makes the alarm. */
  readonly description?: string;
  readonly at: EpochMillis;
}

/** One incident per alarm; no operator is asked, since an alarm must be told though nothing else can be read. */
export const alarmKey = ({ arn }: Pick<StackAlarm, "arn">): string => `relight/${arn}/stack_alarm`;

/**
 * What a person is told about the alarm. The first line of its description is what it means, each further line what
 * to do; one that begins with "Warning" wakes nobody.
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
    summary: meaning || `the alarm ${name} went off, and says no more of itself`,
    advice: [...advice, `CloudWatch says: ${reason || "nothing"}.`, `Look at the alarm: ${consoleOf(alarm)}`],
    evidence: { alarm: name, arn, state, reason },
    since: isoTime(since),
    at: isoTime(at),
  };
}

function consoleOf({ region, name }: StackAlarm): string {
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#alarmsV2:alarm/${encodeURIComponent(name)}`;
}
