/** What JSON can hold: evidence, journal entries and pages are made of this and nothing else. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The data of a journal entry as a store keeps it. One that somebody else wrote must not hide all the others: what is no object
 * says nothing, and nothing proves it, so nothing is done by it.
 */
export function entryData(text: string): JsonObject {
  try {
    const data: unknown = JSON.parse(text);
    return isJsonObject(data) ? data : {};
  } catch {
    return {};
  }
}
