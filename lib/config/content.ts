import type { Document } from "yaml";
import { isJsonObject, type JsonObject } from "../domain/time/json.ts";
import { invalid } from "./faults.ts";

/** An empty file is a map without keys. @throws RelightError `config.invalid` */
export function contentOf(document: Document.Parsed, origin: string): JsonObject {
  try {
    const content: unknown = document.toJS() ?? {};
    if (isJsonObject(content)) return content;
  } catch (cause) {
    // Only this detects an alias without an anchor.
    throw invalid(origin, [(cause as Error).message]);
  }
  throw invalid(origin, ["the file: is not a map of keys and values"]);
}
