/** A JSON value. Evidence, journal entries and pages consist of these. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined if it is not JSON. The parser's own error quotes what it read, which may be a secret. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function parseJsonObject(text: string): JsonObject | undefined {
  const value = parseJson(text);
  return isJsonObject(value) ? value : undefined;
}

/**
 * The data of a journal entry as a store keeps it. Invalid data counts as empty, because one bad entry must not hide the
 * others. Empty data has no proof, so no job acts on it.
 */
export const entryData = (text: string): JsonObject => parseJsonObject(text) ?? {};
