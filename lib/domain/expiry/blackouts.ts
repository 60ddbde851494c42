import { type EpochMillis, epochMillis } from "../time/time.ts";

export const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/**
 * A weekly time without renewals, in local time. If `to` is not later than `from`, the blackout ends on the next day; it
 * belongs to the day on which it begins.
 */
export interface Blackout {
  readonly days: readonly Weekday[];
  /** Minutes since local midnight. */
  readonly from: number;
  readonly to: number;
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string;
}

/** From `start` (inclusive) to `end` (exclusive). */
export interface Interval {
  readonly start: EpochMillis;
  readonly end: EpochMillis;
}

const MINUTE = 60_000;
const DAY = 86_400_000;

/** Whether the runtime knows this time zone. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** The blackouts within an interval: clipped to it, merged, in order. */
export function blackedOut(blackouts: readonly Blackout[], within: Interval): readonly Interval[] {
  const joined: Interval[] = [];
  const cut = blackouts
    .flatMap((blackout) => occurrences(blackout, within))
    .filter(({ start, end }) => end > within.start && start < within.end)
    .sort((one, other) => one.start - other.start);
  for (const { start, end } of cut) {
    const last = joined.at(-1);
    if (last !== undefined && start <= last.end)
      joined[joined.length - 1] = { ...last, end: epochMillis(Math.max(last.end, end)) };
    else joined.push({ start, end });
  }
  return joined.map(({ start, end }) => ({
    start: epochMillis(Math.max(start, within.start)),
    end: epochMillis(Math.min(end, within.end)),
  }));
}

/** The times within an interval without blackouts, in order. */
export function freeTimes(blackouts: readonly Blackout[], within: Interval): readonly Interval[] {
  const free: Interval[] = [];
  let from = within.start;
  for (const { start, end } of blackedOut(blackouts, within)) {
    if (start > from) free.push({ start: from, end: start });
    from = end;
  }
  if (from < within.end) free.push({ start: from, end: within.end });
  return free;
}

/** The occurrences of a blackout that could overlap `within`. Includes a day before and after because of time zones. */
function occurrences(blackout: Blackout, within: Interval): readonly Interval[] {
  const found: Interval[] = [];
  const last = Math.floor(within.end / DAY) + 1;
  for (let day = Math.floor(within.start / DAY) - 2; day <= last; day++) {
    const weekday = WEEKDAYS[(((day + 4) % 7) + 7) % 7];
    if (weekday !== undefined && blackout.days.includes(weekday)) found.push(occurrence(blackout, day));
  }
  return found;
}

/** Computed occurrences by blackout and day, because time zone queries are slow. */
const KNOWN = new WeakMap<Blackout, Map<number, Interval>>();

function occurrence(blackout: Blackout, day: number): Interval {
  const known = KNOWN.get(blackout) ?? new Map<number, Interval>();
  KNOWN.set(blackout, known);
  const found = known.get(day) ?? workOut(blackout, day);
  known.set(day, found);
  return found;
}

/** @param day days since 1970-01-01 on the calendar there */
function workOut({ from, to, timeZone }: Blackout, day: number): Interval {
  const ends = to > from ? day : day + 1;
  // If clocks are set back, an hour happens twice, and the blackout covers both.
  return {
    start: instants(day * DAY + from * MINUTE, timeZone).first,
    end: instants(ends * DAY + to * MINUTE, timeZone).last,
  };
}

/**
 * The first and the last instant at which local clocks show a time. They differ if the clocks are set back. If the clocks
 * are set forward over the time, both are as long after the change as the time would have been.
 * @param wall the local time as if it were UTC, in milliseconds
 */
function instants(wall: number, timeZone: string): { first: EpochMillis; last: EpochMillis } {
  // No zone changes its offset twice within two days, or by more than a day.
  const before = wall - offset(wall - DAY, timeZone);
  const after = wall - offset(wall + DAY, timeZone);
  const real = [before, after].filter((guess) => guess + offset(guess, timeZone) === wall);
  const found = real.length > 0 ? real : [before];
  return { first: epochMillis(Math.min(...found)), last: epochMillis(Math.max(...found)) };
}

const FORMATS = new Map<string, Intl.DateTimeFormat>();

/** How far local clocks are ahead of UTC, in milliseconds. */
function offset(at: number, timeZone: string): number {
  const format = FORMATS.get(timeZone) ?? newFormat(timeZone);
  FORMATS.set(timeZone, format);
  const name = format.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "";
  const [, sign, hours, minutes = "0", seconds = "0"] = /^GMT([+-])(\d+):(\d+)(?::(\d+))?$/.exec(name) ?? [];
  if (hours === undefined) return 0;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
}

function newFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
}
