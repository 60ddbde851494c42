import { describe, expect, test } from "@jest/globals";
import { reissue } from "../../../lib/domain/claims/renewal.ts";
import { readOtherwise } from "../../../lib/domain/claims/server-reading.ts";
import { type GateInput, gate } from "../../../lib/domain/gate/gate.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, NOW, operator, stream } from "../observations.ts";

const renewed = { jti: "J2", iat: NOW, exp: NOW + 9_000 };
const system = { ...operator, systemAccount: ACCOUNT };
const NONE = { mem_storage: undefined, disk_storage: undefined, streams: undefined };
const plain = claims({}, { mem_storage: undefined, disk_storage: undefined });
const nats = (more: object, limits: object = {}) => ({
  limits: { conn: -1, subs: -1, payload: -1, ...limits },
  type: "account",
  version: 2,
  ...more,
});
const TIERS = { tiered_limits: { R1: { disk_storage: 5_000 } } };
const holding = { ok: true, value: [stream({ messages: 3, bytes: 3_000, replicas: 1 })] } as const;
const empty = { ok: true, value: [stream({ messages: 0, bytes: 0, replicas: 1 })] } as const;
const unknown = { ok: false, code: "nats.timeout", message: "no answer" } as const;

function refusals(changes: Partial<GateInput>): readonly string[] {
  const decision = gate({
    account: ACCOUNT,
    operator,
    current: claims(),
    candidate: claims(renewed),
    signatureValid: true,
    allowance: "claims",
    now: NOW,
    ...changes,
  });
  return decision.decision === "accept" ? [] : decision.refusals.map(({ code }) => code);
}

/** An unknown account. */
function first(candidate: GateInput["candidate"], more: Partial<GateInput> = {}): readonly string[] {
  const decision = gate({
    account: ACCOUNT,
    operator,
    candidate,
    signatureValid: true,
    allowance: "nothing",
    now: NOW,
    ...more,
  });
  return decision.decision === "accept" ? [] : decision.refusals.map(({ code }) => code);
}

describe("harmful claims", () => {
  test.each<[string, Partial<GateInput>, string[]]>([
    ["JetStream on the system account", { operator: system, current: plain }, ["system_jetstream"]],
    [
      "JetStream on it by a change of limits",
      { operator: system, current: plain, allowance: "jetstream-limits" },
      ["system_jetstream"],
    ],
    [
      "JetStream on it by a tier",
      { operator: system, current: plain, candidate: claims(renewed, { ...NONE, ...TIERS }) },
      ["system_jetstream"],
    ],
    ["a renewal of a system account that has it", { operator: system, allowance: "nothing" }, []],
    [
      "JetStream removed from the system account",
      { operator: system, candidate: claims(renewed, { mem_storage: 0, disk_storage: 0 }) },
      [],
    ],
    [
      "another limit of it lowered",
      { operator: system, candidate: claims(renewed, { mem_storage: 0, disk_storage: 0, conn: 5 }) },
      ["limit_lowered"],
    ],
    [
      "a negative limit that is invalid",
      { candidate: claims(renewed, { conn: -5 }) },
      ["limit_lowered", "limit_misread"],
    ],
    [
      "a limit beyond 32 bits",
      { current: claims({}, { conn: 5 }), candidate: claims(renewed, { conn: 2 ** 32 }) },
      ["limit_misread"],
    ],
    [
      "the revocation of all, ahead",
      {
        current: claims({ nats: nats({}) }),
        candidate: claims({ ...renewed, nats: nats({ revocations: { "*": NOW + 60 } }) }),
      },
      ["locked_out"],
    ],
    [
      "the revocation of all until now",
      {
        current: claims({ nats: nats({}) }),
        candidate: claims({ ...renewed, nats: nats({ revocations: { "*": NOW } }) }),
      },
      [],
    ],
    [
      "a renewal of it",
      {
        current: claims({ nats: nats({ revocations: { "*": NOW + 60 } }) }),
        candidate: claims({ ...renewed, nats: nats({ revocations: { "*": NOW + 60 } }) }),
      },
      [],
    ],
    [
      "the last signing key removed",
      {
        current: claims({ nats: nats({ signing_keys: ["A1"] }) }),
        candidate: claims({ ...renewed, nats: nats({}) }),
      },
      ["signing_key_removed"],
    ],
    [
      "one of two signing keys removed",
      {
        current: claims({ nats: nats({ signing_keys: ["A1", "A2"] }) }),
        candidate: claims({ ...renewed, nats: nats({ signing_keys: ["A2"] }) }),
      },
      [],
    ],
    [
      "Relight's own of two removed",
      {
        accountKey: "A1",
        current: claims({
          nats: nats({ signing_keys: [{ kind: "user_scope", key: "A1", role: "", template: {} }, "A2"] }),
        }),
        candidate: claims({ ...renewed, nats: nats({ signing_keys: ["A2"] }) }),
      },
      ["signing_key_removed"],
    ],
    [
      "flat limits that servers drop, removed",
      {
        current: claims({}, TIERS),
        candidate: claims(renewed, { ...NONE, ...TIERS }),
      },
      [],
    ],
    [
      "tiers instead of flat limits, while there is a stream",
      { allowance: "jetstream-limits", candidate: claims(renewed, { ...NONE, ...TIERS }), use: holding },
      ["tier_switch"],
    ],
    [
      "the same, as a person ordered",
      {
        allowance: "jetstream-limits",
        candidate: claims(renewed, { ...NONE, ...TIERS }),
        use: holding,
        allowed: ["tier_switch"],
      },
      [],
    ],
    [
      "the same with empty streams, which makes no difference",
      { allowance: "jetstream-limits", candidate: claims(renewed, { ...NONE, ...TIERS }), use: empty },
      ["tier_switch"],
    ],
    [
      "the same without streams",
      {
        allowance: "jetstream-limits",
        candidate: claims(renewed, { ...NONE, ...TIERS }),
        use: { ok: true, value: [] },
      },
      [],
    ],
    [
      "the same if that is unknown",
      { allowance: "jetstream-limits", candidate: claims(renewed, { ...NONE, ...TIERS }), use: unknown },
      ["tier_switch"],
    ],
    [
      "limits below usage",
      { allowance: "jetstream-limits", candidate: claims(renewed, { disk_storage: 2_999 }), use: holding },
      ["below_use"],
    ],
    [
      "a renewal with limits below usage",
      {
        current: claims({}, { disk_storage: 1 }),
        candidate: claims(renewed, { disk_storage: 1 }),
        use: holding,
      },
      [],
    ],
    ["an issue five minutes ahead", { candidate: claims({ ...renewed, iat: NOW + 300 }) }, []],
    ["an issue further ahead", { candidate: claims({ ...renewed, iat: NOW + 301 }) }, ["issued_ahead"]],
    [
      "a renewal of claims issued in the future",
      { current: claims({ iat: NOW + 999 }), candidate: claims({ ...renewed, iat: NOW + 1_000 }) },
      [],
    ],
    [
      "an expiry that is too large for servers",
      { candidate: claims({ ...renewed, exp: 253_402_300_799 }) },
      ["expires_too_late"],
    ],
    ["an earlier expiry", { candidate: claims({ ...renewed, exp: NOW + 12 }) }, ["expires_earlier"]],
    [
      "an earlier expiry that a person ordered",
      { candidate: claims({ ...renewed, exp: NOW + 12 }), allowed: ["expires_earlier"] },
      [],
    ],
    [
      "an immediate expiry where there was none",
      { current: claims({ exp: undefined }), candidate: claims({ ...renewed, exp: NOW + 12 }) },
      ["expires_earlier"],
    ],
  ])("%s", (_what, changes, expected) => {
    expect(refusals(changes)).toEqual(expected);
  });

  test.each<[string, Parameters<typeof claims>[1], string[]]>([
    ["no connections", { conn: 0 }, ["locked_out"]],
    ["no subscriptions", { subs: undefined }, ["locked_out"]],
    ["no payload", { payload: 0 }, ["locked_out"]],
    ["tiers beside flat limits", TIERS, ["tiers_beside_flat"]],
    ["one that has all", {}, []],
  ])("in an account's first JWT: %s", (_what, limits, expected) => {
    expect(first(claims(renewed, limits))).toEqual(expected);
  });

  test("in the first JWT of an account that already has streams: limits below usage", () => {
    expect(first(claims(renewed, { disk_storage: 1 }), { use: holding })).toEqual(["below_use"]);
    expect(first(claims(renewed), { operator: system })).toEqual(["system_jetstream"]);
  });

  test("the system account must not import a service over JetStream's API", () => {
    const imports = (subject: string) =>
      nats({ imports: [{ subject, account: "A", type: "service" }] }, { imports: -1 });
    const change = (before: string, after: string) => ({
      operator: system,
      current: claims({ nats: imports(before) }),
      candidate: claims({ ...renewed, nats: imports(after) }),
    });
    expect(refusals(change("a", "$JS.API.>"))).toEqual(["system_imports"]);
    expect(refusals(change("a", ">"))).toEqual(["system_imports"]);
    expect(refusals(change("a", "b"))).toEqual([]);
    expect(refusals(change(">", ">"))).toEqual([]);
    expect(refusals({ ...change("a", ">"), operator })).toEqual([]);
  });

  test("claims issued in the future can be repaired, if a person accepted the change", () => {
    const current = claims({ iat: NOW + 10_000 });
    expect(refusals({ current })).toEqual([]);
    expect(refusals({ current, allowance: "nothing" })).toEqual(["stale"]);
    const last = claims({ iat: Number.MAX_SAFE_INTEGER });
    const reissued = reissue(last, { issuer: last.claims.iss, id: "J2", now: epochMillis(NOW * 1000) });
    expect(refusals({ current: last, candidate: reissued, allowance: "nothing" })).toEqual([]);
  });

  test("if the claims in force are unknown: only what is always harmful", () => {
    expect(first(claims(renewed, { conn: 0 }), { notAsked: true })).toEqual([]);
    expect(first(claims({ ...renewed, iat: NOW + 301 }), { notAsked: true })).toEqual(["issued_ahead"]);
  });
});

describe("how a server reads claims", () => {
  const document = claims(renewed, {
    ...NONE,
    tiered_limits: { R1: { disk_storage: 5 } },
    mem_storage: 7,
    x: 1,
  });
  const decoded = {
    ...renewed,
    iss: document.claims.iss,
    sub: ACCOUNT,
    name: "APP",
    nats: {
      limits: {
        conn: -1,
        subs: 100,
        payload: -1,
        wildcards: true,
        tiered_limits: { R1: { disk_storage: 5 } },
      },
    },
  };
  test("counts as equal if it omits zero, unknown, or flat values beside a tier", () => {
    expect(readOtherwise(document, decoded)).toEqual([]);
  });

  test.each<[string, object, string]>([
    ["exp", { exp: 5 }, "exp as 5 instead of 1800009000"],
    ["sub", { sub: "A" }, `sub as "A" instead of "${ACCOUNT}"`],
    ["conn", { nats: { limits: { ...decoded.nats.limits, conn: 1 } } }, "nats.limits.conn as 1 instead of -1"],
    [
      "a limit that is missing",
      { nats: { limits: { ...decoded.nats.limits, subs: undefined } } },
      "nats.limits.subs as 0 instead of 100",
    ],
    [
      "a tier's limit",
      { nats: { limits: { ...decoded.nats.limits, tiered_limits: { R1: { disk_storage: 6 } } } } },
      "nats.limits.tiered_limits.R1.disk_storage as 6 instead of 5",
    ],
  ])("differs in %s", (_what, change, difference) => {
    const read = JSON.parse(JSON.stringify({ ...decoded, ...change }));
    expect(readOtherwise(document, read)).toEqual([difference]);
  });
});
