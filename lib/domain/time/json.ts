/** A JSON value. Evidence, journal entries and pages consist of these. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The data of a journal entry as a store keeps it. Invalid data counts as empty, because one bad entry must not hide the
 * others. Empty data has no proof, so no job acts on it.
 */
export function entryData(text: string): JsonObject {
  try {
    const data: unknown = JSON.parse(text);
    return isJsonObject(data) ? data : {};
  } catch {
    return {};
  }
}
