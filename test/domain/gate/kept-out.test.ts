import { describe, expect, test } from "@jest/globals";
import { keptOut, mayKeepOut, type OwnUser } from "../../../lib/domain/gate/kept-out.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochSeconds } from "../../../lib/domain/time/time.ts";
import { claims } from "../observations.ts";

const KEY = "ASIGNINGKEY";
const NOW = epochSeconds(2_000_000_000);
const USER: OwnUser = { signedBy: KEY, now: NOW, pub: ["$JS.API.INFO"], sub: ["_INBOX_relight_X.1"] };

const having = (nats: JsonObject) => claims({ nats: { type: "account", version: 2, ...nats } }).claims;
const limits = { subs: -1, payload: -1, conn: -1 };
const scoped = (template: JsonObject) =>
  having({ limits, signing_keys: [{ kind: "user_scope", key: KEY, template }] as never });

describe("users that Relight signs are", () => {
  test.each<[string, JsonObject, RegExp]>([
    ["auth callout", { limits, authorization: { auth_users: ["UX"] } }, /auth callout/],
    ["all users revoked until now", { limits, revocations: { "*": NOW } }, /revoke all users issued before 2033/],
    ["no subscriptions", { limits: { ...limits, subs: 0 } }, /subs is 0/],
    ["no payload", { limits: { subs: -1 } }, /payload is absent/],
  ])("kept out by %s", (_what, nats, why) => {
    expect(keptOut(having(nats), USER)).toMatch(why);
  });

  test.each<[string, JsonObject, RegExp]>([
    ["other connection types", { allowed_connection_types: ["MQTT"] }, /only connections of type MQTT/],
    ["requests", { pub: { allow: ["orders.>"] } }, /forbids it to publish to \$JS.API.INFO/],
    ["denied requests", { pub: { deny: ["$JS.>"] } }, /forbids it to publish to \$JS.API.INFO/],
    ["inboxes", { sub: { allow: ["_INBOX.>"] } }, /forbids it to subscribe to _INBOX_relight/],
  ])("kept out by a scope without %s", (_what, template, why) => {
    expect(keptOut(scoped(template), USER)).toMatch(why);
  });

  test.each<[string, JsonObject]>([
    ["plain claims", { limits }],
    ["default permissions, which their own replace", { limits, default_permissions: { pub: { deny: [">"] } } }],
    ["an older revocation", { limits, revocations: { "*": NOW - 60 } }],
    ["auth callout without users", { limits, authorization: {} }],
  ])("let in by %s", (_what, nats) => {
    expect(keptOut(having(nats), USER)).toBeUndefined();
  });

  test("let in by a scope that allows what they need", () => {
    const all = { pub: {}, sub: {}, subs: -1, payload: -1, allowed_connection_types: ["STANDARD", "WEBSOCKET"] };
    expect(keptOut(scoped(all), USER)).toBeUndefined();
    expect(mayKeepOut(scoped(all), KEY)).toBeUndefined();
  });

  test("perhaps refused by a scope that limits addresses or times", () => {
    expect(mayKeepOut(scoped({ src: ["10.0.0.0/8"] }), KEY)).toMatch(/from where or when .*\(src\)/);
  });
});
