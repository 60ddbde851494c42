import type * as z from "zod";
import { mostSimilar, plain } from "../domain/time/similar.ts";

type Schema = z.core.$ZodType;
type Part =
  | { readonly type: "object"; readonly shape: Readonly<Record<string, Schema>> }
  | { readonly type: "array"; readonly element: Schema }
  | { readonly type: "pipe"; readonly in: Schema; readonly out: Schema }
  | { readonly type: "optional" | "default" | "prefault"; readonly innerType: Schema }
  | { readonly type: "string" | "number" | "boolean" | "enum" };

/**
 * The key that somebody probably meant who wrote the unknown `key` into the map at `path`: one of the same map, or the
 * same word in another one. Undefined if there is none.
 */
export function meantKey(schema: Schema, path: readonly PropertyKey[], key: string): string | undefined {
  const shape = shapeAt(schema, path);
  const sibling = mostSimilar(key, Object.keys(shape));
  if (sibling !== undefined) return writtenPath([...path, sibling]);
  return pathsIn(schema).find((other) => plain(other.slice(other.lastIndexOf(".") + 1)) === plain(key));
}

/** A path as people write it: `accounts[0].name`. */
export const writtenPath = (path: readonly PropertyKey[]): string => path.join(".").replace(/\.(\d+)(?=\.|$)/g, "[$1]");

function shapeAt(schema: Schema, path: readonly PropertyKey[]): Readonly<Record<string, Schema>> {
  const part = inside(schema);
  const [first, ...rest] = path;
  if (part.type === "array") return shapeAt(part.element, typeof first === "number" ? rest : path);
  if (part.type !== "object") return {};
  if (first === undefined) return part.shape;
  // The short form of a map that may be written as its list.
  const list = Object.values(part.shape).find((value) => inside(value).type === "array");
  if (typeof first === "number") return list === undefined ? {} : shapeAt(list, path);
  const next = part.shape[String(first)];
  return next === undefined ? {} : shapeAt(next, rest);
}

/** The paths of all keys, such as `operator.signingKey` and `accounts[].name`; outer ones first. */
function pathsIn(schema: Schema): readonly string[] {
  const part = inside(schema);
  if (part.type === "array") return pathsIn(part.element).map((path) => `[].${path}`);
  if (part.type !== "object") return [];
  const inner = Object.entries(part.shape).flatMap(([key, value]) =>
    pathsIn(value).map((path) => (path.startsWith("[]") ? `${key}${path}` : `${key}.${path}`)),
  );
  return [...Object.keys(part.shape), ...inner];
}

function inside(schema: Schema): Part {
  const { def } = schema._zod as unknown as { readonly def: Part };
  if (def.type === "pipe") return inside(def.in._zod.def.type === "transform" ? def.out : def.in);
  if (def.type === "optional" || def.type === "default" || def.type === "prefault") return inside(def.innerType);
  return def;
}
