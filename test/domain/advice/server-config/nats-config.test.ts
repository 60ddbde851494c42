import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type ConfigSources,
  type ConfigValue,
  entryOf,
  type ParsedConfig,
} from "../../../../lib/domain/advice/server-config/nats-config.ts";
import { parseNatsConfig } from "../../../../lib/domain/advice/server-config/nats-config-parser.ts";
import { BROKEN, VALID } from "../../../support/nats-configs.ts";

const NOTHING: ConfigSources = { include: () => undefined, variable: () => undefined };
const parse = (text: string, sources: Partial<ConfigSources> = {}): ParsedConfig =>
  parseNatsConfig({ file: "server.conf", text }, { ...NOTHING, ...sources });

type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

function plain(value: ConfigValue): Plain {
  if (value.kind === "array") return value.items.map(plain);
  if (value.kind === "unknown") return "unknown";
  if (value.kind !== "map") return value.value;
  return Object.fromEntries([...value.entries].map(([key, item]) => [key, plain(item)]));
}

function tree(text: string, sources: Partial<ConfigSources> = {}): Plain | string {
  const parsed = parse(text, sources);
  return parsed.ok ? plain(parsed.root) : `line ${parsed.at.line}: ${parsed.problem}`;
}

describe("a configuration that nats-server accepts", () => {
  test.each(VALID)("parses to the expected tree: %s", (_situation, text) => {
    expect(parse(text)).toMatchObject({ ok: true });
  });

  test.each<[string, string, Plain]>([
    ["numbers", "a 1, b: -2, c = 1.5", { a: 1, b: -2, c: 1.5 }],
    ["sizes by 1000", "a: 2k, b: 2m, c: 2G, d: 2t", { a: 2e3, b: 2e6, c: 2e9, d: 2e12 }],
    ["sizes by 1024", "a: 1kb, b: 1Ki, c: 1MiB, d: 2GB", { a: 1024, b: 1024, c: 1024 ** 2, d: 2 * 1024 ** 3 }],
    ["a size that the server does not know: dropped, as there", "a: 1kbb\nb: 2", { b: 2 }],
    ["words that begin with a digit", "a: 10s, b: 1.2.3.4:5, c: 1kx", { a: "10s", b: "1.2.3.4:5", c: "1kx" }],
    [
      "booleans, and what only looks like one",
      "a: Yes, b: off, c: 'yes', d: nope",
      { a: true, b: false, c: "yes", d: "nope" },
    ],
    ["a date", "a: 2026-01-02T03:04:05Z", { a: "2026-01-02T03:04:05Z" }],
    ["escapes, which a word has too", 'a: "x\\ty\\x41", b: x\\ty', { a: "x\tyA", b: "x\ty" }],
    ["no escapes in single quotes", "a: 'x\\ty'", { a: "x\\ty" }],
    ["a block with its line ends", "a: (\n x ) y\n)\n", { a: "\n x ) y\n" }],
    ["a comment sign within a word", "a: x#y, b: nats://h", { a: "x#y", b: "nats://h" }],
    ["entries in braces at the top", "{ a: 1 }\nb: 2", { a: 1, b: 2 }],
    ["lists by line", "a: [\n x\n y\n\n]", { a: ["x", "y"] }],
    ["a variable of any kind", "L: [x, y]\na { b: $L }", { L: ["x", "y"], a: { b: ["x", "y"] } }],
    ["a variable inside text is literal", "N: 1\na: x$N", { N: 1, a: "x$N" }],
  ])("holds %s", (_what, text, expected) => {
    expect(tree(text)).toEqual(expected);
  });

  test("reads variables from the environment last, with their types", () => {
    const variable = (name: string): string | undefined => ({ PORT: "4222", NAME: "env", ON: "true" })[name];
    expect(tree("NAME: near\na: $NAME\nb: $PORT\nc: $ON", { variable })).toEqual({
      NAME: "near",
      a: "near",
      b: 4222,
      c: true,
    });
  });

  test("includes files, each parsed on its own, with its own lines", () => {
    const files: Record<string, string> = { "./in.conf": "\nx: 1\ninclude 'deep.conf'", "deep.conf": "y: 2" };
    const include: ConfigSources["include"] = (_from, path) => ({ file: path, text: files[path] ?? "" });
    const text = "m {\n  include ./in.conf\n}\ninclude ./in.conf\n";
    expect(tree(text, { include })).toEqual({ m: { x: 1, y: 2 }, x: 1, y: 2 });
    const parsed = parse(text, { include });
    expect(parsed.ok && entryOf(parsed.root, "x")?.at).toEqual({ file: "./in.conf", line: 2, column: 1 });
  });

  test("reports where each value is", () => {
    const parsed = parse("a {\n  b: [\n    x\n    y\n  ]\n}");
    const list = parsed.ok ? entryOf(parsed.root.entries.get("a") as never, "b") : undefined;
    expect(list?.at.line).toBe(2);
    expect(list?.kind === "array" && list.items.map(({ at }) => at.line)).toEqual([3, 4]);
  });
});

describe("a configuration that nats-server refuses", () => {
  test.each(BROKEN)("reports where: %s", (_situation, text, line) => {
    expect(parse(text)).toMatchObject({ ok: false, at: { file: "server.conf", line } });
  });

  test.each([
    ["an included file that is broken", { "in.conf": "a: 1\nb: {" }, { file: "in.conf", line: 2 }],
    ["a file that includes itself", { "in.conf": "include in.conf" }, { file: "in.conf", line: 1 }],
  ])("reports in which file: %s", (_situation, files: Record<string, string>, at) => {
    const include: ConfigSources["include"] = (_from, path) => ({ file: path, text: files[path] ?? "" });
    expect(parse("include in.conf", { include })).toMatchObject({ ok: false, at });
  });

  test("never repeats the content, which could be a secret", () => {
    for (const text of [
      "password: $ecret-word",
      'password: "ecret-word',
      "p { ecret-word }",
      "password: ecret-word ecret-word",
    ])
      expect(JSON.stringify(parse(text))).not.toMatch(/ecret-word/);
  });

  test("a self-reference through the environment ends", () => {
    expect(tree("a: $A", { variable: () => "$A" })).toMatch(/variable/);
  });

  test("any text gives a result without an exception", () => {
    const soup = fc.string({ unit: fc.constantFrom(..."ab{}[]()'\"\\:=;,/#\n\r $-.19kx") });
    fc.assert(
      fc.property(soup, (text) => typeof parse(text).ok === "boolean"),
      { numRuns: 2_000 },
    );
  });
});

/** One way to write something, chosen by the random numbers that come with a tree. */
type Choose = (ways: readonly string[]) => string;

const quote = (text: string): string =>
  `"${text.replace(/[\\"]/g, "\\$&").replaceAll("\t", "\\t").replaceAll("\r", "\\r").replaceAll("\n", "\\n")}"`;

function waysToWrite(text: string): string[] {
  const isWord = /^[a-z][a-z0-9_./@-]*$/i.test(text) && !/^(true|false|yes|no|on|off|include)$/i.test(text);
  return [quote(text), ...(text.includes("'") ? [] : [`'${text}'`]), ...(isWord ? [text] : [])];
}

function print(value: Plain, choose: Choose): string {
  if (typeof value === "string") return choose(waysToWrite(value));
  if (typeof value === "boolean") return choose(value ? ["true", "yes", "ON"] : ["false", "no", "Off"]);
  if (typeof value === "number")
    return choose([
      String(value),
      ...(value % 1024 === 0 ? [`${value / 1024}kb`] : []),
      ...(value % 1000 === 0 ? [`${value / 1000}k`] : []),
    ]);
  if (Array.isArray(value))
    return `[${value.map((item) => ` ${print(item, choose)} ${choose([",", "\n", ", # note\n"])}`).join("")}${choose(["", " ", "\n"])}]`;
  return `{${choose(["", " ", "\n", " // note\n"])}${printEntries(value as Record<string, Plain>, choose)}}`;
}

function printEntries(entries: Record<string, Plain>, choose: Choose): string {
  return Object.entries(entries)
    .map(([key, value]) => {
      const separator = choose([": ", " = ", ":", "=", " "]);
      return `${choose(waysToWrite(key))}${separator}${print(value, choose)}${choose(["\n", " ;", ",", " # note\n", "\r\n"])}`;
    })
    .join(choose(["", " ", "\n"]));
}

const scalar = fc.oneof(
  fc.string({ unit: "grapheme-ascii" }),
  fc.string({ unit: fc.constantFrom(..."ab1'\"\\ \t\n{$}[]") }),
  fc.boolean(),
  fc.integer(),
);
const trees = fc.letrec<{ value: Plain; map: Record<string, Plain> }>((tie) => ({
  value: fc.oneof({ depthSize: "small" }, scalar, fc.array(tie("value"), { maxLength: 4 }), tie("map")),
  map: fc.dictionary(fc.string({ unit: fc.constantFrom(..."abcXYZ_. '"), minLength: 1 }), tie("value"), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
})).map;

test("any way to write a tree parses to the same tree", () => {
  fc.assert(
    fc.property(trees, fc.infiniteStream(fc.nat()), (expected, numbers) => {
      const choose: Choose = (ways) => ways[Number(numbers.next().value) % ways.length] ?? "";
      expect(tree(printEntries(expected, choose))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});
