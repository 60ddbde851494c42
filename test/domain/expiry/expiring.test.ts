import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { readPayload } from "../../../lib/domain/claims/jwt-text.ts";
import { covers } from "../../../lib/domain/claims/shares.ts";
import { byUrgency, type Ending, expiringJson, judge } from "../../../lib/domain/expiry/expiring.ts";
import {
  activationEnding,
  activationsOf,
  endingOf,
  tokenOfCredentials,
} from "../../../lib/domain/expiry/expiring-tokens.ts";
import { epochMillis, toMillis } from "../../../lib/domain/time/time.ts";
import { ACCOUNT, claims, NOW } from "../observations.ts";
import { inDays, newPolicy } from "../policies.ts";

const now = toMillis(NOW);
const jwtOf = (payload: object): string => `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
const ending = (kind: Ending["kind"], left: number, more: Partial<Ending> = {}): Ending => ({
  kind,
  what: "x",
  begins: epochMillis(now - inDays(90 - left)),
  expiresAt: epochMillis(now + inDays(left)),
  ...more,
});

describe("the severity of what expires", () => {
  test.each<[string, Ending, string]>([
    ["credentials before the window", ending("credentials", 31), "ok"],
    ["credentials when it opens", ending("credentials", 29), "warning"],
    ["credentials near the end", ending("credentials", 4), "critical"],
    ["credentials after it", ending("credentials", -1), "critical"],
    ["the operator when the window opens", ending("operator", 29), "critical"],
    ["the system user when it opens", ending("system-credentials", 29), "critical"],
    ["the system account when it opens", ending("system-account", 29), "critical"],
    ["a certificate, which renews itself", ending("certificate", 29), "ok"],
    ["a certificate that did not", ending("certificate", 9), "warning"],
    ["an account, which is renewed", ending("account", 29), "ok"],
    ["an account that was not", ending("account", 9), "warning"],
    ["what never expires", { kind: "operator", what: "x" }, "ok"],
    ["a fault besides", ending("activation", 60, { fault: "revoked" }), "warning"],
    ["an unreadable one", ending("certificate", 60, { unseen: "no answer" }), "unknown"],
  ])("%s", (_what, item, severity) => {
    expect(judge(item, newPolicy(), now).severity).toBe(severity);
  });

  test("has the time, and the most urgent first", () => {
    const all = [ending("account", 60), ending("credentials", 20), ending("credentials", -2), ending("operator", 3)];
    const judged = all.map((item) => judge(item, newPolicy(), now)).sort(byUrgency);
    expect(judged.map(({ message }) => message)).toEqual([
      "expired 2d ago",
      "expires in 3d",
      "expires in 20d",
      "expires in 60d",
    ]);
    expect(expiringJson(judge({ kind: "operator", what: "x" }, newPolicy(), now))).toMatchObject({
      expiresAt: null,
    });
  });
});

describe("tokens", () => {
  test("have an expiry and a name", () => {
    const token = jwtOf({ iat: NOW, exp: NOW + 9, name: "é" });
    expect(endingOf("credentials", "env:X", token)).toMatchObject({
      what: "env:X (é)",
      expiresAt: now + 9_000,
    });
    const creds = `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSU\n`;
    expect(tokenOfCredentials(creds)).toBe(token);
    expect(endingOf("operator", "o", jwtOf({ exp: 0 }))).toEqual({ kind: "operator", what: "o" });
  });

  test.each(["", "a.b", "a.!!.c", `x.${Buffer.from("[1]").toString("base64url")}.y`])("are absent in: %j", (text) => {
    expect(readPayload(text)).toBeUndefined();
    expect(endingOf("operator", "o", text).unseen).toBeDefined();
  });

  test.each([
    ["a.b", "a.b", true],
    ["a.*", "a.b", true],
    ["a.>", "a.b.c", true],
    ["a.>", "a.>", true],
    ["a.>", "a.*.c", true],
    ["a.>", "a", false],
    ["a.*", "a.>", false],
    ["a.b", "a.*", false],
    ["a.b", "a.b.c", false],
    ["a.b.c", "a.b", false],
  ])("%s covers %s: %s", (pattern, subject, expected) => {
    expect(covers(pattern, subject)).toBe(expected);
  });
});

describe("activation tokens", () => {
  const EXPORTER = `A${"E".repeat(55)}` as AccountId;
  const KEY = `A${"K".repeat(55)}`;
  const token = (more: object = {}): string =>
    jwtOf({
      iss: EXPORTER,
      iat: NOW - 10,
      exp: NOW + 86_400,
      nats: { subject: "a.b", kind: "stream" },
      ...more,
    });
  const importing = (text: unknown) =>
    claims({
      nats: { imports: [{ account: EXPORTER, subject: "a.b", token: text }], type: "account", version: 2 },
    }).claims;
  const exporting = (more: object = {}, keys: unknown = [{ key: KEY }]) =>
    claims({
      sub: EXPORTER,
      name: "EXP",
      nats: {
        exports: [{ subject: "a.*", type: "stream", ...more }],
        signing_keys: keys,
        type: "account",
        version: 2,
      },
    }).claims;
  const endOf = (text: string, exporter?: ReturnType<typeof exporting>) => {
    const [activation] = activationsOf(importing(text));
    if (activation === undefined) throw new Error("there is none");
    return activationEnding(ACCOUNT, "APP", activation, exporter);
  };

  test.each<[string, string, ReturnType<typeof exporting> | undefined, string | undefined]>([
    ["good", token(), exporting(), undefined],
    ["signed by a scoped signing key", token({ iss: KEY }), exporting(), undefined],
    ["signed by a key that is gone", token({ iss: KEY }), exporting({}, []), "no longer one of its exporter's"],
    ["for a subject that is no longer exported", token(), exporting({ subject: "b" }), "no longer exports"],
    ["for a service that is a stream", token(), exporting({ type: "service" }), "no longer exports"],
    ["revoked", token(), exporting({ revocations: { [ACCOUNT]: NOW - 10 } }), "revoked"],
    ["revoked for all", token(), exporting({ revocations: { "*": NOW } }), "revoked"],
    ["made after the revocation", token(), exporting({ revocations: { "*": NOW - 11 } }), undefined],
    ["of an unknown exporter", token(), undefined, "its exporter is unknown"],
  ])("%s", (_what, text, exporter, fault) => {
    const found = endOf(text, exporter);
    expect(found).toMatchObject({ kind: "activation", account: ACCOUNT, expiresAt: now + 86_400_000 });
    if (fault === undefined) expect(found.fault).toBeUndefined();
    else expect(found.fault).toContain(fault);
  });

  test("ignores other text and other places", () => {
    expect(endOf("nonsense").unseen).toBeDefined();
    for (const text of ["", undefined, "https://x/y"]) expect(activationsOf(importing(text))).toEqual([]);
  });
});
