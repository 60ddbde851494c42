import { defined } from "../time/defined.ts";
import type { JsonObject } from "../time/json.ts";
import { FAILURE_CLASSES, type FailureClass } from "./classes.ts";
import type { Incident } from "./incident.ts";

/** Something that a person is paged about. */
export interface Trouble {
  readonly failureClass: FailureClass;
  readonly severity: Incident["severity"];
  /** The account's name, if it may be known from nowhere else. */
  readonly name?: string;
  readonly summary: string;
  /** More of what is wrong, such as a known cause. */
  readonly also?: readonly string[];
  /** What users notice; by default what the class says. */
  readonly impact?: string;
  readonly advice: readonly string[];
  /** The arguments of `relight` for the page's command; by default the class's. See `page-command.ts`. */
  readonly command?: readonly string[];
  readonly evidence: JsonObject;
  /** Distinguishes failures of the same class; if it changes, a page is sent at once. */
  readonly about?: string;
  /** When it began, if that is known to be earlier; ISO 8601, UTC. */
  readonly since?: string;
  /**
   * `until-it-lasts`: only a missing answer, so page once it has lasted (`unknownAfter`). `not-at-all`, the default: a
   * certain fault, or one that can't wait.
   */
  readonly waits?: "until-it-lasts" | "not-at-all";
  /** Whether to page again and again until it is over; by default yes. */
  readonly repeats?: boolean;
}

/** Classes that no longer apply. */
export interface Ended {
  readonly which: (failureClass: FailureClass) => boolean;
  /** How it ended, for people, to follow the account's name; by default what the class says. */
  readonly because?: string;
}

/** What a job found about its account so far. At its end a person gets one page about all of it. */
export interface PageDraft {
  readonly troubles: Trouble[];
  readonly ended: Ended[];
}

/** Everything that is wrong at one time with one account: one page. */
export interface Outage extends Trouble {
  /** The classes of all troubles, the worst first. */
  readonly classes: readonly FailureClass[];
  readonly also: readonly string[];
}

/** What a class makes needless to say. */
const IMPLIES: Readonly<Partial<Record<FailureClass, readonly FailureClass[]>>> = {
  account_deleted: ["expiry_near", "expiry_imminent", "renewal_failed", "degraded", "unknown"],
  account_expired: ["expiry_near", "expiry_imminent", "jetstream_dead", "degraded", "unknown"],
  jetstream_dead: ["degraded", "unknown"],
  journal_unproved: ["degraded"],
  expiry_imminent: ["expiry_near"],
};

/** Makes one page of all that a job found wrong with its account: about the worst of it, with the rest beside it. */
export function outageOf(first: Trouble, ...others: readonly Trouble[]): Outage {
  const [main = first, ...rest] = [first, ...others].sort(byWeight);
  const implied = new Set([main, ...rest].flatMap(({ failureClass }) => IMPLIES[failureClass] ?? []));
  const said = rest.filter(({ failureClass }) => !implied.has(failureClass));
  const beside = said.filter(({ failureClass }) => failureClass !== main.failureClass);
  const classes = [...new Set([main, ...rest].map(({ failureClass }) => failureClass))];
  const also = [...(main.also ?? []), ...beside.map(({ summary }) => summary)];
  const evidence = beside.map((other) => ({ failureClass: other.failureClass, evidence: other.evidence }));
  const about = [...(main.about === undefined ? [] : [main.about]), ...beside.map(({ failureClass }) => failureClass)];
  return {
    ...main,
    ...defined({ impact: [main, ...beside].find(({ impact }) => impact !== undefined)?.impact }),
    classes,
    also: [...new Set(also)].filter((line) => line !== main.summary),
    advice: [...new Set([main, ...said].flatMap(({ advice }) => advice))],
    evidence: evidence.length === 0 ? main.evidence : { ...main.evidence, also: evidence },
    ...(about.length === 0 ? {} : { about: about.join(" + ") }),
    repeats: [main, ...rest].some(({ repeats = true }) => repeats),
  };
}

/** Missing answers last: whatever is certain says more. */
function byWeight(one: Trouble, other: Trouble): number {
  const weight = ({ waits, severity, failureClass }: Trouble): number =>
    (waits === "until-it-lasts" ? 1_000 : 0) +
    (severity === "critical" ? 0 : 100) +
    FAILURE_CLASSES.indexOf(failureClass);
  return weight(one) - weight(other);
}
