import type { Node } from "jsonc-parser";
import type { GoShape } from "./go-shapes.ts";

/**
 * Describes what Go's `encoding/json` would refuse in the JSON at `node`, or read differently from a parser that compares
 * keys exactly; undefined if it reads the same. `text` is what the node was parsed from.
 *
 * Go matches keys to fields case-insensitively (`foldName` in encoding/json/fold.go): ASCII letters, U+017F as `s`,
 * U+212A as `k`. So servers may run the value of `"Exp"` beside `"exp"`.
 */
export function goProblem(node: Node | undefined, text: string, shape: GoShape): string | undefined {
  return node === undefined ? undefined : problemOf({ node, text, path: [] }, shape);
}

/** The form in which Go compares a key that matches no field exactly. */
export function foldKey(key: string): string {
  if (/^[a-z0-9_]*$/.test(key)) return key;
  return key
    .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replaceAll("\u017f", "s")
    .replaceAll("\u212a", "k");
}

interface Place {
  readonly node: Node;
  readonly text: string;
  readonly path: readonly string[];
  /** Whether the server decodes this part twice. */
  readonly floats?: boolean;
}

function problemOf(place: Place, shape: GoShape): string | undefined {
  const { node } = place;
  // Go ignores null: the field keeps its zero value.
  if (node.type === "null" && shape.is !== "choice") return undefined;
  switch (shape.is) {
    case "string":
      return node.type === "string" ? brokenText(place) : wrong(place, "a string");
    case "bool":
      return node.type === "boolean" ? undefined : wrong(place, "true or false");
    case "integer":
      return integerProblem(place, shape);
    case "choice":
      return shape.of.includes(String(node.value)) ? undefined : wrong(place, `one of ${shape.of.join(", ")}`);
    case "float-first":
      return problemOf({ ...place, floats: true }, shape.of);
    case "either":
      return eitherProblem(place, shape.of);
    case "list":
      return node.type === "array" ? listProblem(place, shape) : wrong(place, "a list");
    case "map":
    case "struct":
      return node.type === "object" ? objectProblem(place, shape) : wrong(place, "an object");
  }
}

function integerProblem(place: Place, { min, max }: Extract<GoShape, { is: "integer" }>): string | undefined {
  const { node, text, floats } = place;
  const digits = text.slice(node.offset, node.offset + node.length);
  const expected = `a whole number from ${min} to ${max}`;
  // For unsigned integers Go refuses every sign, even that of -0.
  const isWhole = (min < 0n ? /^-?\d+$/ : /^\d+$/).test(digits);
  if (node.type !== "number" || !isWhole) return wrong(place, expected);
  const value = BigInt(digits);
  if (value < min || value > max) return wrong(place, expected);
  if (floats && BigInt(Number(digits)) !== value) return wrong(place, "a number that a 64-bit float can hold exactly");
  return undefined;
}

function eitherProblem(place: Place, shapes: readonly GoShape[]): string | undefined {
  const problems = shapes.map((shape) => problemOf(place, shape));
  return problems.includes(undefined) ? undefined : problems.at(-1);
}

function listProblem(place: Place, { of, nulls }: Extract<GoShape, { is: "list" }>): string | undefined {
  return first(place.node.children ?? [], (node, index) => {
    const item = { ...place, node, path: [...place.path, String(index)] };
    return node.type === "null" && !nulls ? wrong(item, "an object") : problemOf(item, of);
  });
}

function objectProblem(place: Place, shape: Extract<GoShape, { is: "struct" | "map" }>): string | undefined {
  const properties = place.node.children ?? [];
  const names = properties.map(({ children }) => String(children?.[0]?.value));
  const badKey = shape.is === "struct" ? foldedKey(place, names, shape.fields) : brokenKey(place, names);
  if (badKey !== undefined) return badKey;
  return first(properties, ({ children }, index) => {
    const name = names[index] ?? "";
    const field = shape.is === "map" ? shape.of : ownField(shape.fields, name);
    const node = children?.[1];
    if (field === undefined || node === undefined) return undefined;
    return problemOf({ ...place, node, path: [...place.path, name] }, field);
  });
}

const ownField = (fields: Readonly<Record<string, GoShape>>, name: string): GoShape | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

type Fields = Readonly<Record<string, GoShape>>;

/** The fields by their folded keys. The shapes are constants, and each JWT is checked against them. */
const folded = new WeakMap<Fields, ReadonlyMap<string, string>>();

function foldedFields(fields: Fields): ReadonlyMap<string, string> {
  const known = folded.get(fields) ?? new Map(Object.keys(fields).map((field) => [foldKey(field), field]));
  folded.set(fields, known);
  return known;
}

/** A key that servers read as a field, or that a later version could read as the same key as its sibling. */
function foldedKey(place: Place, names: readonly string[], fields: Fields): string | undefined {
  const known = foldedFields(fields);
  const keys = names.map(foldKey);
  return first(names, (name, index) => {
    const key = keys[index];
    const field = known.get(key ?? name) ?? name;
    if (field !== name) return `servers read the key ${shown(place, name)} as "${field}"`;
    const sibling = names.find((other, at) => other !== name && keys[at] === key);
    return sibling && `servers treat the keys ${shown(place, name)} and ${shown(place, sibling)} as the same`;
  });
}

/** Go replaces lone surrogates, which could make two keys equal. */
function brokenKey(place: Place, names: readonly string[]): string | undefined {
  return first(names, (name) =>
    name.isWellFormed() ? undefined : `the key ${shown(place, name)} contains a lone surrogate`,
  );
}

function brokenText(place: Place): string | undefined {
  return String(place.node.value).isWellFormed()
    ? undefined
    : wrong(place, "well-formed text (it has a lone surrogate)");
}

function wrong({ path }: Place, expected: string): string {
  return `${JSON.stringify(path.join("."))} is not ${expected}; servers would refuse it`;
}

const shown = ({ path }: Place, name: string): string => JSON.stringify([...path, name].join("."));

function first<T>(items: readonly T[], problem: (item: T, index: number) => string | undefined): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = problem(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}
