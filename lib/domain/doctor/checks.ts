import type { Evidence } from "../observation/observation.ts";
import { shellWord } from "../time/text.ts";
import { CHECKS, type CheckCode, type CheckKind, SEVERITIES, type Severity } from "./check-codes.ts";

/** What a check is about. The account is what people type for it. */
export interface CheckSubject {
  readonly account?: string;
  readonly server?: string;
  readonly stream?: string;
  readonly consumer?: string;
  readonly domain?: string;
  readonly leafnode?: string;
}

/** Something that one look saw and that a person should know. It changes no verdict. */
export interface Check {
  readonly code: CheckCode;
  readonly severity: Severity;
  readonly about: CheckSubject;
  readonly message: string;
  /** Numbers and limits, by the keys of the code's table. */
  readonly evidence: Evidence;
  readonly advice: string;
}

/** At and above this share of a limit it is near. */
export { NEAR } from "../limits/limit-usage.ts";

export function check(code: CheckCode, about: CheckSubject, message: string, evidence: Evidence): Check {
  const { severity, advice }: CheckKind = CHECKS[code];
  return { code, severity, about, message, evidence, advice: adviceFor(advice, about) };
}

const PLACES = { ACCOUNT: "account", SERVER: "server", STREAM: "stream", CONSUMER: "consumer" } as const;

/** With the names of what it is about. */
function adviceFor(advice: string, about: CheckSubject): string {
  return advice.replace(/\b(ACCOUNT|SERVER|STREAM|CONSUMER)\b/g, (place) => {
    const name = about[PLACES[place as keyof typeof PLACES]];
    return name === undefined ? place : shellWord(name);
  });
}

/** Most severe first, otherwise as they are. */
export const bySeverity = (checks: readonly Check[]): readonly Check[] =>
  SEVERITIES.flatMap((severity) => checks.filter((one) => one.severity === severity));

/** Those of a second look, of which critical ones count only if the first look had them, too. */
export function confirmed(first: readonly Check[], second: readonly Check[]): readonly Check[] {
  const before = new Set(first.map(keyOf));
  return second.filter((one) => one.severity !== "critical" || before.has(keyOf(one)));
}

/** The check's identity from look to look, without what may change in between. */
const keyOf = ({ code, about, evidence }: Check): string =>
  JSON.stringify([code, about, evidence["exporter"], evidence["subject"], evidence["type"]]);

/** What it is about, for people: `APP: ORDERS > worker`, `server s1`. */
export function describeCheckSubject({ account, server, stream, consumer, domain, leafnode }: CheckSubject): string {
  const asset = [stream, consumer].filter((part) => part !== undefined).join(" > ");
  const place = [leafnode && `leafnode ${leafnode}`, domain && `domain ${domain}`, server && `server ${server}`];
  return [account, asset, ...place].filter(Boolean).join(", ") || "the cluster";
}
