import { describe, expect, test } from "@jest/globals";
import type { Incident } from "../../../lib/domain/incidents/incident.ts";
import type { StackAlarm } from "../../../lib/domain/incidents/stack-alarm.ts";
import type { EntryKind } from "../../../lib/domain/journal/journal.ts";
import { epochMillis, millis } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import { type PageDependencies, sendPage } from "../../../lib/usecases/paging/send-page.ts";
import { incident } from "../../support/escalation-contract.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeEscalation } from "../../support/fakes/escalation.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";
import { fakeLog } from "../../support/fakes/log.ts";

const START = Date.parse("2030-01-01T00:10:00.000Z");
const ARN = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:sweep-missed";
const MINUTE = 60_000;

function newDependencies() {
  let ids = 0;
  const clock = fakeClock(epochMillis(START));
  const [journal, escalation, log] = [fakeJournal(clock), fakeEscalation(), fakeLog()];
  const base = { clock, newId: () => `id-${++ids}`, journal, leases: journal, escalation, log };
  const deps: PageDependencies = base;
  const send = (page: Partial<Incident> = {}, from: PageDependencies = deps) =>
    sendPage(from, { kind: "incident", incident: incident(page) });
  const alarm = (state: StackAlarm["state"], minute: number, more: Partial<StackAlarm> = {}) =>
    sendPage(deps, {
      kind: "alarm",
      alarm: {
        name: "sweep-missed",
        arn: ARN,
        region: "eu-central-1",
        state,
        reason: "because",
        description: "No sweep for 15 minutes.\nLook at its log.",
        at: epochMillis(START + minute * MINUTE),
        ...more,
      },
    });
  const journalled = (kind: EntryKind, minute: number, key = incident().key) =>
    journal.append({
      at: epochMillis(START + minute * MINUTE),
      job: "j",
      account: incident().account,
      kind,
      data: { key },
    });
  const pass = (minutes: number) => {
    clock.advance(millis(minutes * MINUTE));
  };
  const sent = () => escalation.sent.map(({ status, accountName }) => `${status} ${accountName}`);
  return { deps, send, alarm, journalled, pass, sent, escalation, journal, log };
}

describe("an incident of the bus", () => {
  test("is sent once, however often it arrives", async () => {
    const { send, sent } = newDependencies();
    expect([await send(), await send(), await send()]).toEqual(["told", "repeated", "repeated"]);
    expect(sent()).toEqual(["open ORDERS"]);
  });

  test.each<[string, Partial<Incident>]>([
    ["of another moment", { at: "2030-01-01T00:05:00.000Z" }],
    ["with another key", { key: "another" }],
    ["that is resolved", { status: "resolved" }],
  ])("one %s is a different one", async (_what, other) => {
    const { send } = newDependencies();
    expect([await send(), await send(other)]).toEqual(["told", "told"]);
  });

  test("that no channel accepted is sent when it is redelivered", async () => {
    const { send, sent, escalation } = newDependencies();
    escalation.broken = true;
    await expect(send()).rejects.toMatchObject({ code: "escalation.undeliverable" });
    escalation.broken = false;
    expect(await send()).toBe("told");
    expect(sent()).toEqual(["open ORDERS"]);
  });

  test("is returned while another run sends it, and sent if that run crashed", async () => {
    const { deps, send, pass, sent } = newDependencies();
    const dead: PageDependencies = { ...deps, escalation: { send: () => new Promise(() => undefined) } };
    void send({}, dead);
    await expect(send()).rejects.toMatchObject({ code: "page.busy", retryable: true });
    pass(3);
    expect(await send()).toBe("told");
    expect(sent()).toEqual(["open ORDERS"]);
  });

  test.each<[string, Incident["status"], EntryKind, number, string]>([
    ["opened, and resolved since", "open", "incident.resolved", 1, "outdated"],
    ["opened again after it was resolved", "open", "incident.resolved", -11, "told"],
    ["opened, and opened again since", "open", "incident.opened", 1, "told"],
    ["resolved, and opened again since", "resolved", "incident.opened", 1, "outdated"],
    ["resolved after it was opened", "resolved", "incident.opened", -11, "told"],
  ])("%s", async (_what, status, kind, minute, told) => {
    const { send, journalled } = newDependencies();
    await journalled(kind, minute);
    await journalled(status === "open" ? "incident.resolved" : "incident.opened", 2, "another key");
    expect(await send({ status })).toBe(told);
  });

  test("a failing journal does not prevent pages", async () => {
    const { deps, send, sent, log } = newDependencies();
    const fail = async () => {
      throw new RelightError("journal.unavailable", "throttled");
    };
    const broken = { append: fail, read: fail, acquire: fail, release: fail, heldUntil: fail };
    expect(await send({}, { ...deps, journal: { ...deps.journal, ...broken }, leases: broken })).toBe("told");
    expect(sent()).toEqual(["open ORDERS"]);
    expect(log.lines.map(({ level }) => level)).toContain("error");
  });
});

describe("an alarm of the stack", () => {
  test("opens and resolves its own incident, with its meaning and what to do", async () => {
    const { alarm, sent, escalation } = newDependencies();
    expect([await alarm("ALARM", 0), await alarm("OK", 5)]).toEqual(["told", "told"]);
    expect(sent()).toEqual(["open sweep-missed", "resolved sweep-missed"]);
    expect(escalation.sent[0]).toMatchObject({
      key: `relight/${ARN}/stack_alarm`,
      failureClass: "stack_alarm",
      severity: "critical",
      account: "-",
      summary: "No sweep for 15 minutes.",
      since: "2030-01-01T00:10:00.000Z",
      advice: ["Look at its log.", expect.stringContaining("alarm/sweep-missed")],
    });
    expect(escalation.sent[1]).toMatchObject({
      since: "2030-01-01T00:10:00.000Z",
      at: "2030-01-01T00:15:00.000Z",
    });
  });

  test.each<[string, [StackAlarm["state"], number][], string[]]>([
    [
      "starts without data and becomes OK: nothing",
      [
        ["INSUFFICIENT_DATA", 0],
        ["OK", 1],
      ],
      [],
    ],
    [
      "loses its data: neither resolved nor sent again",
      [
        ["ALARM", 0],
        ["INSUFFICIENT_DATA", 1],
      ],
      ["open"],
    ],
    [
      "goes off again",
      [
        ["ALARM", 0],
        ["OK", 1],
        ["ALARM", 2],
      ],
      ["open", "resolved", "open"],
    ],
    [
      "is OK again before its ALARM arrives",
      [
        ["OK", 2],
        ["ALARM", 1],
      ],
      [],
    ],
    [
      "goes off again before the old OK arrives",
      [
        ["ALARM", 0],
        ["ALARM", 4],
        ["OK", 3],
      ],
      ["open", "open"],
    ],
    [
      "comes twice",
      [
        ["ALARM", 0],
        ["ALARM", 0],
        ["OK", 1],
        ["OK", 1],
      ],
      ["open", "resolved"],
    ],
  ])("%s", async (_what, states, expected) => {
    const { alarm, escalation } = newDependencies();
    for (const [state, minute] of states) await alarm(state, minute);
    expect(escalation.sent.map(({ status }) => status)).toEqual(expected);
  });

  test("that can't be sent comes again, and is journaled only then", async () => {
    const { alarm, escalation, journal } = newDependencies();
    escalation.broken = true;
    await expect(alarm("ALARM", 0)).rejects.toMatchObject({ code: "escalation.undeliverable" });
    expect(journal.entries).toEqual([]);
    escalation.broken = false;
    expect(await alarm("ALARM", 0)).toBe("told");
    expect(journal.entries.map(({ kind }) => kind)).toEqual(["incident.opened"]);
  });

  test.each<[string, string | undefined, object]>([
    [
      "that is a warning",
      "Warning: a function failed.",
      { severity: "warning", summary: "Warning: a function failed." },
    ],
    ["that says nothing of itself", undefined, { summary: expect.stringContaining("sweep-missed went off") }],
  ])("one %s", async (_what, description, expected) => {
    const { deps, escalation } = newDependencies();
    const base = {
      name: "sweep-missed",
      arn: ARN,
      region: "r",
      state: "ALARM",
      reason: "",
      at: epochMillis(START),
    } as const;
    await sendPage(deps, { kind: "alarm", alarm: { ...base, ...(description ? { description } : {}) } });
    expect(escalation.sent[0]).toMatchObject(expected);
  });
});
