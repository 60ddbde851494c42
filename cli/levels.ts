import type { Health } from "../lib/domain/verdict/verdict.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import { colors } from "./colors.ts";

/** How bad something is: what monitors read from the exit code, and people from the color. */
export const EXIT_OF: Readonly<Record<Health, ExitCode>> = {
  healthy: EXIT.ok,
  degraded: EXIT.warning,
  dead: EXIT.critical,
  unknown: EXIT.unknown,
};

export const PAINT: Readonly<Record<ExitCode, (text: string) => string>> = {
  [EXIT.ok]: colors.green,
  [EXIT.warning]: colors.yellow,
  [EXIT.critical]: colors.red,
  [EXIT.unknown]: colors.magenta,
};

/** A journal that somebody else wrote to may have any word for the health. */
export const paint = (health: Health, text: string = health): string => PAINT[EXIT_OF[health]]?.(text) ?? text;

/** Critical outranks unknown, unknown outranks a warning. */
export function worstExit(exits: readonly ExitCode[]): ExitCode {
  const order = [EXIT.critical, EXIT.unknown, EXIT.warning];
  return order.find((exit) => exits.includes(exit)) ?? EXIT.ok;
}
