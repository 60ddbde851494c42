import { SEVERITIES, type Severity } from "../lib/domain/doctor/check-codes.ts";
import { type Check, describeCheckSubject } from "../lib/domain/doctor/checks.ts";
import { colors } from "./colors.ts";

/** What people read of checks: grouped by severity, with advice, and never more than fit on a screen. */

/** Checks of one severity that are shown. */
const SHOWN = 10;

const HEADS: Readonly<Record<Severity, string>> = {
  critical: colors.red("✗ critical"),
  warning: colors.yellow("! warning"),
  info: colors.dim("· info"),
};

export function renderChecks(checks: readonly Check[]): readonly string[] {
  return SEVERITIES.flatMap((severity) => {
    const found = checks.filter((one) => one.severity === severity);
    if (found.length === 0) return [];
    const shown = found.slice(0, SHOWN);
    const more = found.length - shown.length;
    return [
      HEADS[severity],
      ...shown.flatMap((one, index) => renderCheck(one, shown[index + 1])),
      ...(more > 0 ? [colors.dim(`    and ${more} more: --json has all`)] : []),
    ];
  });
}

/** The same advice once below all that follow each other. */
function renderCheck({ code, about, message, advice }: Check, next: Check | undefined): readonly string[] {
  const line = `    ${describeCheckSubject(about)}: ${message} ${colors.dim(`[${code}]`)}`;
  return next?.advice === advice ? [line] : [line, colors.dim(`      ${advice}`)];
}
