import { shellWord } from "../time/text.ts";
import { type EpochMillis, isoTime } from "../time/time.ts";
import { CLASS_TEXTS } from "./classes.ts";
import type { Incident } from "./incident.ts";
import { spokenDuration } from "./page-end.ts";

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
  const { name, arn, state, reason, region, description = "", at } = alarm;
  const [meaning = "", ...advice] = description
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
  const { impact, end } = CLASS_TEXTS.stack_alarm;
  const problem = meaning || `the alarm ${name} went off; it has no description`;
  const times = { since: isoTime(since), at: isoTime(at) };
  const text =
    state === "OK"
      ? { summary: `${end} after ${spokenDuration(times)}`, was: problem, advice: [] }
      : {
          summary: problem,
          also: [`CloudWatch's reason: ${reason || "none"}`],
          impact,
          ...(since === at ? ({ first: true } as const) : {}),
          advice: [...advice, `See the alarm: ${consoleOf(alarm)}`],
          command: `aws cloudwatch describe-alarms --region ${shellWord(region)} --alarm-names ${shellWord(name)}`,
        };
  return {
    key: alarmKey(alarm),
    status: state === "OK" ? "resolved" : "open",
    failureClass: "stack_alarm",
    account: "-",
    accountName: name,
    severity: /^warning\b/i.test(meaning) ? "warning" : "critical",
    ...text,
    evidence: { alarm: name, arn, state, reason },
    ...times,
  };
}

function consoleOf({ region, name }: StackAlarm): string {
  return `https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#alarmsV2:alarm/${encodeURIComponent(name)}`;
}
