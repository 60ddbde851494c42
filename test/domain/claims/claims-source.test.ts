import { describe, expect, test } from "@jest/globals";
import type { ClaimsDocument } from "../../../lib/domain/claims/claims.ts";
import { compareClaims } from "../../../lib/domain/claims/claims-comparison.ts";
import { differenceOf, fingerprintOf, type SourceAccount } from "../../../lib/domain/claims/claims-source.ts";
import { failureClassOf } from "../../../lib/domain/incidents/incident.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { sourceFindings } from "../../../lib/domain/verdict/source-findings.ts";
import { claims, FAILED, NOW, observation, operator } from "../observations.ts";

const found = (document: ClaimsDocument, signatureValid = true): SourceAccount => ({
  state: "found",
  claims: { document, signatureValid },
  token: "x.y.z",
  place: "APP.jwt",
});
const ABSENT: SourceAccount = { state: "absent" };
const older = { jti: "J0", iat: NOW - 200, exp: NOW + 500 };
const newer = { jti: "J2", iat: NOW - 50, exp: NOW + 2_000 };
const stranger = `O${"Z".repeat(55)}`;

describe("a difference between the source of truth and the cluster", () => {
  test.each<[string, SourceAccount, ClaimsDocument | undefined, object | undefined]>([
    ["none for equal claims", found(claims()), claims(), undefined],
    ["none for claims that were renewed in the cluster", found(claims(older)), claims(), undefined],
    ["for a renewal that the cluster lacks", found(claims(newer)), claims(), { kind: "differs", newer: "source" }],
    [
      "for other limits, even if the cluster's are newer",
      found(claims(older, { conn: 5 })),
      claims(),
      { kind: "differs", newer: "cluster" },
    ],
    [
      "for other signing keys",
      found(claims({ ...newer, nats: { signing_keys: ["A"], type: "account", version: 2 } })),
      claims(),
      { kind: "differs" },
    ],
    ["for an account that the cluster lacks", found(claims()), undefined, { kind: "missing" }],
    ["for an account that the source lacks", ABSENT, claims(), { kind: "unknown" }],
    ["none if neither has the account", ABSENT, undefined, undefined],
    ["none if the source is unclear", { state: "unclear", problem: "x" }, claims(), undefined],
    [
      "for a JWT of another operator",
      found(claims({ iss: stranger })),
      claims(),
      { kind: "untrusted", issuer: stranger },
    ],
    ["for a JWT with a wrong signature", found(claims(), false), claims(), { kind: "untrusted" }],
  ])("%s", (_what, sourced, inForce, difference) => {
    const seen = differenceOf(sourced, inForce, operator);
    if (difference === undefined) expect(seen).toBeUndefined();
    else expect(seen).toMatchObject(difference);
  });

  const print = (sourced: SourceAccount, inForce: ClaimsDocument): string => {
    const difference = differenceOf(sourced, inForce, operator);
    if (difference === undefined) throw new Error("there is no difference");
    return fingerprintOf(difference, sourced);
  };
  const source = found(claims(older, { conn: 5 }));

  test("its fingerprint survives a renewal, and changes with either side", () => {
    const adopted = print(source, claims());
    expect(print(source, claims({ jti: "J9", iat: NOW, exp: NOW + 9_999 }))).toBe(adopted);
    expect(print(source, claims({}, { conn: 7 }))).not.toBe(adopted);
    expect(print(found(claims({ ...older, jti: "J5" }, { conn: 5 })), claims())).not.toBe(adopted);
    expect(print(ABSENT, claims())).not.toBe(adopted);
  });
});

describe("findings about the source of truth", () => {
  const findings = (sourced: SourceAccount, changes: object = {}, adopted?: string) =>
    sourceFindings(observation(changes), operator, {
      name: "nsc:store",
      sourced: { ok: true, value: sourced },
      ...(adopted === undefined ? {} : { adopted }),
    }).map(({ code, health }) => `${code} ${health}`);
  const NOWHERE = { running: { ok: true, value: [] }, stored: { ok: true, value: undefined } };

  test.each<[string, readonly string[], readonly string[]]>([
    ["the same", findings(found(claims())), []],
    ["other claims", findings(found(claims({}, { conn: 1 }))), ["source.differs degraded"]],
    ["a foreign JWT", findings(found(claims({ iss: stranger }))), ["source.differs degraded"]],
    ["nothing", findings(ABSENT), ["source.unknown_account degraded"]],
    ["an unreadable source", findings({ state: "unclear", problem: "BAD.jwt" }), ["source.unavailable unknown"]],
    ["an account that the cluster lacks", findings(found(claims()), NOWHERE), ["source.missing_account dead"]],
    ["an account that neither has", findings(ABSENT, NOWHERE), []],
    ["anything, while the cluster does not answer", findings(found(claims({}, { conn: 1 })), { running: FAILED }), []],
    ["anything, while the resolver does not answer", findings(ABSENT, { stored: FAILED }), []],
  ])("%s", (_what, seen, expected) => expect(seen).toEqual(expected));

  test("an unreadable source is unknown, never equal", () => {
    const seen = sourceFindings(observation(), operator, { name: "nsc:store", sourced: FAILED });
    expect(seen).toMatchObject([{ code: "source.unavailable", health: "unknown" }]);
  });

  test("without a source there is no such finding", () =>
    expect(sourceFindings(observation(), operator, undefined)).toEqual([]));

  test("an adopted difference is silent until it changes", () => {
    const sourced = found(claims(older, { conn: 5 }));
    const difference = differenceOf(sourced, claims(), operator);
    if (difference === undefined) throw new Error("there is no difference");
    const adopted = fingerprintOf(difference, sourced);
    expect(findings(sourced, {}, adopted)).toEqual([]);
    expect(findings(found(claims(older, { conn: 6 })), {}, adopted)).toEqual(["source.differs degraded"]);
  });

  test.each<[string, SourceAccount, object, string]>([
    ["other claims", found(claims({}, { conn: 1 })), {}, "claims_differ"],
    ["an account that is missing", found(claims()), NOWHERE, "account_missing"],
  ])("%s have their own failure class", (_what, sourced, changes, expected) => {
    const standards = { operator, unfinishedToggle: false, unfinishedChanges: [] };
    const source = { name: "nsc:store", sourced: { ok: true, value: sourced } } as const;
    expect(failureClassOf(assess(observation(changes), { ...standards, source }))).toBe(expected);
  });
});

describe("the comparison of source, resolver and servers", () => {
  const document = claims();
  const held = (of: ClaimsDocument | undefined, signatureValid = true) =>
    ({ ok: true, value: of && { document: of, signatureValid } }) as const;
  const on = (...documents: readonly ClaimsDocument[]) =>
    ({
      ok: true,
      value: documents.map((of, index) => {
        return {
          server: `s${index + 1}`,
          loaded: true,
          expired: false,
          jetstream: true,
          signatureValid: true,
          document: of,
        } as const;
      }),
    }) as const;
  const sourced = (of: SourceAccount) => ({ ok: true, value: of }) as const;
  const compare = (places: object) =>
    compareClaims({ stored: held(document), running: on(document), ...places }, operator);

  test.each<[string, object, string, readonly string[]]>([
    ["the same everywhere", { source: sourced(found(document)) }, "same", []],
    ["no source, and no drift", {}, "same", []],
    ["renewed in the cluster", { source: sourced(found(claims(older))) }, "same", ["source → resolver: iat,exp,jti"]],
    ["newer in the source", { source: sourced(found(claims(newer))) }, "differs", ["source → resolver: iat,exp,jti"]],
    [
      "other limits",
      { source: sourced(found(claims({}, { conn: 3 }))) },
      "differs",
      ["source → resolver: nats.limits.conn"],
    ],
    ["a server that runs another", { running: on(document, claims({ jti: "J9" })) }, "differs", ["resolver → s2: jti"]],
    [
      "not in the resolver",
      { stored: held(undefined), source: sourced(found(claims({}, { conn: 3 }))) },
      "missing",
      ["source → s1: nats.limits.conn"],
    ],
    [
      "nowhere in the cluster",
      { stored: held(undefined), running: on(), source: sourced(found(document)) },
      "missing",
      [],
    ],
    ["not in the source", { source: sourced(ABSENT) }, "differs", []],
    ["not loaded anywhere", { running: { ok: true, value: [{ server: "s1", loaded: false }] } }, "same", []],
    ["no answer from the resolver", { stored: FAILED }, "unknown", []],
    ["no answer from the source", { source: FAILED }, "unknown", []],
    ["an unclear source", { source: sourced({ state: "unclear", problem: "BAD" }) }, "unknown", []],
    ["untrusted in the resolver", { stored: held(document, false) }, "differs", []],
  ])("%s", (_what, places, state, lines) => {
    const seen = compare(places);
    expect(seen.state).toBe(state);
    const shown = seen.comparisons.map(({ from, to, changes }) => {
      return `${from} → ${to}: ${changes.map(({ path }) => path).join(",")}`;
    });
    expect(shown.map((line) => line.split(": ")[0])).toEqual(lines.map((line) => line.split(": ")[0]));
    expect(shown.map((line) => line.split(": ")[1]?.split(",").sort())).toEqual(
      lines.map((line) => line.split(": ")[1]?.split(",").sort()),
    );
  });
});
