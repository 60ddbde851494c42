import { describe, expect, test } from "@jest/globals";
import type { ClaimsDocument } from "../../../lib/domain/claims/claims.ts";
import type { Observation } from "../../../lib/domain/observation/observation.ts";
import { disagreement } from "../../../lib/domain/observation/readings.ts";
import { claims, observation, operator } from "../observations.ts";

/** A critical account is renewed only if at least two independent readings of its claims agree. */

const NONE = { ok: true, value: [] } as const;
const running = (...documents: readonly ClaimsDocument[]): Observation["running"] => ({
  ok: true,
  value: documents.map((document, index) => ({
    server: `s${index + 1}`,
    loaded: true,
    expired: false,
    jetstream: true,
    signatureValid: true,
    document,
  })),
});
const stored = (document: ClaimsDocument | undefined): Observation["stored"] => ({
  ok: true,
  value: document && { document, signatureValid: true },
});
/** @param known the journal's claims; null: none. */
const of = (seen: Partial<Observation>, known: ClaimsDocument | null = claims()) =>
  disagreement(observation(seen), operator, known ?? undefined);

describe("readings", () => {
  test("of the servers, the resolver and the journal agree", () => {
    expect(of({})).toBeUndefined();
    expect(of({ running: running(claims(), claims()) })).toBeUndefined();
  });

  test.each<[string, Partial<Observation>, boolean]>([
    ["the servers and the resolver", {}, false],
    ["the servers and the journal", { stored: stored(undefined) }, true],
    ["the resolver and the journal", { running: NONE }, true],
  ])("of %s are enough", (_what, seen, isKnown) => {
    expect(of(seen, isKnown ? claims() : null)).toBeUndefined();
  });

  test.each<[string, Partial<Observation>, boolean]>([
    ["the servers alone", { stored: stored(undefined) }, false],
    ["the resolver alone", { running: NONE }, false],
    ["the journal alone", { running: NONE, stored: stored(undefined) }, true],
  ])("of %s are only one", (_what, seen, isKnown) => {
    expect(of(seen, isKnown ? claims() : null)).toBe("there is only one reading of its claims");
  });

  test("of nobody are none", () => {
    expect(of({ running: NONE, stored: stored(undefined) }, null)).toBe("its claims are unknown");
  });

  const other = claims({ jti: "J2", iat: claims().claims.iat - 1 });
  test.each<[string, Partial<Observation>, string]>([
    ["one server's claims", { running: running(claims(), other) }, "s2 runs different claims"],
    ["two servers' claims", { running: running(other, other, claims()) }, "s1, s2 run different claims"],
    ["the resolver's claims", { stored: stored(other) }, "the resolver holds different claims"],
  ])("disagree if %s differ", (_what, seen, why) => {
    expect(of(seen)).toBe(why);
  });

  test("disagree if more changed since the journal's entry than a renewal changes", () => {
    const renewed = claims({ jti: "J0", exp: claims().claims.exp });
    expect(of({}, renewed)).toBeUndefined();
    expect(of({}, claims({ jti: "J0" }, { conn: 5 }))).toBe("its claims differ from the journal's in nats.limits.conn");
  });
});
