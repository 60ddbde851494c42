import type { App } from "../lib/compose/compose.ts";
import { shortId } from "../lib/domain/claims/account.ts";
import { retirement } from "../lib/domain/keys/key-rotation.ts";
import { counted } from "../lib/domain/time/text.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import {
  isRetirable,
  planRotation,
  type RotationOrder,
  type RotationPlan,
} from "../lib/usecases/orders/plan-rotation.ts";
import type { Rotation } from "../lib/usecases/orders/rotate-key.ts";
import { colors } from "./colors.ts";
import type { CommandResult } from "./session.ts";

/** `relight rotate-key`: prints the plan; with `--yes` it acts, with `--retire` it says whether the old key may go. */
export interface RotateKeyOptions {
  readonly from: string;
  readonly to: string;
  readonly wave: number;
  readonly includeSystem: boolean;
  readonly retire: boolean;
  readonly yes: boolean;
}

export async function rotateKey(
  app: App,
  options: RotateKeyOptions,
  onProgress: (line: string) => void,
): Promise<CommandResult> {
  const context = await app.context();
  const order = { ...options, configured: app.configured, onProgress };
  const plan = await planRotation(context, order);
  // Nothing was ever signed by a key that was mistyped: that it is unused would mean nothing.
  if (plan.problems.length > 0) return blocked(options.retire ? { ...plan, advice: CHECK_KEYS } : plan);
  if (options.retire) return retire(order, plan);
  if (!options.yes || plan.waves.length === 0) return planned(plan);
  return rotated(plan, await app.rotateKey(order, plan));
}

const CHECK_KEYS = [
  "Compare --from and --to with what `nsc describe operator` lists: while one key goes, both are trusted, and the new one signs.",
];

const jsonOf = ({ advice: todo, ...plan }: RotationPlan, state: string, more: object = {}): object => ({
  state,
  ...plan,
  todo,
  ...more,
});

function blocked(plan: RotationPlan): CommandResult {
  const { problems, advice } = plan;
  return {
    json: jsonOf(plan, "blocked"),
    lines: () => [...problems.map((problem) => `${colors.red("✗")} ${problem}`), "To do:", ...steps(advice)],
    exit: EXIT.critical,
  };
}

function planned(plan: RotationPlan): CommandResult {
  const idle = plan.waves.length === 0;
  const lines = plan.waves.flatMap((wave, index) => [
    colors.bold(`wave ${index + 1}`),
    ...wave.map(({ name, account, streams }) => `  ${name} ${colors.dim(shortId(account))}, streams: ${streams}`),
  ]);
  const next = idle ? ["no account needs a new signature"] : ["", "Nothing was touched; --yes does it."];
  return {
    json: jsonOf(plan, "planned"),
    lines: () => [...lines, ...leftovers(plan), ...next],
    exit: idle && plan.unknown.length === 0 ? EXIT.ok : EXIT.warning,
  };
}

function rotated(plan: RotationPlan, rotation: Rotation): CommandResult {
  const { state, why, accounts, left, error } = rotation;
  const lines = accounts.map(({ name, result, why: because }) => {
    const mark = result === "rotated" ? colors.green("✓") : colors.red("✗");
    return `${mark} ${name}: ${result} (${because})`;
  });
  const more = left > 0 ? [`${counted(left, "account")} left as before; run it again to go on`] : [];
  return {
    json: jsonOf(plan, state, { ...rotation, ...(error === undefined ? {} : { error: error.toJSON() }) }),
    lines: () => [...lines, `${state}: ${why}`, ...more, ...leftovers(plan)],
    exit: exitOf(rotation) || (plan.unknown.length === 0 ? EXIT.ok : EXIT.warning),
  };
}

function exitOf({ state, accounts, error }: Rotation): ExitCode {
  if (state === "interrupted") return EXIT.unknown;
  if (state === "stopped") return error?.exitCode ?? EXIT.critical;
  return accounts.every(({ result }) => result === "rotated") ? EXIT.ok : EXIT.warning;
}

function retire(order: RotationOrder, plan: RotationPlan): CommandResult {
  const { waves, leftOut } = plan;
  const holders = [...waves.flat(), ...leftOut];
  const retirable = isRetirable(plan);
  const advice = retirable ? retirement(order) : [];
  const held = holders.map(({ name, stored, runningOn }) => {
    const places = [...(stored ? ["the resolver"] : []), ...runningOn];
    return `${colors.red("✗")} ${name}: a JWT of the old key's is in ${places.join(", ")}`;
  });
  const unread = plan.unknown.map(({ account, problem }) => `${colors.red("?")} ${account}: ${problem}`);
  const text = retirable
    ? ["Nothing that the resolver holds or a server runs was signed by the old key.", "To do:", ...steps(advice)]
    : [...held, ...unread, "The old key must stay trusted until these are signed with the new one."];
  const state = retirable ? "retirable" : "in-use";
  return {
    json: jsonOf({ ...plan, advice }, state, { holders }),
    lines: () => text,
    exit: retirable ? EXIT.ok : EXIT.warning,
  };
}

function leftovers({ leftOut, unknown }: RotationPlan): string[] {
  return [
    ...leftOut.map(({ name }) => `${name} is the system account: --include-system signs it too, last`),
    ...unknown.map(({ account, problem }) => `${account}: ${problem}`),
  ];
}

const steps = (advice: readonly string[]): string[] => advice.map((step, index) => `  ${index + 1}. ${step}`);
