import { describe, expect, test } from "@jest/globals";
import { createAccount, createUser } from "@nats-io/nkeys";
import { isPublicKey } from "../../../lib/domain/claims/nkey.ts";
import { serverObjections } from "../../../lib/domain/gate/server-checks.ts";
import { doOverlap, isContained } from "../../../lib/domain/gate/subjects.ts";
import { claims } from "../observations.ts";

const ACCOUNT = createAccount().getPublicKey();
const USER = createUser().getPublicKey();
const imported = (more: object) => ({
  imports: [{ subject: "a.*", account: ACCOUNT, type: "service", ...more }],
});
const exported = (more: object) => ({ exports: [{ subject: "a.*", type: "service", ...more }] });
const LIMITS = { imports: -1, exports: -1 };

const objectionsTo = (nats: object) =>
  serverObjections(claims({ nats: { limits: LIMITS, type: "account", version: 2, ...nats } }).claims);

/** Each was compared with the results of nats-io/jwt v2.3.0 and v2.8.3. */
describe("what servers refuse after decoding", () => {
  test.each<[string, object, RegExp]>([
    ["an import without a type", imported({ type: undefined }), /has no type/],
    ["an import without an account", imported({ account: "" }), /names no account/],
    ["an import renamed with too few wildcards", imported({ local_subject: "b" }), /wildcards that do not exist/],
    ["an import renamed with a wildcard too far", imported({ local_subject: "b.$2" }), /wildcards that do not exist/],
    ["an import that is open on one side", imported({ subject: "a.>", local_subject: "b" }), /ends in >/],
    ["an import renamed twice", imported({ local_subject: "b.$1", to: "c" }), /both local_subject and to/],
    ["an import with a token for nothing", imported({ token: "a.b.c" }), /token is not an activation/],
    ["a stream that shares", imported({ type: "stream", share: true }), /has share/],
    ["two imports of one subject", { imports: [...imported({}).imports, ...imported({}).imports] }, /overlap/],
    ["more imports than there may be", { ...imported({}), limits: { imports: 0 } }, /there are 1 imports/],
    ["a negative limit of imports", { limits: { imports: -2 } }, /there are 0 imports/],
    [
      "an export within another",
      { exports: [...exported({}).exports, { subject: "a.b", type: "service" }] },
      /already exports/,
    ],
    ["an export with wildcards", { ...exported({}), limits: { exports: 1 } }, /wildcards/],
    ["an export with an odd response type", exported({ response_type: "stream" }), /response_type/],
    ["a token that is no wildcard", exported({ account_token_position: 1 }), /account_token_position/],
    [
      "latency of a stream",
      exported({ type: "stream", service_latency: { sampling: 5, results: "r" } }),
      /service_latency/,
    ],
    ["results with wildcards", exported({ service_latency: { sampling: 5, results: "r.*" } }), /results/],
    ["a subject with an empty token", exported({ subject: "a..b" }), /empty token/],
    ["a subject with spaces", exported({ subject: "a b" }), /spaces/],
    ["a URL without a host", { info_url: "example" }, /info_url/],
    ["a long description", { description: "é".repeat(4_097) }, /description/],
    ["a tier without a name", { limits: { ...LIMITS, tiered_limits: { "": {} } } }, /tier has no name/],
    ["permission to publish to a queue", { default_permissions: { pub: { allow: ["a q"] } } }, /spaces/],
    ["a signing key of a user", { signing_keys: [USER] }, /signing key/],
    [
      "a scope's key with a wrong checksum",
      { signing_keys: [{ kind: "user_scope", key: `A${"B".repeat(55)}`, role: "", template: {} }] },
      /signing key/,
    ],
    ["callout accounts without users", { authorization: { allowed_accounts: ["*"] } }, /no users/],
    ["an invalid callout user", { authorization: { auth_users: [ACCOUNT] } }, /public key/],
    ["traces to wildcards", { trace: { dest: "t.>" } }, /trace.dest/],
    ["too much sampling", { trace: { dest: "t", sampling: 101 } }, /trace.sampling/],
    ["odd cluster traffic", { cluster_traffic: "Owner" }, /cluster_traffic/],
    [
      "weights of more than all",
      {
        mappings: {
          a: [
            { subject: "b", weight: 60 },
            { subject: "c", weight: 60 },
          ],
        },
      },
      /weights/,
    ],
    ["a mapping that is open on one side", { mappings: { ">": [{ subject: "nowhere" }] } }, /ends in >/],
    ["a mapping to a wildcard that is not there", { mappings: { "a.*": [{ subject: "b.$2" }] } }, /wildcard/],
    ["a partition by one", { mappings: { "a.*": [{ subject: "b.{{partition(3,2)}}" }] } }, /wildcard/],
    ["an unknown function", { mappings: { "a.*": [{ subject: "b.{{shuffle(1)}}" }] } }, /not a function/],
    ["a mapping of nothing", { mappings: { "a b": [] } }, /spaces/],
  ])("%s", (_what, nats, expected) => {
    expect(objectionsTo(nats).map(({ message }) => message)).toEqual([expect.stringMatching(expected)]);
  });

  test("nothing in valid claims", () => {
    const nats = {
      ...imported({ local_subject: "b.$1" }),
      ...exported({ account_token_position: 2 }),
      signing_keys: [ACCOUNT, null],
      info_url: "https://example.com/x?y=%",
      tags: ["a"],
      trace: { dest: "t" },
      cluster_traffic: "owner",
      authorization: { auth_users: [USER] },
      default_permissions: { pub: { allow: ["a"] }, sub: { allow: ["a q"] }, resp: { max: 1, ttl: 1 } },
      mappings: {
        "a.*": [
          { subject: "b.{{partition(3,1)}}", weight: 50 },
          { subject: "c.$1", weight: 50 },
        ],
      },
    };
    expect(objectionsTo(nats)).toEqual([]);
  });

  test("names what only newer servers refuse", () => {
    expect(objectionsTo({ cluster_traffic: "x" })).toMatchObject([{ everywhere: false }]);
    expect(objectionsTo(exported({ subject: "a..b" }))).toMatchObject([{ everywhere: false }]);
    expect(objectionsTo(exported({ subject: "a b" }))).toMatchObject([{ everywhere: true }]);
  });
});

test("a public key has its kind's prefix and checksum", () => {
  expect(isPublicKey(ACCOUNT, "account")).toBe(true);
  expect(isPublicKey(USER, "user")).toBe(true);
  expect(isPublicKey(USER, "account")).toBe(false);
  const last = ACCOUNT.endsWith("A") ? "B" : "A";
  expect(isPublicKey(`${ACCOUNT.slice(0, -1)}${last}`, "account")).toBe(false);
  expect(isPublicKey(ACCOUNT.toLowerCase(), "account")).toBe(false);
});

test.each<[string, string, boolean, boolean]>([
  ["a.b", "a.*", true, true],
  ["a.*", "a.b", false, true],
  ["a.b.c", "a.>", true, true],
  ["a", "a.>", false, false],
  [">", "a.>", false, true],
  ["a.*", "*.b", false, true],
  ["a.b", "a.c", false, false],
])("%s within %s: %s; meets it: %s", (inner, outer, within, meets) => {
  expect(isContained(inner, outer)).toBe(within);
  expect([doOverlap(inner, outer), doOverlap(outer, inner)]).toEqual([meets, meets]);
});
