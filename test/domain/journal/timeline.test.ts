import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { timelineOf } from "../../../lib/domain/journal/timeline.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis, isoTime } from "../../../lib/domain/time/time.ts";

const ACCOUNT = `A${"A".repeat(55)}` as AccountId;
const START = Date.UTC(2030, 0, 1);
const e = (second: number, job: string, kind: EntryKind, data: JsonObject = {}): JournalEntry => ({
  ...{ at: epochMillis(START + second * 1_000), job, account: ACCOUNT, kind, data },
});
const verdict = (second: number, job: string, health: string, message = "it is deaf") =>
  e(second, job, "verdict", {
    verdict: health,
    findings: health === "healthy" ? [] : [{ message }, { message: "more" }],
  });
const check = (second: number, job: string) => [
  e(second, job, "job.started", { action: "remediate", trigger: "schedule", reason: "routine", correlation: job }),
  verdict(second + 1, job, "healthy"),
  e(second + 2, job, "job.finished", { outcome: "healthy", correlation: job }),
];

describe("a timeline", () => {
  test("joins checks that found nothing", () => {
    expect(timelineOf([...check(0, "a"), ...check(10, "b"), ...check(20, "c")])).toEqual([
      { kind: "quiet", from: START, until: START + 22_000, checks: 3 },
    ]);
  });

  test("tells an outage from the first bad check to the healthy one, over several jobs, newest part first", () => {
    const entries = [
      ...check(0, "a"),
      e(100, "b", "job.started", { action: "verify", trigger: "event", reason: "it was renewed", correlation: "b" }),
      verdict(101, "b", "dead"),
      e(102, "b", "incident.opened", {
        key: "k",
        failureClass: "jetstream_dead",
        delivery: "delivered",
        since: isoTime(epochMillis(START + 50_000)),
      }),
      e(103, "b", "job.finished", { outcome: "escalated", correlation: "b" }),
      e(110, "order", "job.requested", { action: "heal", actor: "ada", reason: "paged", correlation: "order" }),
      e(111, "c", "job.started", { action: "heal", trigger: "manual", reason: "paged", correlation: "order" }),
      verdict(112, "c", "dead"),
      e(113, "c", "rung.started", { rung: "toggle-jetstream", why: "it helps" }),
      e(120, "c", "rung.finished", { rung: "toggle-jetstream", result: "helped", why: "it helps" }),
      verdict(121, "c", "healthy"),
      e(122, "c", "incident.resolved", { key: "k" }),
      e(123, "c", "job.finished", { outcome: "healed", correlation: "order" }),
      ...check(200, "d"),
    ];
    const [last, outage, first] = timelineOf(entries);
    expect([last?.kind, first?.kind]).toEqual(["quiet", "quiet"]);
    expect(outage).toMatchObject({ kind: "outage", began: START + 50_000, ended: START + 121_000, health: "dead" });
    const steps = outage?.kind === "outage" ? outage.steps : [];
    expect(steps.map(({ label, text }) => `${label}: ${text}`)).toEqual([
      "dead since: as far as is known",
      "seen by: verify (event: it was renewed)",
      "dead: it is deaf (and 1 more)",
      "page: JetStream is dead: a page was sent",
      "ended: escalated",
      "ordered: heal (ada: paged)",
      "tried: toggle-jetstream: helped (it helps)",
      "healthy: everything that was checked works",
      "resolved: the page is resolved",
      "healed: ",
    ]);
    expect(steps.find(({ label }) => label === "tried")?.took).toBe(7_000);
  });

  describe("dates the beginning of an outage", () => {
    const expired = (second: number, job: string, at: number, more: JsonObject = {}) => {
      const found = { code: "account.expired", message: "it expired", evidence: { exp: START / 1_000 + at, ...more } };
      return e(second, job, "verdict", { verdict: "dead", findings: [found] });
    };
    const page = (second: number, job: string, since: number) =>
      e(second, job, "incident.opened", {
        failureClass: "account_expired",
        since: isoTime(epochMillis(START + since * 1_000)),
      });

    test.each<[string, readonly JournalEntry[], number, string | undefined]>([
      ["by the expiry of the claims, if no page was sent", [expired(53, "b", 32)], 32, "its claims expired then"],
      [
        "also once the resolver forgot them",
        [expired(53, "b", 32, { forgotten: true })],
        32,
        "its claims expired then",
      ],
      [
        "by a later check of the same outage",
        [verdict(53, "b", "unknown"), expired(60, "c", 32)],
        32,
        "its claims expired then",
      ],
      ["by the page", [verdict(53, "b", "dead"), page(54, "b", 40)], 40, "as far as is known"],
      ["by the earliest of both", [expired(53, "b", 32), page(54, "b", 40)], 32, "its claims expired then"],
      ["by the check, if nothing else is known", [verdict(53, "b", "dead")], 53, undefined],
      [
        "by the check, if the claims expired during the outage",
        [verdict(53, "b", "dead"), expired(60, "c", 57)],
        53,
        undefined,
      ],
      ["never before the last healthy check", [expired(53, "b", 0)], 53, undefined],
    ])("%s", (_how, entries, began, by) => {
      const [outage] = timelineOf([...check(0, "a"), ...entries]);
      expect(outage).toMatchObject({ kind: "outage", began: START + began * 1_000 });
      const [first] = outage?.kind === "outage" ? outage.steps : [];
      expect(first?.label.endsWith(" since") ? first.text : undefined).toBe(by);
    });
  });

  test("leaves an outage open that still lasts", () => {
    const [outage] = timelineOf([e(0, "a", "job.started"), verdict(1, "a", "unknown"), verdict(5, "b", "degraded")]);
    expect(outage).toMatchObject({ kind: "outage", health: "unknown", began: START + 1_000 });
    expect(outage).not.toHaveProperty("ended");
  });

  test("shows what a job did to a healthy account", () => {
    const [job] = timelineOf([
      e(0, "a", "job.started", { action: "remediate", trigger: "schedule", reason: "routine" }),
      verdict(1, "a", "healthy"),
      e(2, "a", "push.started", { purpose: "renewal" }),
      e(4, "a", "push.proved", { jti: "J", purpose: "renewal", servers: ["n1", "n2"] }),
      e(5, "a", "job.finished", { outcome: "renewed" }),
    ]);
    expect(job).toMatchObject({
      kind: "job",
      at: START,
      steps: [{}, {}, { label: "proved", text: "renewal: jti J on n1, n2", took: 2_000 }, { label: "renewed" }],
    });
  });

  test("says what is under way, and why a job failed", () => {
    const [outage] = timelineOf([
      verdict(0, "a", "dead"),
      e(1, "a", "rung.started", { rung: "scale-up", why: "a new leader" }),
      e(2, "a", "job.finished", { outcome: "failed", error: { message: "no answer" } }),
    ]);
    expect(outage).toMatchObject({
      steps: [{ label: "dead" }, { label: "tries", tone: "act" }, { label: "ended", text: "failed (no answer)" }],
    });
  });

  test("of nothing is empty, and of odd entries does not fail", () => {
    expect(timelineOf([])).toEqual([]);
    expect(
      timelineOf([e(0, "a", "verdict", { findings: "x" }), e(1, "a", "incident.opened"), e(2, "a", "rung.finished")]),
    ).toHaveLength(1);
  });
});
