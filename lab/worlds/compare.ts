import type { Observed } from "./judge-tools.ts";
import type { Finding, Health, Said } from "./product.ts";

/** Where Relight and the judge disagree. */
export interface Disagreement {
  readonly kind: Kind;
  /** Which command's answer is wrong: before the damage, after it, of heal, or after heal. */
  readonly at: string;
  readonly stream?: string;
  readonly consumer?: string;
  /** One line. */
  readonly what: string;
}

export type Kind =
  /** Healthy, and something does not work. */
  | "false-healthy"
  /** Not healthy, and something does not work that no finding is about. */
  | "missed"
  /** A finding says dead, and it works. */
  | "false-dead"
  /** Unknown several times, and everything works. */
  | "unknown"
  /** Heal says healed or healthy, and something does not work. */
  | "wrongly-healed"
  /** Something worked before heal and does not any more. */
  | "harm"
  /** Something was there before heal, is gone, and is not reported. */
  | "loss"
  /** An error of Relight's own, no JSON, or a time-out. */
  | "crash"
  /** A server ended by itself while Relight worked. */
  | "panic"
  /** The exit code does not belong to the verdict. */
  | "exit";

const EXITS: Readonly<Record<Health, number>> = { healthy: 0, degraded: 1, dead: 2, unknown: 3 };

/** What is wrong with an answer whatever the world is like. */
export function faultsOf(at: string, { answer, exit, noise }: Said): readonly Disagreement[] {
  const { error, verdict } = answer;
  if (error !== undefined && error.code !== "internal") return [];
  if (error !== undefined) return [{ kind: "crash", at, what: error.message }];
  if (verdict === undefined) return [{ kind: "crash", at, what: `exit ${exit}: ${(noise ?? "").split("\n")[0]}` }];
  const wanted = answer.outcome === "looked" && verdict === "healthy" ? 1 : EXITS[verdict];
  return exit === wanted ? [] : [{ kind: "exit", at, what: `${verdict}, but exit code ${exit}` }];
}

const isBad = ({ state }: Observed): boolean => state === "fails" || state === "partly";

const named = ({ stream, consumer, use, why }: Observed): string =>
  `${[stream, consumer].filter(Boolean).join(" > ") || "the account"}: ${use}: ${why ?? "works"}`;

/**
 * Compares a verdict with what the judge saw. Degraded and unknown verdicts are honest if a finding is about what does not
 * work.
 */
export function compare(at: string, { answer }: Said, observed: readonly Observed[]): readonly Disagreement[] {
  const { verdict, findings = [] } = answer;
  if (verdict === undefined) return [];
  const bad = observed.filter(isBad);
  if (verdict === "healthy") return bad.map((one) => disagreement("false-healthy", at, one));
  const missed = bad.filter((one) => !findings.some((finding) => isAbout(finding, one)));
  const wrong = findings.filter((finding) => finding.health === "dead").filter((finding) => works(finding, observed));
  const isUnknown = verdict === "unknown" && bad.length === 0;
  return [
    ...missed.map((one) => disagreement("missed", at, one)),
    ...wrong.map(({ code, message, subject }) => ({
      kind: "false-dead" as const,
      at,
      ...(subject.stream === undefined ? {} : { stream: subject.stream }),
      ...(subject.consumer === undefined ? {} : { consumer: subject.consumer }),
      what: `${code}: ${message}`,
    })),
    ...(isUnknown ? [{ kind: "unknown" as const, at, what: reasonsOf(findings) }] : []),
  ];
}

const reasonsOf = (findings: readonly Finding[]): string =>
  findings
    .filter(({ health }) => health === "unknown")
    .map(({ code, message }) => `${code}: ${message}`)
    .slice(0, 2)
    .join("; ");

export function disagreement(kind: Kind, at: string, one: Observed): Disagreement {
  return {
    kind,
    at,
    ...(one.stream === undefined ? {} : { stream: one.stream }),
    ...(one.consumer === undefined ? {} : { consumer: one.consumer }),
    what: named(one),
  };
}

/** A finding about no stream is about the whole account. One about a stream is about its consumers, too. */
function isAbout({ subject }: Finding, { stream, consumer }: Observed): boolean {
  if (subject.stream === undefined) return true;
  if (subject.stream !== stream) return false;
  return subject.consumer === undefined || subject.consumer === consumer;
}

/**
 * Whether the judge used what the finding is about, and all of it works. What is gone is compared with what the servers
 * hold, not here.
 */
function works({ code, subject }: Finding, observed: readonly Observed[]): boolean {
  if (code === "asset.lost") return false;
  const about = observed.filter(
    ({ stream, consumer }) =>
      subject.stream === undefined || (stream === subject.stream && consumer === subject.consumer),
  );
  // A copy of an origin that takes nothing can't be tested.
  const isTested = !about.some(({ state, use }) => state === "untestable" && use.startsWith("follow "));
  return isTested && about.some(({ state }) => state === "works") && !about.some(isBad);
}

/** Those that both looks found: what passes is no disagreement. */
export function confirmed(first: readonly Disagreement[], second: readonly Disagreement[]): readonly Disagreement[] {
  return second.filter((one) => first.some((other) => keyOf(other) === keyOf(one)));
}

/** What makes two disagreements the same. */
export const keyOf = ({ kind, stream, consumer }: Disagreement): string => [kind, stream, consumer].join(" ");
