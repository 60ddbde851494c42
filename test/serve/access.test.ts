import { describe, expect, test } from "@jest/globals";
import { type EpochMillis, epochMillis } from "../../lib/domain/time/time.ts";
import { type AccessSettings, accessOf, type Caller } from "../../lib/http/access.ts";
import { lockout, networkOf } from "../../lib/http/lockout.ts";
import { roleOf } from "../../lib/http/person.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** Who is let in, and who is locked out. */

const MINUTE = 60_000;
const OPERATOR = "operator-token-0123456789";
const VIEWER = "viewer-token-0123456789";
const TOKENS: AccessSettings = {
  tokens: [
    { role: "operator", token: OPERATOR },
    { role: "viewer", token: VIEWER },
  ],
};

function accessWith(settings: AccessSettings) {
  const clock = { now: Date.UTC(2030, 0, 1) };
  const log = fakeLog();
  const access = accessOf(settings, { now: () => epochMillis(clock.now), log });
  return { access, clock, log };
}

const caller = (headers: Record<string, string> = {}, address = "10.0.0.5"): Caller => {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return { address, header: (name) => lower.get(name.toLowerCase()) };
};
const bearer = (token: string, address?: string): Caller => caller({ authorization: `Bearer ${token}` }, address);

describe("a token", () => {
  test("names its role, in a header and typed", () => {
    const { access } = accessWith(TOKENS);
    expect(access.letIn(bearer(OPERATOR))).toEqual({ name: "the operator token", role: "operator", way: "token" });
    expect(access.letIn(bearer(VIEWER))).toMatchObject({ role: "viewer" });
    expect(access.roleOfToken(VIEWER, caller())).toBe("viewer");
    expect(access.letIn(caller())).toBeUndefined();
    expect(access.letIn(caller({ authorization: "Basic YTpi" }))).toBeUndefined();
  });

  test("that is wrong is refused; after five the address is locked, even for right ones", () => {
    const { access, clock, log } = accessWith(TOKENS);
    for (let tries = 0; tries < 5; tries++)
      expect(() => access.letIn(bearer("wrong-token"))).toThrow("the token is wrong");
    expect(() => access.letIn(bearer(OPERATOR))).toThrow(expect.objectContaining({ code: "request.locked" }));
    expect(access.letIn(bearer(OPERATOR, "10.0.0.6"))).toMatchObject({ role: "operator" });
    expect(log.lines).toEqual([
      { level: "warn", message: "an address was locked after too many failures", data: { address: "10.0.0.5" } },
    ]);
    clock.now += 15 * MINUTE;
    expect(access.letIn(bearer(OPERATOR))).toMatchObject({ role: "operator" });
  });

  test("that is right ends the count", () => {
    const { access } = accessWith(TOKENS);
    for (let round = 0; round < 3; round++) {
      for (let tries = 0; tries < 4; tries++) expect(() => access.roleOfToken("wrong", caller())).toThrow();
      expect(access.roleOfToken(OPERATOR, caller())).toBe("operator");
    }
  });
});

describe("a trusted proxy", () => {
  const proxy = { addresses: ["10.1.0.0/16", "::1"], user: "X-User", operators: ["ada"], viewers: ["*"] };
  const { access } = accessWith({ tokens: [], trustedProxy: proxy });

  test("names the person, from its own addresses only", () => {
    expect(access.letIn(caller({ "x-user": "ada" }, "10.1.2.3"))).toEqual({
      name: "ada",
      role: "operator",
      way: "trustedProxy",
    });
    expect(access.letIn(caller({ "x-user": "ada" }, "::ffff:10.1.2.3"))).toMatchObject({ role: "operator" });
    expect(access.letIn(caller({ "x-user": "bob" }, "::1"))).toMatchObject({ role: "viewer" });
    expect(access.letIn(caller({ "x-user": "ada" }, "10.2.0.1"))).toBeUndefined();
    expect(access.letIn(caller({ "x-user": "ada" }, "unknown"))).toBeUndefined();
    expect(access.letIn(caller({}, "10.1.2.3"))).toBeUndefined();
  });

  test.each([
    ["", /is empty/],
    ["  ", /is empty/],
    ["a\u0000b", /has control characters/],
    ["ad\u200ba", /or invisible ones/],
    ["x".repeat(5_000), /has 5000 characters; at most 200 are kept/],
  ])("that names %j names nobody, and says why", (user, why) => {
    expect(() => access.letIn(caller({ "x-user": user }, "10.1.2.3"))).toThrow(why);
  });

  test("gives roles by group, and none to others", () => {
    const grouped = { ...proxy, groups: "X-Groups", operators: ["sre"], viewers: ["dev"] };
    const { access: byGroup } = accessWith({ tokens: [], trustedProxy: grouped });
    const from = (groups: string) => caller({ "x-user": "ada", "x-groups": groups }, "10.1.0.1");
    expect(byGroup.letIn(from("dev, sre"))).toMatchObject({ role: "operator" });
    expect(byGroup.letIn(from("dev"))).toMatchObject({ role: "viewer" });
    // The proxy's address must not be locked because of somebody without a role.
    for (let tries = 0; tries < 9; tries++)
      expect(() => byGroup.letIn(from("ops"))).toThrow("ada is neither an operator nor a viewer");
    expect(() => byGroup.letIn(from(""))).toThrow("neither");
    expect(() => byGroup.checkLock(from(""))).not.toThrow();
  });
});

test.each<[string[], string | undefined]>([
  [["sre"], "operator"],
  [["sre", "dev"], "operator"],
  [["dev"], "viewer"],
  [[], undefined],
])("%j is %s", (names, role) => expect(roleOf({ operators: ["sre"], viewers: ["dev"] }, names)).toBe(role));

describe("the lock", () => {
  const at = { now: 0 };
  const locks = () => lockout(() => at.now as EpochMillis);

  test("forgets failures that are old", () => {
    const lock = locks();
    for (let tries = 0; tries < 4; tries++) lock.fail("a");
    at.now += 15 * MINUTE;
    expect(lock.fail("a")).toBe(false);
  });

  test("counts the addresses of one IPv6 network together, and others apart", () => {
    const lock = locks();
    for (let tries = 1; tries <= 5; tries++) lock.fail(`2001:db8:0:1::${tries}`);
    expect(lock.lockedFor("2001:db8:0:1:ffff::1")).toBe(15 * MINUTE);
    expect(lock.lockedFor("2001:db8:0:2::1")).toBeUndefined();
  });

  test("remembers a bounded number of addresses", () => {
    const lock = locks();
    for (let tries = 0; tries < 5; tries++) lock.fail("first");
    for (let index = 0; index < 10_000; index++) lock.fail(`other-${index}`);
    expect(lock.lockedFor("first")).toBeUndefined();
  });

  test.each([
    ["10.0.0.1", "10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["2001:DB8::1", "2001:db8:0:0::/64"],
    ["2001:db8:0:0:1:2:3:4", "2001:db8:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
  ])("takes %s for %s", (address, network) => expect(networkOf(address)).toBe(network));
});
