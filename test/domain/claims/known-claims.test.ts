import { describe, expect, test } from "@jest/globals";
import type { ClaimsDocument } from "../../../lib/domain/claims/claims.ts";
import type { SourceView } from "../../../lib/domain/claims/claims-source.ts";
import { type KnownClaims, knownClaims, needsJournal } from "../../../lib/domain/claims/known-claims.ts";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { claims, NOW, observation, operator } from "../observations.ts";

const inForce = claims();
const seenClaims = claims({ jti: "SEEN", iat: NOW - 300 });
const older = claims({ jti: "OLDER", iat: NOW - 500 });
const newer = claims({ jti: "NEWER", iat: NOW - 50 });
const entry = (document: ClaimsDocument): JournalEntry => ({
  at: epochMillis(NOW * 1_000),
  job: "j",
  account: document.claims.sub,
  kind: "claims.seen",
  data: { jti: document.claims.jti, claims: document.text },
});
const sourceOf = (document: ClaimsDocument, signatureValid = true): SourceView => ({
  name: "folder:jwts",
  sourced: {
    ok: true,
    value: { state: "found", claims: { document, signatureValid }, token: "x.y.z", place: "APP.jwt" },
  },
});
const UNREADABLE = observation({ running: { ok: false, code: "claims.unreadable", message: "no" } });

interface Scene {
  readonly inForce?: ClaimsDocument;
  readonly source?: SourceView;
  readonly seen?: ClaimsDocument;
  readonly proved?: boolean;
  readonly unreadable?: true;
}

function known({ inForce, source, seen, proved = true, unreadable }: Scene): KnownClaims {
  return knownClaims({
    observation: unreadable ? UNREADABLE : observation({}),
    inForce,
    source,
    seen: seen === undefined ? [] : [entry(seen)],
    operator,
    isProved: () => proved,
  });
}

describe("the claims from which an account is renewed, and with which it is compared", () => {
  test.each<[string, Scene, string | undefined, string | undefined]>([
    ["the claims in force", { inForce }, "J1", "J1"],
    ["the claims in force, even if the source has newer ones", { inForce, source: sourceOf(newer) }, "J1", "J1"],
    ["the last seen claims", { seen: seenClaims }, "SEEN", "SEEN"],
    ["the source's, if none were seen", { source: sourceOf(older) }, "OLDER", "OLDER"],
    ["the source's, if they are newer", { source: sourceOf(newer), seen: seenClaims }, "NEWER", "NEWER"],
    ["the last seen ones, if the source's are older", { source: sourceOf(older), seen: seenClaims }, "SEEN", "SEEN"],
    ["never the source's if nobody trusted signed them", { source: sourceOf(newer, false) }, undefined, undefined],
    [
      "never an entry without a proof, but the comparison uses it",
      { seen: seenClaims, proved: false },
      undefined,
      "SEEN",
    ],
    [
      "none that Relight can't read; the comparison uses the journal",
      { inForce, seen: seenClaims, unreadable: true },
      undefined,
      "SEEN",
    ],
    ["none if there are none", {}, undefined, undefined],
  ])("%s", (_what, scene, renewable, comparable) => {
    const found = known(scene);
    expect([found.renewable?.claims.jti, found.comparable?.claims.jti]).toEqual([renewable, comparable]);
  });

  test("the last seen claims count only if none are in force", () => {
    expect(known({ inForce, seen: seenClaims }).lastSeen).toBeUndefined();
    expect(known({ source: sourceOf(newer), seen: seenClaims }).lastSeen?.claims.jti).toBe("SEEN");
  });

  test("an entry without a proof is reported, unless it does not matter", () => {
    expect(known({ seen: seenClaims, proved: false }).unproved).toEqual(entry(seenClaims));
    expect(known({ seen: seenClaims }).unproved).toBeUndefined();
    expect(known({ inForce, seen: seenClaims, proved: false }).unproved).toBeUndefined();
  });

  test("the journal is read only if the cluster lacks the claims", () => {
    expect(needsJournal({ observation: observation({}), inForce })).toBe(false);
    expect(needsJournal({ observation: observation({}), inForce: undefined })).toBe(true);
    expect(needsJournal({ observation: UNREADABLE, inForce })).toBe(true);
  });
});
