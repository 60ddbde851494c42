import { randomUUID } from "node:crypto";
import type { Functions, Run } from "./functions.ts";
import { ACCOUNT, REGION, type Stack } from "./template.ts";

interface Target {
  readonly Arn: string;
  readonly Input?: string;
}
interface ScheduleProperties {
  readonly ScheduleExpression: string;
  readonly State?: string;
  readonly Target: Target;
}
interface RuleProperties {
  readonly ScheduleExpression?: string;
  readonly State?: string;
  readonly Targets?: readonly Target[];
}

/** A scheduled function of the stack. */
export interface Schedule {
  readonly function: string;
  /** `rate(5 minutes)` */
  readonly expression: string;
  /** Starts the function now with the schedule's event. */
  fire(): Run;
}

/** The stack's schedules from EventBridge Scheduler and rules, because moto does not run them. */
export function schedulesOf(stack: Stack, functions: Functions): readonly Schedule[] {
  const schedules = stack
    .resources<ScheduleProperties>("AWS::Scheduler::Schedule")
    .filter(({ properties }) => properties.State !== "DISABLED")
    .map(({ id, properties: { ScheduleExpression: expression, Target: target } }) => ({
      expression,
      target,
      source: "aws.scheduler",
      arn: `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule/default/${id}`,
    }));
  const rules = stack
    .resources<RuleProperties>("AWS::Events::Rule")
    .flatMap(({ id, properties: { ScheduleExpression: expression, State, Targets = [] } }) =>
      expression === undefined || State === "DISABLED"
        ? []
        : Targets.filter(({ Arn }) => Arn.includes(":function:")).map((target) => ({
            expression,
            target,
            source: "aws.events",
            arn: `arn:aws:events:${REGION}:${ACCOUNT}:rule/${id}`,
          })),
    );
  return [...schedules, ...rules].map(({ expression, target, source, arn }) => {
    const name = functions.nameOf(target.Arn);
    return { function: name, expression, fire: () => functions.invoke(name, eventOf(target, source, arn)) };
  });
}

/** Without an input, a schedule sends AWS's event. Scheduler replaces placeholders in an input. */
function eventOf({ Input: input }: Target, source: string, arn: string): unknown {
  const time = `${new Date().toISOString().slice(0, 19)}Z`;
  const id = randomUUID();
  if (input === undefined)
    return {
      version: "0",
      id,
      "detail-type": "Scheduled Event",
      source,
      account: ACCOUNT,
      time,
      region: REGION,
      resources: [arn],
      detail: source === "aws.scheduler" ? "{}" : {},
    };
  const filled = input
    .replaceAll("<aws.scheduler.scheduled-time>", time)
    .replaceAll("<aws.scheduler.schedule-arn>", arn)
    .replaceAll("<aws.scheduler.execution-id>", id)
    .replaceAll("<aws.scheduler.attempt-number>", "1");
  return JSON.parse(filled);
}
