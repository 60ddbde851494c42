import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import { foldKey } from "./go-json.ts";
import type { GoShape } from "./go-shapes.ts";

/**
 * Whether Go and JavaScript certainly read the text alike: `goProblem` finds nothing, no key appears twice and nothing is
 * nested deeply. Takes a tenth of its time; false means only that `goProblem` has to look.
 *
 * An encoder's text is what an encoder makes of the value again. So it has no key twice, no number in another notation or
 * too large for JavaScript, and the value shows all that a tree of the text would.
 * @param value `text`, parsed
 */
export function surelyFits(value: Json, text: string, shape: GoShape): boolean {
  return fits(value, shape) && isEncoded(value, text);
}

/** Whether an encoder that escapes as JavaScript's, or as Go's, wrote exactly this. */
function isEncoded(value: Json, text: string): boolean {
  const encoded = JSON.stringify(value);
  return encoded === text || encoded.replace(ESCAPED_BY_GO, escapedByGo) === text;
}

/** Go's encoder escapes these too (`encoding/json`: HTML characters, and line ends of JavaScript). */
const ESCAPED_BY_GO = /[<>&\u2028\u2029]/g;
const escapedByGo = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;

function fits(value: Json, shape: GoShape): boolean {
  switch (shape.is) {
    case "string":
      return typeof value === "string" ? value.isWellFormed() : value === null;
    case "bool":
      return typeof value === "boolean" || value === null;
    case "integer":
      return (
        value === null || (Number.isSafeInteger(value) && Number(value) >= shape.min && Number(value) <= shape.max)
      );
    case "choice":
      return typeof value === "string" && shape.of.includes(value);
    case "float-first":
      // Every safe integer is a float.
      return fits(value, shape.of);
    case "either":
      return shape.of.some((one) => fits(value, one));
    case "list":
      return value === null || (Array.isArray(value) && value.every((item: Json) => fitsInList(item, shape)));
    case "map":
      return value === null || (isJsonObject(value) && fitsMap(value, shape.of));
    case "struct":
      return value === null || (isJsonObject(value) && fitsStruct(value, shape.fields));
  }
}

const fitsInList = (item: Json, { of, nulls }: Extract<GoShape, { is: "list" }>): boolean =>
  (item !== null || nulls) && fits(item, of);

function fitsMap(value: JsonObject, shape: GoShape): boolean {
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (inner === undefined || !key.isWellFormed() || !fits(inner, shape)) return false;
  }
  return true;
}

function fitsStruct(value: JsonObject, fields: Readonly<Record<string, GoShape>>): boolean {
  let unknown: string[] | undefined;
  for (const key of Object.keys(value)) {
    const inner = value[key];
    if (inner === undefined) return false;
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (field === undefined) {
      // Whatever an unknown claim holds may be nested deeply.
      if (typeof inner === "object" && inner !== null) return false;
      unknown ??= [];
      unknown.push(foldKey(key));
    } else if (!fits(inner, field)) return false;
  }
  return unknown === undefined || areOthers(unknown, fields);
}

/** Whether servers read none of these folded keys as a field, or as another of them. */
function areOthers(folded: readonly string[], fields: Readonly<Record<string, GoShape>>): boolean {
  // Fields are in lower case and ASCII, so each is its own folded form.
  return new Set(folded).size === folded.length && !folded.some((key) => Object.hasOwn(fields, key));
}
