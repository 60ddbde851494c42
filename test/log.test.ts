import { describe, expect, test } from "@jest/globals";
import { fmtCreds } from "@nats-io/jwt";
import { createAccount, createCluster, createCurve, createOperator, createServer, createUser } from "@nats-io/nkeys";
import fc from "fast-check";
import { newCredentials, seedOf, signClaims } from "../lab/keys.ts";
import { redact, redactText } from "../lib/domain/time/redact.ts";
import { RelightError } from "../lib/errors.ts";
import { createLog, levelNamed } from "../lib/log.ts";

/** Seeds, JWTs and credentials never leave, wherever in a value they are. */

// Keys are slow to make, so a few are made once; the other values are arbitrary.
const POOL = [createOperator, createAccount, createUser, createCluster, createServer, createCurve].map((create) =>
  seedOf(create()),
);
const issuer = createAccount();
const seed = fc.constantFrom(...POOL);
const jwt = fc.constantFrom(...["a", "b"].map((jti) => signClaims({ sub: "A", jti, nats: {} }, issuer)));
const credentials = fc.constantFrom(...["u", "v"].map((name) => newCredentials(issuer, name)));
const secret = fc.oneof(seed, jwt, credentials);
/** What is right before and after: nothing, a space, adjacent letters, escapes. */
const around = fc.oneof(
  fc.constantFrom("", "x", "_", "S", "SA", "7", "é", "\\n", "%0A", "seed=", '{"seed":"', "Bearer ", "-"),
  fc.string({ maxLength: 10 }),
);

type Wrap = (text: string) => unknown;
const wrap = fc.constantFrom<Wrap[]>(
  (text) => text,
  (text) => [text],
  (text) => [[{ text }], null, 1],
  (text) => ({ deep: { deeper: [{ text }] } }),
  (text) => ({ [text]: 1 }),
  (text) => ({ token: { inner: text }, seed: [text] }),
  (text) => new Error(text),
  (text) => ({ error: new Error("outer", { cause: new Error("inner", { cause: text }) }) }),
  (text) => new Error("outer", { cause: new Error(text) }),
  (text) => Object.assign(new Error("with fields"), { details: { text } }),
  (text) => new RelightError("internal", text, { details: { text }, cause: new TypeError(text) }),
  (text) => JSON.stringify({ nested: JSON.stringify({ text }) }),
);

describe("the redactor", () => {
  test("leaves no secret in any value, however nested or concatenated", () => {
    fc.assert(
      fc.property(secret, around, around, wrap, (text, before, after, hide) => {
        const shown = JSON.stringify(redact(hide(`${before}${text}${after}`)));
        for (const part of sensitiveParts(text)) expect(shown).not.toContain(part);
      }),
      { numRuns: 2_000 },
    );
  });

  test("covers everything that is logged: message, data and the fields of every line", () => {
    fc.assert(
      fc.property(secret, around, wrap, fc.constantFrom("info", "warn", "error"), (text, before, hide, level) => {
        const lines: string[] = [];
        const write = (line: string) => void lines.push(line);
        const log = createLog({ level: "info", write, fields: { always: hide(text) } });
        log[level](`${before}${text}`, { value: hide(`${before}${text} after`) });
        expect(lines).toHaveLength(1);
        for (const part of sensitiveParts(text)) expect(lines[0]).not.toContain(part);
      }),
    );
  });

  test("shows no bytes, because they may be a seed's", () => {
    expect(redact({ key: Buffer.from("SU") })).toEqual({ key: "[bytes]" });
  });

  test("leaves public keys, ids and words alone", () => {
    const harmless = `account ${issuer.getPublicKey()} has jti 0f8fad5b-d9cb-469f-a165-70867728950e, keyJam.a.b, aws-sm://x#y`;
    expect(redactText(harmless)).toBe(harmless);
  });

  test("keeps an error's message, code and cause", () => {
    const error = new RelightError("nats.timeout", "no answer", {
      details: { n: 1 },
      cause: new Error("slow"),
    });
    expect(redact({ error })).toMatchObject({
      error: {
        code: "nats.timeout",
        message: "no answer",
        details: { n: 1 },
        cause: { name: "Error", message: "slow" },
      },
    });
  });

  test("finds a webhook's secret", () => {
    expect(redactText("bad whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw!")).toBe("bad [webhook secret]!");
  });

  test("finds the user and the token of a URL", () => {
    expect(redactText("cannot reach nats://me:s3cret@hub:4222, tls://t0ken@hub")).toBe(
      "cannot reach nats://[login]@hub:4222, tls://[login]@hub",
    );
    expect(redactText("see https://example.com/@me?to=a@b")).toBe("see https://example.com/@me?to=a@b");
  });

  test("finds a truncated block", () => {
    const key = "MC4CAQAwBQYDK2VwBCIEIHcHbQpzGKV9PBbBclGyZkXfTXW68";
    expect(redactText(`said: -----BEGIN PRIVATE KEY-----\n${key}`)).toBe("said: [credentials]");
    expect(redactText("no certificate (PEM, -----BEGIN CERTIFICATE-----)")).toContain("BEGIN CERTIFICATE");
  });

  // Each of these took minutes.
  test.each([
    "-----BEGIN x-----",
    "-----BEGIN x-----\nabcdefghijklmnopqrstuvwxyz",
    "-----BEGIN",
    "-",
    "eyJabcdefghi",
    "eyJabcdefghi.",
    "SU",
    "://",
    "://a@",
    "whsec_",
    "-END",
  ])("takes linear time: %s", (part) => {
    const long = part.repeat(1_000_000 / part.length);
    const began = performance.now();
    redactText(long);
    redactText(`${long}-----END x-----`);
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  test("leaves everything else unchanged, and survives a cycle", () => {
    const circle: Record<string, unknown> = { count: 1, name: "APP", list: [true, null] };
    circle["self"] = circle;
    expect(redact(circle)).toEqual({ count: 1, name: "APP", list: [true, null], self: "[circular]" });
    expect(redact({ token: "anything", password: "x" })).toEqual({
      token: "[token]",
      password: "[password]",
    });
  });
});

test("a log line is JSON with a constant message, its level, its time and its fields", () => {
  const lines: string[] = [];
  const log = createLog({ level: "warn", write: (line) => void lines.push(line), fields: { job: "j1" } });
  log.info("too quiet to be heard");
  log.warn("looked", { account: "A" });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { level: 40, time: expect.stringMatching(/^\d{4}-.*Z$/), job: "j1", account: "A", msg: "looked" },
  ]);
});

test("a log line has no terminal control characters, and keeps its meaning", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", write: (line) => void lines.push(line) });
  const name = "a\u001b[2J\u009b31m\n\u2028\u202e\u200b";
  log.info("looked", { name });
  expect(lines[0]).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ name });
});

/** The seed, or the signature of each JWT, in the hidden text. */
function sensitiveParts(text: string): string[] {
  const parts = [...(text.match(/S[OAUNCX][A-Z2-7]{56}/g) ?? []), ...(text.match(/[\w-]{86}/g) ?? [])];
  expect(parts.length).toBeGreaterThan(0);
  return parts;
}

test("recognizes credentials as the NATS tools write them", () => {
  const user = createUser();
  expect(redact(Buffer.from(fmtCreds("eyJh.eyJi.c2ln", user)).toString())).not.toMatch(/S[U][A-Z2-7]{56}|eyJh/);
});

test.each([
  [undefined, "info"],
  ["", "info"],
  ["loud", "info"],
  ["info", "info"],
  ["warn", "warn"],
  ["silent", "silent"],
])("RELIGHT_LOG_LEVEL %j is %s", (name, level) => expect(levelNamed(name, "info")).toBe(level));
