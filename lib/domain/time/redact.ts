/** Takes secrets out of what is logged, printed, stored or sent. */

/**
 * Seeds (S…), webhook secrets and the user or token of an address, which must never be logged. Found anywhere, also
 * directly after other letters (`%0ASU…`, `\nSU…`). Each pattern takes time linear in the text.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/S[OAUNCX][A-Z2-7]{56,}/g, "[seed]"],
  [/whsec_[\w+/=]+/g, "[webhook secret]"],
  [/:\/\/[^\s/?#"'<>]{1,256}@/g, "://[login]@"],
];

/** What every secret has in it. Most texts have none of it, and looking takes a fraction of replacing. */
const MAY_HOLD_SECRETS = /-----BEGIN|-END|eyJ|S[OAUNCX][A-Z2-7]{56}|whsec_|:\/\//;

/** Fields whose value is always a secret. */
const SECRET_FIELDS = new Set(["seed", "password", "token", "secret", "creds", "credentials", "authorization"]);

/** `text` without secrets. Takes time linear in the text. */
export function redactText(text: string): string {
  if (!MAY_HOLD_SECRETS.test(text)) return text;
  const rest = withoutTokens(withoutBlocks(text));
  return SECRETS.reduce((clean, [pattern, name]) => clean.replace(pattern, name), rest);
}

/** The first and the last line of a block. */
const EDGES = /-----BEGIN[^-]+-----|-END[^-]+-+/g;
/** What follows the first line of a block that is cut off. */
const CONTENT = /[\w+/=\s\\]{16,}/y;

/** Replaces PEM blocks and the blocks of credentials files, also one whose end is missing. */
function withoutBlocks(text: string): string {
  let clean = "";
  let done = 0;
  let open: { readonly index: number; readonly after: number } | undefined;
  const replace = (from: number, to: number): void => {
    clean += `${text.slice(done, from)}[credentials]`;
    done = to;
  };
  const cutOff = (): void => {
    if (open === undefined) return;
    CONTENT.lastIndex = open.after;
    if (CONTENT.test(text)) replace(open.index, CONTENT.lastIndex);
  };
  for (const { 0: edge, index } of text.matchAll(EDGES)) {
    const after = index + edge.length;
    if (edge.startsWith("-----BEGIN")) {
      cutOff();
      open = { index, after };
    } else if (open !== undefined) {
      replace(open.index, after);
      open = undefined;
    }
  }
  cutOff();
  return clean + text.slice(done);
}

/** Replaces JWTs: `eyJ…` and two more parts. */
function withoutTokens(text: string): string {
  if (!text.includes("eyJ")) return text;
  return text.replace(/[\w.-]+/g, (words) => {
    const parts = words.split(".");
    const clean: string[] = [];
    for (let index = 0; index < parts.length; index += 1) {
      const part = parts[index] ?? "";
      const start = part.indexOf("eyJ");
      const isToken = start >= 0 && part.length >= start + 11 && Boolean(parts[index + 1] && parts[index + 2]);
      clean.push(isToken ? `${part.slice(0, start)}[jwt]` : part);
      if (isToken) index += 2;
    }
    return clean.join(".");
  });
}

/** A copy of `value` without secrets, at any depth. Errors become plain objects, cycles `[circular]`. */
export function redact(value: unknown, seen: ReadonlySet<object> = new Set()): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return "[bytes]";
  if (seen.has(value)) return "[circular]";
  const inside = new Set([...seen, value]);
  if (Array.isArray(value)) return value.map((item) => redact(item, inside));
  return Object.fromEntries(
    entriesOf(value).map(([key, item]) => [
      redactText(key),
      SECRET_FIELDS.has(key.toLowerCase()) && typeof item === "string" ? `[${key}]` : redact(item, inside),
    ]),
  );
}

function entriesOf(value: object): [string, unknown][] {
  if (!(value instanceof Error)) return Object.entries(value);
  const { name, message, stack, cause } = value;
  const fields = { ...value, name, message, ...(stack ? { stack } : {}), ...(cause ? { cause } : {}) };
  return Object.entries(fields);
}
