import type { App } from "../lib/compose/compose.ts";
import { shortId } from "../lib/domain/claims/account.ts";
import { type Calendar, type ComingRenewal, calendar } from "../lib/domain/expiry/calendar.ts";
import { epochMillis, isoTime, type Millis } from "../lib/domain/time/time.ts";
import { EXIT } from "../lib/errors.ts";
import { schedule, type UnknownAccount } from "../lib/usecases/reports/schedule.ts";
import { colors } from "./colors.ts";
import type { CommandResult } from "./session.ts";
import { minute, tableOf } from "./table.ts";

/** `plan --until`: the renewals to come, and the storms among them. Looks at claims only, not at JetStream. */

export interface CalendarOptions {
  readonly until: Millis;
  /** How many renewals within an hour are a storm, if there are more. */
  readonly storm: number;
}

export async function planUntil(
  app: App,
  account: string | undefined,
  { until, storm }: CalendarOptions,
): Promise<CommandResult> {
  const context = await app.context();
  const { accounts, unknown } = await schedule(context, await app.accounts(account));
  const now = context.clock.now();
  const found = calendar(accounts, { now, until: epochMillis(now + until), storm });
  const isCalm = found.storms.length === 0 && unknown.length === 0;
  return {
    json: { ...toJson(found), unknown },
    lines: () => render(found, unknown, storm),
    exit: isCalm ? EXIT.ok : EXIT.warning,
  };
}

function toJson({ days, storms }: Calendar): object {
  return {
    days: days.map(({ day, renewals }) => ({
      day,
      renewals: renewals.map(({ at, expiresAt, ...rest }) => {
        return { at: isoTime(at), expiresAt: isoTime(expiresAt), ...rest };
      }),
    })),
    storms: storms.map(({ from, until, ...rest }) => ({
      from: isoTime(from),
      until: isoTime(until),
      ...rest,
    })),
  };
}

function render({ days, storms }: Calendar, unknown: readonly UnknownAccount[], most: number): string[] {
  const rows = days.flatMap(({ day, renewals }) =>
    renewals.map((renewal, index) => cells(index === 0 ? day : "", renewal)),
  );
  return [
    ...(days.length === 0 ? ["no renewals"] : tableOf(HEAD, rows)),
    ...storms.map(
      ({ from, until, perHour, accounts }) =>
        `${colors.yellow("!")} a renewal storm from ${minute(from)} to ${minute(until)}: ${accounts.length} accounts, up to ${perHour} within an hour (more than ${most})`,
    ),
    ...unknown.map(({ name, problem }) => `${colors.magenta("?")} ${name}: ${problem}`),
  ];
}

const HEAD = ["DAY", "TIME (UTC)", "NAME", "ACCOUNT", "EXPIRES", ""];

const NOTES = {
  renewal: "",
  projected: "about then",
  manual: "by hand, by then",
} as const;

function cells(day: string, { at, name, account, expiresAt, kind, inBlackout }: ComingRenewal): string[] {
  const note = [NOTES[kind], inBlackout ? "in a blackout" : ""].filter(Boolean).join(", ");
  return [day, isoTime(at).slice(11, 16), name, shortId(account), minute(expiresAt), note];
}
