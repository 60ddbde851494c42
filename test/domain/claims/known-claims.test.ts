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

describe("what an account is renewed from, and compared with", () => {
  test.each<[string, Scene, string | undefined, string | undefined]>([
    ["what is in force", { inForce }, "J1", "J1"],
    ["what is in force, though the source has newer claims", { inForce, source: sourceOf(newer) }, "J1", "J1"],
    ["what was last seen", { seen: seenClaims }, "SEEN", "SEEN"],
    ["the source's, where nothing was seen", { source: sourceOf(older) }, "OLDER", "OLDER"],
    ["the source's, if they are newer", { source: sourceOf(newer), seen: seenClaims }, "NEWER", "NEWER"],
    ["what was last seen, if the source's are older", { source: sourceOf(older), seen: seenClaims }, "SEEN", "SEEN"],
    ["never what the source has and nobody trusts", { source: sourceOf(newer, false) }, undefined, undefined],
    [
      "never an entry that is not proved, which is compared with",
      { seen: seenClaims, proved: false },
      undefined,
      "SEEN",
    ],
    [
      "nothing that Relight can't read, which the journal is compared for",
      { inForce, seen: seenClaims, unreadable: true },
      undefined,
      "SEEN",
    ],
    ["nothing where nobody knows any", {}, undefined, undefined],
  ])("%s", (_what, scene, renewable, comparable) => {
    const found = known(scene);
    expect([found.renewable?.claims.jti, found.comparable?.claims.jti]).toEqual([renewable, comparable]);
  });

  test("the last that were seen count by themselves only while none are in force", () => {
    expect(known({ inForce, seen: seenClaims }).lastSeen).toBeUndefined();
    expect(known({ source: sourceOf(newer), seen: seenClaims }).lastSeen?.claims.jti).toBe("SEEN");
  });

  test("an entry that is not proved is named, unless it does not matter", () => {
    expect(known({ seen: seenClaims, proved: false }).unproved).toEqual(entry(seenClaims));
    expect(known({ seen: seenClaims }).unproved).toBeUndefined();
    expect(known({ inForce, seen: seenClaims, proved: false }).unproved).toBeUndefined();
  });

  test("the journal is asked for what the cluster does not say", () => {
    expect(needsJournal({ observation: observation({}), inForce })).toBe(false);
    expect(needsJournal({ observation: observation({}), inForce: undefined })).toBe(true);
    expect(needsJournal({ observation: UNREADABLE, inForce })).toBe(true);
  });
});
