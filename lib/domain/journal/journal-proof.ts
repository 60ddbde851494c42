import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";

/** What an entry says, with when, by which job, of which account, and as what. */
interface Said {
  readonly at: number;
  readonly job: string;
  readonly account: string;
  readonly kind: string;
  readonly data: JsonObject;
}

/** The field of an entry's data that holds its proof. */
export const PROOF = "proof";

/** A signature by one of the operator's keys, which is no JWT's, over {@link statementOf} the entry. */
export interface Proof {
  /** The public key, `O…`. */
  readonly by: string;
  /** base64url */
  readonly signature: string;
}

/** Whether Relight itself wrote the entry, by its proof. */
export type IsProved = (entry: Said) => boolean;

/** What an entry's proof signs: all of it but the proof, in one spelling whatever the order of its keys. */
export function statementOf({ at, job, account, kind, data }: Said): string {
  const { [PROOF]: _proof, ...said } = data;
  return canonical([at, job, account, kind, said]);
}

export function proofIn({ data }: Said): Proof | undefined {
  const proof = data[PROOF];
  if (!isJsonObject(proof)) return undefined;
  const { by, signature } = proof;
  return typeof by === "string" && typeof signature === "string" ? { by, signature } : undefined;
}

/**
 * The entries that are proved, in their order. One that comes again, as it was, is a copy that somebody made: times
 * of one job differ, or its kinds or data do.
 */
export function provedOnce<T extends Said>(entries: readonly T[], isProved: IsProved): readonly T[] {
  const known = new Set<string>();
  return entries.filter((entry) => {
    if (!isProved(entry)) return false;
    const statement = statementOf(entry);
    return known.size < known.add(statement).size;
  });
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonical(item)).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const fields = Object.entries(value as JsonObject)
    .filter(([, field]) => field !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
  return `{${fields.join(",")}}`;
}
