import { describe, expect, test } from "@jest/globals";
import { fmtCreds } from "@nats-io/jwt";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import fc from "fast-check";
import { newCredentials, seedOf, signClaims } from "../lab/keys.ts";
import { createLog, redact } from "../lib/log.ts";

/** Seeds, JWTs and credentials never leave in words, wherever in a value they hide. */

const seed = fc.constantFrom(createOperator, createAccount, createUser).map((create) => seedOf(create()));
const jwt = seed.map(() => signClaims({ sub: "A", nats: {} }, createAccount()));
const credentials = seed.map(() => newCredentials(createAccount(), "u"));
const secret = fc.oneof(seed, jwt, credentials);
const around = fc.string({ maxLength: 10 }).map((text) => `${text} `);

type Wrap = (text: string) => unknown;
const wrap = fc.constantFrom<Wrap[]>(
  (text) => text,
  (text) => [text],
  (text) => ({ deep: { deeper: [{ text }] } }),
  (text) => new Error(text),
  (text) => new Error("outer", { cause: new Error(text) }),
  (text) => Object.assign(new Error("with fields"), { details: { text } }),
);

describe("the redactor", () => {
  test("leaves no secret in anything that is logged", () => {
    fc.assert(
      fc.property(secret, around, wrap, (text, before, hide) => {
        const lines: string[] = [];
        const log = createLog({ level: "info", write: (line) => void lines.push(line) });
        log.error(`${before}${text}`, { value: hide(`${before}${text} after`) });
        const shown = lines.join("") + JSON.stringify(redact(hide(text)));
        for (const part of sensitiveParts(text)) expect(shown).not.toContain(part);
      }),
    );
  });

  test("leaves the rest as it is, and survives a circle", () => {
    const circle: Record<string, unknown> = { count: 1, name: "APP", list: [true, null] };
    circle["self"] = circle;
    expect(redact(circle)).toEqual({ count: 1, name: "APP", list: [true, null], self: "[circular]" });
    expect(redact({ token: "anything", password: "x" })).toEqual({
      token: "[token]",
      password: "[password]",
    });
  });
});

/** The seed, or the signature of each JWT, in what was hidden. */
function sensitiveParts(text: string): string[] {
  const parts = [...(text.match(/\bS[OAU][A-Z2-7]{56}/g) ?? []), ...(text.match(/[\w-]{86}/g) ?? [])];
  expect(parts.length).toBeGreaterThan(0);
  return parts;
}

test("credentials are what the NATS tools write", () => {
  const user = createUser();
  expect(redact(Buffer.from(fmtCreds("eyJh.eyJi.c2ln", user)).toString())).not.toMatch(
    /S[U][A-Z2-7]{56}|eyJh/,
  );
});
