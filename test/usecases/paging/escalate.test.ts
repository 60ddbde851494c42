import { describe, expect, test } from "@jest/globals";
import type { Trouble } from "../../../lib/domain/incidents/trouble.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import { escalate, escalateOnce, resolveIncidents } from "../../../lib/usecases/paging/escalate.ts";
import type { EscalateDependencies } from "../../../lib/usecases/paging/pager.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeEscalation } from "../../support/fakes/escalation.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";
import { KEYS } from "../../support/virtual/world.ts";

const START = Date.UTC(2030, 0, 1);
const job = { id: "j", account: "-" } as const;
const trouble = (fields: Partial<Trouble> = {}): Trouble => ({
  failureClass: "cluster_unreachable",
  severity: "critical",
  summary: "nobody answers",
  advice: [],
  evidence: {},
  about: "nats.unreachable",
  ...fields,
});

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
  };
  const pass = (minutes: number) => {
    clock.advance(millis(minutes * 60_000));
  };
  const pages = () => escalation.sent.map(({ status, at }) => `${status} ${at.slice(11, 16)}`);
  const kinds = () => journal.entries.map(({ kind }) => kind);
  return { pager, pass, pages, kinds, escalation, journal, log };
}

describe("an incident that stays open", () => {
  test("pages with growing pauses, and the journal has each page", async () => {
    const { pager, pass, pages, kinds, escalation } = newPager();
    for (let sweep = 0; sweep < 20; sweep += 1) {
      await escalate(pager, job, trouble());
      pass(5);
    }
    expect(pages()).toEqual(["open 00:00", "open 00:15", "open 01:15"]);
    expect(kinds()).toEqual(Array(3).fill("incident.opened"));
    expect(new Set(escalation.sent.map(({ since }) => since))).toEqual(new Set(["2030-01-01T00:00:00.000Z"]));
    await resolveIncidents(pager, job, () => true);
    await resolveIncidents(pager, job, () => true);
    expect(pages()).toEqual(["open 00:00", "open 00:15", "open 01:15", "resolved 01:40"]);
    expect(escalation.sent.at(-1)?.since).toBe("2030-01-01T00:00:00.000Z");
    await escalate(pager, job, trouble());
    expect(escalation.sent.at(-1)).toMatchObject({ status: "open", since: "2030-01-01T01:40:00.000Z" });
  });

  test("pages at once when it changes or becomes worse", async () => {
    const { pager, pass, pages } = newPager();
    const steps: Partial<Trouble>[] = [{ severity: "warning" }, {}, { about: "nats.timeout" }, {}];
    for (const step of steps) {
      await escalate(pager, job, trouble(step));
      pass(1);
    }
    expect(pages()).toEqual(["open 00:00", "open 00:01", "open 00:02"]);
  });

  test("pages once if that is enough", async () => {
    const { pager, pass, pages } = newPager();
    for (const about of ["a", "a", "b", "b"]) {
      await escalateOnce(pager, job, trouble({ about }));
      pass(24 * 60);
    }
    expect(pages()).toEqual(["open 00:00", "open 00:00"]);
  });

  test("is retried at every call until a person is reached, and resolved likewise", async () => {
    const { pager, pass, pages, kinds, escalation } = newPager();
    escalation.broken = true;
    for (let sweep = 0; sweep < 2; sweep += 1) {
      await escalate(pager, job, trouble());
      pass(5);
    }
    escalation.broken = false;
    await escalate(pager, job, trouble());
    expect(pages()).toEqual(["open 00:10"]);
    expect(escalation.sent[0]?.since).toBe("2030-01-01T00:00:00.000Z");
    escalation.broken = true;
    await resolveIncidents(pager, job, () => true);
    escalation.broken = false;
    await resolveIncidents(pager, job, () => true);
    expect(pages()).toEqual(["open 00:10", "resolved 00:10"]);
    expect(kinds()).toEqual([...Array(3).fill("incident.opened"), "incident.resolved"]);
  });
});

test("a failing journal does not prevent pages", async () => {
  const { pager, pages, log } = newPager();
  const fail = async () => {
    throw new RelightError("journal.unavailable", "the disk is full");
  };
  const accounts = () => {
    throw new RelightError("journal.unavailable", "the disk is full");
  };
  const broken: EscalateDependencies = {
    ...pager,
    journal: { append: fail, read: fail, latest: fail, accounts },
  };
  await expect(escalate(broken, job, trouble())).rejects.toMatchObject({ code: "journal.unavailable" });
  expect(pages()).toEqual(["open 00:00"]);
  expect(log.lines.map(({ message }) => message)).toEqual(["earlier pages could not be read"]);
});
