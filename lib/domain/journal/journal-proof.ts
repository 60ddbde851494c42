import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";

/** The fields of an entry that its proof signs. */
interface SignedFields {
  readonly at: number;
  readonly job: string;
  readonly account: string;
  readonly kind: string;
  readonly data: JsonObject;
}

/** The field of an entry's data that holds its proof. */
export const PROOF = "proof";

/** A signature by one of the operator's keys over {@link statementOf} the entry. Never valid as a JWT's signature. */
export interface Proof {
  /** The public key, `O…`. */
  readonly by: string;
  /** base64url */
  readonly signature: string;
}

/** Whether the entry's proof shows that Relight wrote it. */
export type IsProved = (entry: SignedFields) => boolean;

/** The text that an entry's proof signs: everything but the proof, in a canonical form. */
export function statementOf({ at, job, account, kind, data }: SignedFields): string {
  const { [PROOF]: _proof, ...fields } = data;
  return canonical([at, job, account, kind, fields]);
}

export function proofIn({ data }: SignedFields): Proof | undefined {
  const proof = data[PROOF];
  if (!isJsonObject(proof)) return undefined;
  const { by, signature } = proof;
  return typeof by === "string" && typeof signature === "string" ? { by, signature } : undefined;
}

/**
 * The proved entries, in order, without duplicates. A duplicate is a copy that somebody planted, because a job's own
 * entries differ in time, kind or data.
 */
export function provedOnce<T extends SignedFields>(entries: readonly T[], isProved: IsProved): readonly T[] {
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
