import type { App } from "../lib/compose/compose.ts";
import type { LimitName, LimitRequest } from "../lib/domain/limits/limit-changes.ts";
import { EXIT } from "../lib/errors.ts";
import { type LimitOrder, type LimitPlan, planLimits } from "../lib/usecases/orders/plan-limits.ts";
import { changesJson, renderChanges } from "./changes.ts";
import { colors } from "./colors.ts";
import { remediated } from "./commands.ts";
import type { CommandResult, Console } from "./session.ts";

/** `relight jetstream enable|limits ACCOUNT`: gives an account JetStream, or changes what it has of it. */
export type JetStreamOptions = {
  -readonly [name in LimitName]?: LimitRequest[name];
} & {
  readonly tier?: string;
  readonly toTiers?: readonly string[];
  readonly restartFollows: boolean;
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly yes: boolean;
};

/** Runs `relight jetstream enable|limits` to its end. */
export async function changeJetStream(
  app: App,
  console: Console,
  action: LimitOrder["action"],
  name: string,
  { dryRun, force, yes, restartFollows, ...rest }: JetStreamOptions,
): Promise<CommandResult> {
  const context = await app.context();
  const account = await app.findAccount(name);
  const order: LimitOrder = { account, action, request: rest, force, restartFollows };
  const plan = await planLimits(context, order);
  const isRefused = plan.refusals.length > 0 || (!force && plan.objections.length > 0);
  if (dryRun || (plan.changes.length === 0 && !isRefused)) {
    const exit = isRefused ? EXIT.critical : EXIT.ok;
    return { json: planJson(account, plan), lines: () => renderLimitPlan(name, plan, force), exit };
  }
  const what = `changing the JetStream limits of ${name}`;
  if (!isRefused && !yes && !(await console.confirm(renderLimitPlan(name, plan, force), what)))
    return { json: planJson(account, plan), lines: () => ["nothing was changed"], exit: EXIT.ok };
  return remediated(await app.changeLimits(order));
}

function planJson(account: string, { changes, refusals, objections, movesStreams }: LimitPlan): object {
  return { account, changed: false, changes: changesJson(changes), refusals, objections, movesStreams };
}

const MOVING =
  "servers refuse messages to all streams (10120) from the push until Relight has updated each of them, seconds later";

function renderLimitPlan(
  name: string,
  { changes, refusals, objections, movesStreams }: LimitPlan,
  force: boolean,
): string[] {
  const nothing = changes.length === 0 && refusals.length === 0;
  const forced = force ? colors.yellow("! forced") : colors.red("✗ refused, unless --force");
  return [
    `${colors.bold(name)}: ${nothing ? "its limits are so already" : "its claims would change"}`,
    ...renderChanges(changes),
    ...refusals.map((why) => `  ${colors.red("✗ refused")}: ${why}`),
    ...objections.map((why) => `  ${forced}: ${why}`),
    ...(movesStreams ? [`  ${colors.yellow("!")} ${MOVING}`] : []),
  ];
}
