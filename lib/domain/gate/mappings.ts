import type { AccountClaims } from "../claims/claims.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { doOverlap, subjectProblem } from "./subjects.ts";

/** One destination in an account's `mappings`: messages to `from` go to `to`. */
export interface Mapping {
  readonly from: string;
  readonly to: string;
  readonly weight: number;
  readonly cluster: string;
}

function mappingsOf({ nats }: AccountClaims): readonly Mapping[] {
  const { mappings } = nats;
  if (!isJsonObject(mappings)) return [];
  return Object.entries(mappings as JsonObject).flatMap(([from, ways]) =>
    // Go reads null as an empty destination.
    (Array.isArray(ways) ? ways : [])
      .map((it: Json) => (isJsonObject(it) ? it : {}))
      .map((way: JsonObject) => ({
        from,
        to: textOf(way["subject"]),
        // To servers, a missing weight is 100.
        weight: Number(way["weight"] ?? 0) || 100,
        cluster: textOf(way["cluster"]),
      })),
  );
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** What servers refuse or silently drop in an account's mappings. */
export function mappingProblems(claims: AccountClaims): readonly string[] {
  const mappings = mappingsOf(claims);
  const { mappings: all } = claims.nats;
  const froms = isJsonObject(all) ? Object.keys(all) : [];
  return [
    ...froms.flatMap((from) => subjectProblem(from) ?? []).map((problem) => `nats.mappings: ${problem}`),
    ...mappings.flatMap(({ from, to }) => {
      const where = `the mapping of ${JSON.stringify(from)} to ${JSON.stringify(to)}`;
      const problem = subjectProblem(to) ?? mismatch(from, to) ?? functionProblem(from, to);
      return problem === undefined ? [] : [`${where}: ${problem}`];
    }),
    ...froms
      .filter((from) => isOverfull(mappings, from))
      .map((from) => `the weights of the mapping of ${JSON.stringify(from)} add up to more than 100`),
  ];
}

function mismatch(from: string, to: string): string | undefined {
  const isOpen = (subject: string): boolean => subject.split(".").at(-1) === ">";
  if ([from, to].some((subject) => subject.split(".").slice(0, -1).includes(">"))) return "a > is not at the end";
  if (/\s/.test(`${from}${to}`)) return "it contains whitespace";
  if (to.split(".").includes("*")) return "the destination contains *; refer to the wildcard by its number ($1)";
  return isOpen(from) === isOpen(to) ? undefined : "only one of the two ends in >";
}

/** The functions that servers know, with the minimum and maximum number of arguments. */
const FUNCTIONS: readonly (readonly [RegExp, number, number])[] = [
  [/^[wW]ildcard$/, 1, 1],
  [/^[pP]artition$/, 1, Number.POSITIVE_INFINITY],
  [/^[rR]andom$/, 1, 1],
  [/^[sS](?:plit|lice)[fF]rom(?:[lL]eft|[rR]ight)$/, 2, 2],
  [/^[sS]plit$|^[lL]eft$|^[rR]ight$/, 2, 2],
];
const NEED_NO_WILDCARD = /^([pP]artition|[rR]andom)$/;

/** Why a server can't use a destination: an unknown function, a wrong number of arguments, or a missing wildcard. */
function functionProblem(from: string, to: string): string | undefined {
  const sources = from.split(".");
  const wildcards = sources.filter((token) => token === "*").length;
  const isLiteral = wildcards === 0 && sources.at(-1) !== ">";
  for (const token of to.split(".")) {
    const call = callIn(token);
    if (call === undefined) continue;
    const { name, args } = call;
    const known = FUNCTIONS.find(([pattern]) => pattern.test(name));
    if (known === undefined) return `${token} is not a function that servers know`;
    if (args.length < known[1] || args.length > known[2] || args.some((it) => it.trim() === ""))
      return `${token} has the wrong number of arguments`;
    const isMissing = indicesOf(name, args).some(
      (index) => !/^\s*[+-]?\d+\s*$/.test(index) || Number(index) > wildcards,
    );
    if (isLiteral ? !NEED_NO_WILDCARD.test(name) : isMissing)
      return `${token} refers to a wildcard that does not exist`;
  }
  return undefined;
}

/** `$1` is short for `{{wildcard(1)}}`. */
function callIn(token: string): { readonly name: string; readonly args: readonly string[] } | undefined {
  const [, index] = /^\$([+-]?\d+)$/.exec(token) ?? [];
  if (index !== undefined) return { name: "wildcard", args: [index] };
  if (token.length <= 4 || !token.startsWith("{{") || !token.endsWith("}}")) return undefined;
  const [, name = "", args = ""] = /^\{\{\s*(\w*)\s*\((.*)\)\s*\}\}$/.exec(token) ?? [];
  return { name, args: args.split(",") };
}

const indicesOf = (name: string, args: readonly string[]): readonly string[] =>
  NEED_NO_WILDCARD.test(name) ? args.slice(1) : args.slice(0, 1);

function isOverfull(mappings: readonly Mapping[], from: string): boolean {
  const weights = new Map<string, number>();
  for (const it of mappings) if (it.from === from) weights.set(it.cluster, (weights.get(it.cluster) ?? 0) + it.weight);
  return [...weights.values()].some((sum) => sum > 100);
}

/** Functions with which a server divides by the first number, or draws a random number below it. */
const COUNTING = /\{\{\s*(?:partition|random)\s*\(\s*([^,)]*)/i;
const MOST_INT32 = 2_147_483_647;

/**
 * Mappings with a function whose count is not positive, such as `{{partition(0,1)}}`: the first message to one makes the
 * server panic (integer divide by zero; tested on 2.10.27, also after each restart; not on 2.15.1).
 */
export function crashingMappings(claims: AccountClaims): readonly Mapping[] {
  return mappingsOf(claims).filter(({ to }) =>
    to.split(".").some((token) => {
      const [, count] = COUNTING.exec(token) ?? [];
      if (count === undefined) return false;
      const number = Number(count);
      return !(number >= 1 && number <= MOST_INT32);
    }),
  );
}

/** The mappings that redirect messages for `subject`. */
export function mappingsOver(claims: AccountClaims, subject: string): readonly Mapping[] {
  return mappingsOf(claims).filter(({ from, to }) => doOverlap(from, subject) && to !== from);
}
