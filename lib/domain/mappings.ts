import type { AccountClaims } from "./claims.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";
import { doMeet, subjectProblem } from "./subjects.ts";

/** One way of an account's `mappings`: messages to `from` go to `to`. */
export interface Mapping {
  readonly from: string;
  readonly to: string;
  readonly weight: number;
  readonly cluster: string;
}

export function mappingsOf({ nats }: AccountClaims): readonly Mapping[] {
  const { mappings } = nats;
  if (!isJsonObject(mappings)) return [];
  return Object.entries(mappings as JsonObject).flatMap(([from, ways]) =>
    (Array.isArray(ways) ? ways : []).filter(isJsonObject).map((way: JsonObject) => ({
      from,
      to: textOf(way["subject"]),
      // To servers no weight is all of it.
      weight: Number(way["weight"] ?? 0) || 100,
      cluster: textOf(way["cluster"]),
    })),
  );
}

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");

/** What servers refuse, or drop without a word, in an account's mappings. */
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
      .map((from) => `the weights of the mapping of ${JSON.stringify(from)} are more than 100`),
  ];
}

function mismatch(from: string, to: string): string | undefined {
  const isOpen = (subject: string): boolean => subject.split(".").at(-1) === ">";
  if (to.split(".").includes("*")) return "a * is no place to send to; name it by its number ($1)";
  return isOpen(from) === isOpen(to) ? undefined : "only one of the two ends in >";
}

const FUNCTIONS = [
  ...["wildcard", "partition", "random", "split", "left", "right"],
  ...["splitfromleft", "splitfromright", "slicefromleft", "slicefromright"],
];

/** Servers know some functions, and their wildcards are numbered from the left. */
function functionProblem(from: string, to: string): string | undefined {
  const wildcards = from.split(".").filter((token) => token === "*").length;
  for (const token of to.split(".")) {
    const [, name = "", args = ""] = /^\{\{\s*(\w*)\s*\((.*)\)\s*\}\}$/.exec(token) ?? [];
    const isCall = token.startsWith("{{") && token.endsWith("}}");
    if (isCall && !FUNCTIONS.includes(name.toLowerCase())) return `${token} is no function that servers know`;
    const known = isCall ? indicesOf(name.toLowerCase(), args.split(",")) : [/^\$(\d+)$/.exec(token)?.[1]];
    if (known.some((index) => Number(index ?? 0) > wildcards))
      return `${token} names a wildcard that is not there`;
  }
  return undefined;
}

function indicesOf(name: string, args: readonly string[]): readonly string[] {
  if (name === "random") return [];
  return name === "partition" ? args.slice(1) : args.slice(0, 1);
}

function isOverfull(mappings: readonly Mapping[], from: string): boolean {
  const weights = new Map<string, number>();
  for (const it of mappings)
    if (it.from === from) weights.set(it.cluster, (weights.get(it.cluster) ?? 0) + it.weight);
  return [...weights.values()].some((sum) => sum > 100);
}

/** The functions whose first number a server divides by, or takes a random number below. */
const COUNTING = /\{\{\s*(?:partition|random)\s*\(\s*([^,)]*)/i;
const MOST_INT32 = 2_147_483_647;

/**
 * Mappings with a function that counts to nothing, such as `{{partition(0,1)}}`: the first message to one makes a server
 * panic (integer divide by zero; ran: 2.10.27, and again after each restart; not on 2.15.1).
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

/** The mappings that turn messages away from where a server, or its JetStream, listens. */
export function mappingsOver(claims: AccountClaims, subject: string): readonly Mapping[] {
  return mappingsOf(claims).filter(({ from, to }) => doMeet(from, subject) && to !== from);
}
