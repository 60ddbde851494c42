import { describe, expect, test } from "@jest/globals";
import type { Trouble } from "../../../lib/domain/incidents/trouble.ts";
import type { EntryKind } from "../../../lib/domain/journal/journal.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import { escalate, resolveIncidents } from "../../../lib/usecases/paging/escalate.ts";
import { pageSweepFailure, sweepWorked } from "../../../lib/usecases/paging/page-sweep.ts";
import type { EscalateDependencies } from "../../../lib/usecases/paging/pager.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeEscalation } from "../../support/fakes/escalation.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";
import { APP, KEYS } from "../../support/virtual/world.ts";

/** Missing answers page nobody until they have lasted. */

const START = Date.UTC(2030, 0, 1);
const MINUTE = 60_000;
const account = APP.id;

function newPager() {
  const clock = fakeClock(epochMillis(START));
  const [journal, escalation, log] = [fakeJournal(clock), fakeEscalation(), fakeLog()];
  const operator = { id: KEYS.operator.id, name: "OP", signingKeys: [], strictSigningKeyUsage: false };
  const mode = { mode: "heal", because: "a test says so", dryRun: false } as const;
  const pager: EscalateDependencies = {
    mode,
    clock,
    journal,
    escalation,
    log,
    operator,
    settingsOf: () => undefined,
    unknownAfter: millis(5 * MINUTE),
  };
  let jobs = 0;
  const pass = (minutes: number) => {
    clock.advance(millis(minutes * MINUTE));
  };
  const write = (kind: EntryKind, data: JsonObject, job = "j") =>
    journal.append({ at: clock.now(), job, account, kind, data });
  /** A job that ends with this verdict, and pages if it is unknown. */
  const look = async (verdict: "healthy" | "degraded" | "unknown", waits: Trouble["waits"] = "until-it-lasts") => {
    const job = { id: `j${++jobs}`, account };
    await write("verdict", { verdict }, job.id);
    if (verdict === "healthy") return resolveIncidents(pager, job);
    if (verdict === "degraded") return;
    await escalate(pager, job, {
      failureClass: "unknown",
      severity: "critical",
      summary: "unknown: no answer",
      advice: [],
      evidence: {},
      about: "probe.failed",
      waits,
    });
  };
  const pages = () => escalation.sent.map(({ status, at }) => `${status} ${at.slice(11, 16)}`);
  return { pager, pass, look, write, pages, escalation, journal, log };
}

describe("an account that is unknown", () => {
  test("pages nobody after one look, nor during the first five minutes", async () => {
    const { look, pass, pages, journal } = newPager();
    await look("unknown");
    pass(4);
    await look("unknown");
    pass(1);
    await look("healthy");
    expect(pages()).toEqual([]);
    // The period is over in the journal, too.
    expect(journal.entries.map(({ kind }) => kind).filter((kind) => kind.startsWith("incident"))).toEqual([
      ...["incident.opened", "incident.opened", "incident.resolved"],
    ]);
  });

  test("pages once it has lasted, with its start and the number of checks", async () => {
    const { look, pass, pages, escalation } = newPager();
    for (let sweep = 0; sweep < 5; sweep++) {
      await look("unknown");
      pass(5);
    }
    expect(pages()).toEqual(["open 00:05", "open 00:20"]);
    const [first] = escalation.sent;
    expect(first?.since).toBe("2030-01-01T00:00:00.000Z");
    expect(first?.summary).toBe("unknown: no answer (unknown since 2030-01-01 00:00 UTC, checked 2 times)");
    expect(first?.evidence["unknown"]).toEqual({ since: "2030-01-01T00:00:00.000Z", asked: 2 });
    await look("healthy");
    expect(escalation.sent.at(-1)).toMatchObject({ status: "resolved", since: "2030-01-01T00:00:00.000Z" });
  });

  test("starts over after any known verdict", async () => {
    const { look, pass, pages, escalation } = newPager();
    for (const verdict of ["unknown", "degraded", "unknown", "degraded", "unknown"] as const) {
      await look(verdict);
      pass(4);
    }
    expect(pages()).toEqual([]);
    pass(1);
    await look("unknown");
    expect(escalation.sent.map(({ since }) => since.slice(11, 16))).toEqual(["00:16"]);
    await look("healthy");
    expect(escalation.sent.at(-1)?.since.slice(11, 16)).toBe("00:16");
  });

  test("pages at once if waiting is too risky", async () => {
    const { look, pages } = newPager();
    await look("unknown", "not-at-all");
    expect(pages()).toEqual(["open 00:00"]);
  });

  test("pages at once if the journal can't say how long it has lasted", async () => {
    const { pager, pages } = newPager();
    const read = async () => {
      throw new RelightError("journal.unavailable", "the disk is full");
    };
    const broken = { ...pager, journal: { ...pager.journal, read } };
    await escalate(
      broken,
      { id: "j", account },
      {
        failureClass: "unknown",
        severity: "critical",
        summary: "no answer",
        advice: [],
        evidence: {},
        waits: "until-it-lasts",
      },
    );
    expect(pages()).toEqual(["open 00:00"]);
  });
});

describe("a cluster that does not answer a sweep", () => {
  const silence = new RelightError("nats.timeout", "no server answered");
  const finished = (data: JsonObject) => ({ outcome: "healthy", verdict: "healthy", jti: "t", ...data });

  test("pages once it has lasted, and not if the next sweep works", async () => {
    const { pager, pass, pages, escalation } = newPager();
    await pageSweepFailure(pager, "s1", silence);
    pass(3);
    await sweepWorked(pager, "s2");
    for (const sweep of ["s3", "s4", "s5"]) {
      pass(3);
      await pageSweepFailure(pager, sweep, silence);
    }
    expect(pages()).toEqual(["open 00:12"]);
    expect(escalation.sent[0]?.summary).toMatch(/unknown since 2030-01-01 00:06 UTC, checked 3 times/);
  });

  test("pages at once if a retry can't help", async () => {
    const { pager, pages } = newPager();
    await pageSweepFailure(pager, "s1", new RelightError("nats.unauthorized", "refused"));
    expect(pages()).toEqual(["open 00:00"]);
  });

  test.each([
    ["comes to its page meanwhile", { pageAt: START + 4 * MINUTE, expiresAt: START + 60 * MINUTE }, 1],
    ["is far from its end", { pageAt: START + 60 * MINUTE, expiresAt: START + 90 * MINUTE }, 0],
    ["expired before", { pageAt: START - 60 * MINUTE, expiresAt: START - 1 }, 0],
    ["was deleted", { pageAt: START - 1, expiresAt: START + 60 * MINUTE, withdrawn: true }, 0],
  ])("an account %s: this many pages at once", async (_situation, ending, calls) => {
    const { pager, write, pages } = newPager();
    await write("claims.seen", { jti: "t", name: "APP", claims: "{}" });
    await write("job.finished", finished(ending));
    await pageSweepFailure(pager, "s1", silence);
    expect(pages()).toHaveLength(calls);
  });
});
