import fc from "fast-check";

/** JSON with every byte chosen: keys and scalars are raw text, and a key may occur twice. */
export type Raw =
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: string, value: Raw])[] }
  | { readonly kind: "list"; readonly items: readonly Raw[] }
  | { readonly kind: "text"; readonly text: string };

const text = (raw: string): Raw => ({ kind: "text", text: raw });

export function rawOf(value: unknown): Raw {
  if (Array.isArray(value)) return { kind: "list", items: value.map(rawOf) };
  if (typeof value === "object" && value !== null)
    return {
      kind: "object",
      entries: Object.entries(value).map(([key, inner]) => [JSON.stringify(key), rawOf(inner)]),
    };
  return text(JSON.stringify(value));
}

export function print(raw: Raw): string {
  if (raw.kind === "text") return raw.text;
  if (raw.kind === "list") return `[${raw.items.map(print).join(",")}]`;
  return `{${raw.entries.map(([key, value]) => `${key}:${print(value)}`).join(",")}}`;
}

/** One change of a JWT in transit: of its payload's JSON, its payload's bytes, its header or its encoding. */
export interface Odd {
  readonly what: string;
  readonly payload?: (raw: Raw) => Raw;
  readonly bytes?: (payload: Buffer) => Buffer;
  readonly header?: string;
  /** In one part of the token: 0 header, 1 payload, 2 signature. */
  readonly encoding?: { readonly part: number; readonly change: (encoded: string) => string };
}

const VALUES = [
  ...["null", "true", "false", '""', '"500"', '"abc"', "[]", "{}", "[null]", "[1]", '["a"]', '{"a":1}'],
  ...["0", "-0", "1", "-1", "-2", "1.0", "1.5", "1e10", "1E2", "0.1e1", "255", "256", "2147483648"],
  ...["4294967296", "9007199254740993", "9223372036854775807", "9223372036854775808"],
  ...["-9223372036854775808", "-9223372036854775809", "1e400", '"\\ud800"', '"stream"', '"user_scope"'],
];

/** Every place in a payload, as a path of indices. */
function placesIn(raw: Raw, path: readonly number[] = []): readonly (readonly number[])[] {
  if (raw.kind === "text") return [path];
  const inner = raw.kind === "list" ? raw.items : raw.entries.map(([, value]) => value);
  return [path, ...inner.flatMap((value, index) => placesIn(value, [...path, index]))];
}

function changeAt(raw: Raw, path: readonly number[], change: (raw: Raw) => Raw): Raw {
  const [index, ...rest] = path;
  if (index === undefined) return change(raw);
  if (raw.kind === "list")
    return {
      ...raw,
      items: raw.items.map((item, at) => (at === index ? changeAt(item, rest, change) : item)),
    };
  if (raw.kind === "text") return raw;
  return {
    ...raw,
    entries: raw.entries.map(([key, value], at) => [key, at === index ? changeAt(value, rest, change) : value]),
  };
}

const FOLDS: Readonly<Record<string, readonly string[]>> = {
  s: ["S", "\u017f", "\\u017F"],
  k: ["K", "\u212a", "\\u212a"],
  i: ["I", "\u0130", "\u0131"],
};

/** The key with one letter changed. */
function folded(key: string, at: number, choice: number): string {
  const letters = [...key];
  const places = letters.flatMap((letter, index) => (/[a-z]/i.test(letter) ? [index] : []));
  const place = places[at % Math.max(1, places.length)];
  if (place === undefined) return key;
  const letter = letters[place] ?? "";
  const ways = FOLDS[letter] ?? [letter.toUpperCase(), `\\u00${letter.charCodeAt(0).toString(16)}`];
  letters[place] = ways[choice % ways.length] ?? letter;
  return letters.join("");
}

/** Possible oddities of a payload of this form. */
export function oddities(payload: Raw): fc.Arbitrary<Odd> {
  const places = placesIn(payload);
  const objects = places.filter((path) => {
    let found: Raw | undefined = payload;
    for (const index of path)
      found =
        found?.kind === "list" ? found.items[index] : found?.kind === "object" ? found.entries[index]?.[1] : undefined;
    return found?.kind === "object" && found.entries.length > 0;
  });
  const value = fc.tuple(fc.constantFrom(...places.slice(1)), fc.constantFrom(...VALUES)).map(
    ([path, other]): Odd => ({
      what: `${path.join("/")} = ${other}`,
      payload: (raw) => changeAt(raw, path, () => text(other)),
    }),
  );
  const key = fc
    .tuple(
      fc.constantFrom(...objects),
      fc.nat(50),
      fc.nat(12),
      fc.nat(2),
      fc.constantFrom("rename", "before", "after"),
      fc.constantFrom(...VALUES),
    )
    .map(
      ([path, entry, letter, choice, way, other]): Odd => ({
        what: `${way} the key ${entry} at ${path.join("/")}`,
        payload: (raw) =>
          changeAt(raw, path, (object) => {
            if (object.kind !== "object") return object;
            const at = entry % object.entries.length;
            const [name, before] = object.entries[at] ?? ['""', text("0")];
            const odd = folded(name, letter, choice);
            const entries = object.entries.map((it, index) =>
              way === "rename" && index === at ? ([odd, before] as const) : it,
            );
            if (way === "before") return { ...object, entries: [[odd, text(other)], ...entries] };
            return way === "after" ? { ...object, entries: [...entries, [odd, text(other)]] } : { ...object, entries };
          }),
      }),
    );
  const extra = fc
    .tuple(
      fc.constantFrom(...objects),
      fc.constantFrom(...VALUES),
      fc.constantFrom('"x_a"', '"x_\\ud800"', '"__proto__"', '"x_é"'),
    )
    .map(
      ([path, other, name]): Odd => ({
        what: `${name} = ${other} at ${path.join("/")}`,
        payload: (raw) =>
          changeAt(raw, path, (object) =>
            object.kind === "object" ? { ...object, entries: [...object.entries, [name, text(other)]] } : object,
          ),
      }),
    );
  return fc.oneof(
    { weight: 6, arbitrary: value },
    { weight: 6, arbitrary: key },
    { weight: 2, arbitrary: extra },
    {
      weight: 2,
      arbitrary: fc.constantFrom(...HEADERS.map((header): Odd => ({ what: `header ${header}`, header }))),
    },
    { weight: 2, arbitrary: fc.constantFrom(...ENCODINGS) },
    { weight: 1, arbitrary: fc.constantFrom(...BYTES) },
  );
}

const HEADERS = [
  '{"typ":"JWT","alg":"ed25519-nkey"}',
  '{"typ":"jwt","alg":"ed25519-nkey"}',
  '{"typ":"JWT","alg":"ed25519"}',
  '{"typ":"JWT","alg":"ED25519-NKEY"}',
  '{"typ":"JWT","alg":"ed25519-nkey","x":1}',
  '{"typ":"JWT","alg":"none"}',
  '{"Typ":"JWT","alg":"ed25519-nkey"}',
  '{"typ":"JWT","alg":"ed25519-nkey","Alg":"none"}',
  '{"typ":"JWT","alg":"ed25519-nkey","alg":"none"}',
  '{"alg":"none","typ":"JWT","alg":"ed25519-nkey"}',
  '{"typ":["JWT"],"alg":"ed25519-nkey"}',
  '{"typ":"JWT","alg":"ed25519-n\\u212aey"}',
  "[]",
  "null",
];

const ENCODINGS: readonly Odd[] = [0, 1, 2].flatMap((part) =>
  (
    [
      ["padded", (it: string) => `${it}${"=".repeat((4 - (it.length % 4)) % 4)}`],
      ["padded too much", (it: string) => `${it}=`],
      ["with a line feed", (it: string) => `${it.slice(0, 8)}\n${it.slice(8)}`],
      ["with a space", (it: string) => `${it.slice(0, 8)} ${it.slice(8)}`],
      ["with a plus", (it: string) => `${it.slice(0, 8)}+${it.slice(9)}`],
      [
        "with other trailing bits",
        (it: string) => (it.length % 4 === 0 ? it : `${it.slice(0, -1)}${nextLetter(it.at(-1) ?? "")}`),
      ],
      ["with one letter more", (it: string) => `${it}A`],
      ["in the standard alphabet", (it: string) => it.replaceAll("-", "+").replaceAll("_", "/")],
    ] as const
  ).map(([how, change]): Odd => ({ what: `part ${part} ${how}`, encoding: { part, change } })),
);

function nextLetter(letter: string): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return letters[(letters.indexOf(letter) + 1) % 64] ?? "A";
}

const BYTES: readonly Odd[] = [
  { what: "a byte order mark", bytes: (it) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), it]) },
  { what: "space around", bytes: (it) => Buffer.concat([Buffer.from(" \n"), it, Buffer.from("\t ")]) },
  { what: "a zero byte after", bytes: (it) => Buffer.concat([it, Buffer.from([0])]) },
  { what: "two objects", bytes: (it) => Buffer.concat([it, Buffer.from("{}")]) },
  { what: "a comma too many", bytes: (it) => Buffer.from(it.toString().replace("{", '{"x_b":[1,],')) },
  { what: "a comment", bytes: (it) => Buffer.from(it.toString().replace("{", "{/* */")) },
  {
    what: "no UTF-8 in a name",
    bytes: (it) => Buffer.from(it.toString("latin1").replace('"name":"', '"name":"\xff'), "latin1"),
  },
  {
    what: "a control character in a name",
    bytes: (it) => Buffer.from(it.toString().replace('"name":"', '"name":"\u0001')),
  },
];
