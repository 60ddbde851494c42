import { applyEdits, modify, type Node, parseTree } from "jsonc-parser";
import { surelyFits } from "../gate/go-fits.ts";
import { goProblem } from "../gate/go-json.ts";
import { ACCOUNT_CLAIMS } from "../gate/go-shapes.ts";
import { isJsonObject, type Json, type JsonObject, parseJson } from "../time/json.ts";
import { type EpochSeconds, epochSeconds } from "../time/time.ts";
import { type AccountId, isAccountId } from "./account.ts";

/** The claims of an account JWT that Relight reads. */
export interface AccountClaims {
  readonly sub: AccountId;
  readonly iss: string;
  readonly jti: string;
  readonly iat: EpochSeconds;
  /** Absent: the account never expires. */
  readonly exp?: EpochSeconds;
  readonly nbf?: EpochSeconds;
  readonly name: string;
  readonly nats: JsonObject;
}

/**
 * Claims together with the text they were read from. A renewal edits the text, which preserves unknown claims and 64-bit
 * numbers that JavaScript cannot hold.
 */
export interface ClaimsDocument {
  readonly text: string;
  readonly claims: AccountClaims;
}

export type ParsedClaims =
  | { readonly ok: true; readonly document: ClaimsDocument }
  | { readonly ok: false; readonly problem: string };

/**
 * Reads the payload of an account JWT as strictly as a server. Returns `{ok: false, problem}` for anything that a server
 * would refuse or read differently.
 */
export function parseAccountClaims(text: string): ParsedClaims {
  const problem = (what: string): ParsedClaims => ({ ok: false, problem: what });
  const raw = parseJson(text);
  if (!isJsonObject(raw)) return problem("the payload is not a JSON object");
  // Almost every JWT is as its encoder wrote it, and a sweep reads a hundred thousand.
  const isPlain = surelyFits(raw, text, ACCOUNT_CLAIMS);
  if (!isPlain && isDeeper(raw, MAX_DEPTH)) return problem(`it is nested too deeply (more than ${MAX_DEPTH} levels)`);
  const tree = isPlain ? undefined : parseTree(text);
  const twice = duplicateKey(tree);
  if (twice !== undefined) return problem(`the claim "${twice}" appears twice`);

  const { sub, iss, jti, iat, exp, nbf, name, nats } = raw;
  if (typeof sub !== "string" || !isAccountId(sub)) return problem('"sub" is not an account id (A…)');
  if (typeof iss !== "string") return problem('"iss" is missing');
  if (typeof jti !== "string") return problem('"jti" is missing');
  if (!isTime(iat)) return problem('"iat" is not a time in whole seconds');
  if (exp !== undefined && !isTime(exp)) return problem('"exp" is not a time in whole seconds');
  if (nbf !== undefined && !isTime(nbf)) return problem('"nbf" is not a time in whole seconds');
  if (!isJsonObject(nats)) return problem('"nats" is missing');
  if (nats["type"] !== "account") return problem(`it is of type "${String(nats["type"])}", not "account"`);
  if (nats["version"] !== 2 || (raw["type"] ?? "") !== "")
    return problem("it is not a version 2 JWT; re-encode it with a current nsc");
  const otherwise = goProblem(tree, text, ACCOUNT_CLAIMS);
  if (otherwise !== undefined) return problem(otherwise);

  const claims: AccountClaims = {
    sub,
    iss,
    jti,
    iat: epochSeconds(iat),
    name: typeof name === "string" ? name : "",
    nats,
    // To servers, zero means the same as an absent claim: never.
    ...(exp ? { exp: epochSeconds(exp) } : {}),
    ...(nbf ? { nbf: epochSeconds(nbf) } : {}),
  };
  return { ok: true, document: { text, claims } };
}

/** One edit of a claims text: sets the value at `path`, or removes it when `value` is undefined. */
export interface ClaimsEdit {
  readonly path: readonly string[];
  readonly value: Json | undefined;
}

/**
 * Applies `edits` to the text and keeps every other byte.
 * @throws Error if the result is not valid account claims, which would be a bug in the edits.
 */
export function editClaims(document: ClaimsDocument, edits: readonly ClaimsEdit[]): ClaimsDocument {
  const text = edits.reduce((before, { path, value }) => {
    // Without formatting options the library inserts properties on one line, as NATS encoders do.
    return applyEdits(before, modify(before, [...path], value, {}));
  }, document.text);
  const parsed = parseAccountClaims(text);
  if (!parsed.ok) throw new Error(`editing the claims broke them: ${parsed.problem}`);
  return parsed.document;
}

/**
 * One difference between two versions of an account's claims, at a path such as `nats.limits.conn`. Keys that contain a
 * dot are quoted (`nats.mappings."orders.*"`), because they could look like another path.
 */
export interface ClaimChange {
  readonly path: string;
  readonly before: Json | undefined;
  readonly after: Json | undefined;
}

/** All differences between two claims, by path. Objects are compared by key, lists as one value. */
export function diffClaims(before: ClaimsDocument, after: ClaimsDocument): readonly ClaimChange[] {
  const exact = diff(exactJson(before.text), exactJson(after.text), []);
  // Distinguishes a number from a string of the same digits.
  const plain = diff(JSON.parse(before.text) as Json, JSON.parse(after.text) as Json, []);
  return [...exact, ...plain.filter(({ path }) => !exact.some((change) => change.path === path))];
}

function diff(before: Json | undefined, after: Json | undefined, path: readonly string[]): ClaimChange[] {
  if (isJsonObject(before) && isJsonObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => diff(own(before, key), own(after, key), [...path, quoted(key)]));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ path: path.join("."), before, after }];
}

/** Ignores inherited properties: a claim may be named `__proto__`. */
const own = (object: JsonObject, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? object[key] : undefined;

const quoted = (key: string): string => (key.includes(".") ? JSON.stringify(key) : key);

/**
 * JSON in which a number is text if JavaScript would write it differently: too large to be exact, or `1e3`, which Go does
 * not read as an integer.
 */
function exactJson(text: string): Json {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === "number" && context?.source !== undefined && context.source !== String(value)
      ? context.source
      : value,
  ) as Json;
}

/** More than any real claims have, and far less than a recursive reader's stack allows. */
const MAX_DEPTH = 100;

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner: Json) => isDeeper(inner, levels - 1));
}

/** A key that appears twice in an object: Go reads the last one, but the editor writes the first. */
export function duplicateKey(node: Node | undefined): string | undefined {
  if (node?.type !== "object") return node?.children?.map(duplicateKey).find((key) => key !== undefined);
  const seen = new Set<string>();
  for (const property of node.children ?? []) {
    const key = String(property.children?.[0]?.value);
    if (seen.has(key)) return key;
    seen.add(key);
    const inner = duplicateKey(property.children?.[1]);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function isTime(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
