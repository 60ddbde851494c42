import { describe, expect, test } from "@jest/globals";
import { expiryWindow } from "../../lib/domain/expiry/expiry.ts";
import { failureClassOf, incidentKey } from "../../lib/domain/incidents/incident.ts";
import {
  type EntryKind,
  EVEN_UNPROVED,
  type JournalEntry,
  lastClaims,
  openIncidents,
} from "../../lib/domain/journal/journal.ts";
import { openToggle } from "../../lib/domain/journal/open-remedies.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { epochMillis, formatDuration, millis, toMillis, toSeconds } from "../../lib/domain/time/time.ts";
import { defectsOf, explainDefect } from "../../lib/domain/verdict/defects.ts";
import { ACCOUNT, claims, NOW } from "./observations.ts";
import { at, hours, newPolicy } from "./policies.ts";

test.each([
  ["2.9.10", true],
  ["2.10.27", true],
  ["2.10.28-RC.1", true],
  ["2.10.28", false],
  ["2.11.0", true],
  ["2.11.1", true],
  ["2.11.2", false],
  ["2.12.0", false],
  ["2.15.1", false],
  ["2.15.1-binary.abc", false],
  ["2.11.2-RC.1", true],
  ["2.11.0-preview.1", true],
  ["v2.10.27", true],
  ["", false],
  ["devel", false],
])("nats-server %s has #6806: %j", (version, has) => {
  expect(defectsOf(version).some(({ issue }) => issue === "#6806")).toBe(has);
  expect(explainDefect(version, "#6806") !== undefined).toBe(has);
});

test("a defect's explanation says what is wrong and where it is fixed", () => {
  expect(explainDefect("2.10.27", "#6806")).toBe(
    "2.10.27 has nats-server #6806 (streams and consumers stay deaf after an expired account was renewed), fixed in 2.10.28 and 2.11.2",
  );
  expect(defectsOf("2.9.10").map(({ issue }) => issue)).toEqual(["#6806", "#6766", "#3881", "#6498", "#8084"]);
  expect(defectsOf("2.15.1")).toEqual([]);
});

describe("the renewal window", () => {
  const policy = newPolicy({ renewBefore: hours(1), renewBy: hours(0.9999999) });
  test.each([
    ["never expires", undefined, "perpetual"],
    ["an hour and a second left", NOW + 3_601, "fresh"],
    ["less than an hour left", NOW + 3_599, "due"],
    ["a second left", NOW + 1, "due"],
    ["now", NOW, "expired"],
    ["long ago", NOW - 9_999, "expired"],
  ])("%s", (_when, exp, state) => {
    expect(expiryWindow(claims({ exp, iat: NOW - 86_400 }).claims, policy, at(NOW)).state).toBe(state);
  });
});

describe("the journal", () => {
  const entry = (kind: EntryKind, data: JsonObject = {}, job = "j1"): JournalEntry => ({
    at: epochMillis(1),
    job,
    account: ACCOUNT,
    kind,
    data,
  });
  const { text } = claims();

  test("a toggle is open until it is closed", () => {
    const memory = [{ stream: "CACHE", config: {}, consumers: [] }];
    const openIn = (entries: readonly JournalEntry[]) => openToggle(entries, EVEN_UNPROVED);
    const opened = entry("toggle.opened", { claims: text, memory });
    expect(openIn([opened])).toMatchObject({ claims: { text }, memory });
    expect(openIn([opened, entry("toggle.closed")])).toBeUndefined();
    expect(openIn([opened, entry("toggle.closed", { claims: text })])).toBeUndefined();
    expect(openIn([entry("toggle.closed"), opened])).toBeDefined();
    expect(openIn([])).toBeUndefined();
    expect(openIn([entry("toggle.opened", { claims: "torn" })])).toBeUndefined();
    expect(openIn([entry("toggle.opened", { claims: text })])?.memory).toEqual([]);
    expect(
      openIn([opened, entry("toggle.closed"), entry("toggle.opened", { claims: text, memory: [1] }, "j2")])?.memory,
    ).toEqual([]);
  });

  test("incidents are open until resolved, each separately", () => {
    const [a, b] = [{ key: "a" }, { key: "b" }];
    expect(
      openIncidents([entry("incident.opened", a), entry("incident.opened", b), entry("incident.resolved", a)]),
    ).toEqual(["b"]);
    expect(
      openIncidents([entry("incident.opened", a), entry("incident.resolved", a), entry("incident.opened", a)]),
    ).toEqual(["a"]);
  });

  test("returns the last seen claims", () => {
    expect(
      lastClaims([entry("claims.seen", { claims: "nonsense" }), entry("claims.seen", { claims: text })], EVEN_UNPROVED)
        ?.text,
    ).toBe(text);
    expect(lastClaims([], EVEN_UNPROVED)).toBeUndefined();
  });
});

test("an incident's key is the same for every job", () => {
  expect(incidentKey("OX", ACCOUNT, "jetstream_dead")).toBe(`relight/OX/${ACCOUNT}/jetstream_dead`);
});

test("the failure class of a verdict", () => {
  const verdict = {
    account: ACCOUNT,
    depth: "system",
    observedAt: "",
    servers: [],
    leafnodes: [],
    streams: 0,
    consumers: 0,
    diagnosis: [],
    warnings: [],
  } as const;
  const expired = {
    code: "account.expired",
    health: "dead",
    subject: {},
    message: "",
    evidence: {},
  } as const;
  expect(failureClassOf({ ...verdict, health: "healthy", findings: [] })).toBeUndefined();
  expect(failureClassOf({ ...verdict, health: "dead", findings: [] })).toBe("jetstream_dead");
  expect(failureClassOf({ ...verdict, health: "dead", findings: [expired] })).toBe("account_expired");
  expect(failureClassOf({ ...verdict, health: "unknown", findings: [] })).toBe("unknown");
  expect(failureClassOf({ ...verdict, health: "degraded", findings: [] })).toBe("degraded");
});

test.each([
  [0, "0s"],
  [999, "1s"],
  [61_000, "1m 1s"],
  [3_600_000, "1h"],
  [90_061_000, "1d 1h"],
  [-5_000, "5s"],
  [59_999, "1m"],
  [90 * 86_400_000 - 1_000, "89d 23h"],
  [86_400_000 + 59_000, "1d"],
  [250_000, "4m 10s"],
])("%d ms read as %s", (length, text) => {
  expect(formatDuration(millis(length))).toBe(text);
});

test("seconds and milliseconds convert without rounding up", () => {
  expect(toSeconds(epochMillis(1_999))).toBe(1);
  expect(toMillis(NOW)).toBe(NOW * 1000);
});
