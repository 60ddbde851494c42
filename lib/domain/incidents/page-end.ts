import type { Incident } from "./incident.ts";
import type { Delivery } from "./unknown-period.ts";

/** What became of a job's page. `sent_before`: the same was sent before, at `at`, and it is too early to repeat it. */
export interface PageEnd {
  readonly delivery: Delivery | "sent_before";
  /** When the last page about it was sent; ISO 8601, UTC. */
  readonly at?: string;
}

/** Whether a person was called about what is wrong now. */
export const wasCalled = ({ delivery }: PageEnd): boolean => delivery === "delivered" || delivery === "sent_before";

/** For people: "a page was sent". */
export function describePage({ delivery, at }: PageEnd): string {
  switch (delivery) {
    case "delivered":
      return "a page was sent";
    case "sent_before":
      return at === undefined ? "a page was sent before" : `a page was sent at ${clock(at)}`;
    case "undeliverable":
      return "nobody was called: no channel accepted the page";
    case "logged":
      return "nobody was called: no escalation is configured";
    case "waiting":
      return "nobody is called yet, because it may pass (escalation.unknownAfter)";
  }
}

/** `2030-01-01 00:00 UTC` */
export const clock = (iso: string): string => `${iso.slice(0, 16).replace("T", " ")} UTC`;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long an incident has lasted, as people say it: `42 s`, `12 min`, `3 h 5 min`, `2 days 4 h`. */
export function spokenDuration({ since, at }: Pick<Incident, "since" | "at">): string {
  const length = Math.max(0, Date.parse(at) - Date.parse(since)) || 0;
  if (length < MINUTE) return `${Math.round(length / 1000)} s`;
  const [days, hours, minutes] = [
    Math.floor(length / DAY),
    Math.floor((length % DAY) / HOUR),
    Math.floor((length % HOUR) / MINUTE),
  ];
  const parts =
    days > 0
      ? [`${days} ${days === 1 ? "day" : "days"}`, hours > 0 ? `${hours} h` : ""]
      : [hours > 0 ? `${hours} h` : "", minutes > 0 ? `${minutes} min` : ""];
  return parts.filter(Boolean).join(" ");
}
