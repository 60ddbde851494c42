import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { lockouts, type SystemUser } from "../../../lib/domain/gate/lockout.ts";
import { ACCOUNT, claims, LIMITS, NOW } from "../observations.ts";

const USER: SystemUser = { id: "U1", signedBy: "A1", iat: NOW - 50, hasPermissions: false };
const scope = (template: object = {}) => ({ kind: "user_scope", key: "A1", role: "", template });
const nats = (more: object, limits: object = LIMITS) =>
  claims({ nats: { limits, type: "account", version: 2, ...more } }).claims;
const KEYS = { signing_keys: ["A1", "A2"] };

type Input = Parameters<typeof lockouts>[0];
const codes = (before: object | undefined, after: object, more: Partial<Input> = {}): readonly string[] =>
  lockouts({
    account: ACCOUNT,
    systemAccount: undefined,
    now: NOW,
    after: nats({ ...KEYS, ...after }),
    before: before && nats({ ...KEYS, ...before }),
    ...more,
  }).map(({ code }) => code);
const system = (before: object | undefined, after: object, user: Partial<SystemUser> = {}) =>
  codes(before, after, { systemAccount: ACCOUNT as AccountId, systemUser: { ...USER, ...user } });

describe("any account", () => {
  test.each<[string, object, string[]]>([
    ["one of two signing keys", { signing_keys: ["A2"] }, []],
    ["all signing keys in place of others", { signing_keys: ["A3"] }, ["signing_key_removed"]],
    ["all of them scoped", { signing_keys: [scope(), { ...scope(), key: "A2" }] }, ["signing_key_removed"]],
    ["one plain and scoped, where the last counts", { signing_keys: ["A1", scope()] }, ["signing_key_removed"]],
    ["all denied", { default_permissions: { sub: { deny: ["a", ">"] } } }, ["locked_out"]],
    ["all but some denied", { default_permissions: { sub: { deny: ["a.>"] } } }, []],
    ["JetStream's API mapped", { mappings: { "$JS.*.INFO": [{ subject: "a" }] } }, ["locked_out"]],
    ["a domain's API mapped", { mappings: { "$JS.hub.API.>": [{ subject: "$JS.API.>" }] } }, []],
    ["all revoked until now", { revocations: { "*": NOW } }, []],
  ])("%s", (_what, after, expected) => {
    expect(codes({}, after)).toEqual(expected);
    // A renewal may keep what is already in force.
    expect(codes(after, after)).toEqual([]);
  });

  test("the key that Relight signs with, given a scope", () => {
    const after = { signing_keys: [scope(), "A2"] };
    expect(codes({}, after, { accountKey: "A1" })).toEqual(["signing_key_removed"]);
    expect(codes({}, after, { accountKey: "A2" })).toEqual([]);
  });

  test("a first JWT without a signing key, if the operator requires one", () => {
    expect(codes(undefined, { signing_keys: [] }, { strict: true })).toEqual(["locked_out"]);
    expect(codes(undefined, { signing_keys: [] })).toEqual([]);
  });
});

describe("the system account", () => {
  test.each<[string, object, Partial<SystemUser>, string[]]>([
    ["its user's key", { signing_keys: ["A2"] }, {}, ["signing_key_removed"]],
    ["another key", { signing_keys: ["A1"] }, {}, []],
    ["the user revoked", { revocations: { U1: NOW - 50 } }, {}, ["locked_out"]],
    ["all revoked until now", { revocations: { "*": NOW } }, {}, ["locked_out"]],
    ["those from before the user revoked", { revocations: { "*": NOW - 51 } }, {}, []],
    ["callout without the user", { authorization: { auth_users: ["U2"] } }, {}, ["locked_out"]],
    ["callout with the user", { authorization: { auth_users: ["U2", "U1"] } }, {}, []],
    ["requests mapped", { mappings: { "$SYS.>": [{ subject: "a.>" }] } }, {}, ["locked_out"]],
    ["only answers", { default_permissions: { resp: { max: 1, ttl: 1 } } }, {}, ["locked_out"]],
    ["no inbox", { default_permissions: { sub: { deny: ["_INBOX.>"] } } }, {}, ["locked_out"]],
    ["no inbox for others", { default_permissions: { sub: { deny: ["_INBOX.>"] } } }, { hasPermissions: true }, []],
    [
      "the subjects it needs",
      { default_permissions: { pub: { allow: ["$SYS.>"] }, sub: { allow: ["$SYS.>", "_INBOX.>"] } } },
      {},
      [],
    ],
  ])("%s", (_what, after, user, expected) => {
    expect(system({}, after, user)).toEqual(expected);
    expect(system(after, after, user)).toEqual([]);
  });

  test("a narrower scope of the key that signed its user", () => {
    const before = { signing_keys: [scope()] };
    const after = { signing_keys: [scope({ pub: { allow: ["x"] } })] };
    expect(system(before, after)).toEqual(["locked_out"]);
  });
});
