import { describe, expect, test } from "@jest/globals";
import { type Millis, millis } from "../../../lib/domain/time/time.ts";
import { waitUntil } from "../../../lib/usecases/context/wait-until.ts";
import { fakeClock } from "../../support/fakes/clock.ts";

const WAIT = { interval: millis(400), timeout: millis(1_000) };

/** A condition that holds from the given time on, and the times when it was checked. */
function conditionFrom(moment: number, checkTakes = millis(0)) {
  const clock = fakeClock();
  const checks: Millis[] = [];
  const condition = async (): Promise<boolean> => {
    checks.push(clock.monotonic());
    if (checkTakes > 0) await clock.sleep(checkTakes);
    return clock.monotonic() >= moment;
  };
  return { clock, checks, condition };
}

describe("waiting until a condition holds", () => {
  test.each<[string, number, boolean, number[]]>([
    ["takes no time if it holds at once", 0, true, [0]],
    ["checks again after each interval", 500, true, [0, 400, 800]],
    ["checks a last time when the timeout is over", 1_000, true, [0, 400, 800, 1_000]],
    ["gives up then", 1_001, false, [0, 400, 800, 1_000]],
  ])("%s", async (_what, moment, held, expected) => {
    const { clock, checks, condition } = conditionFrom(moment);
    await expect(waitUntil(clock, condition, WAIT)).resolves.toBe(held);
    expect(checks).toEqual(expected);
  });

  test("checks first after an interval if the caller has just checked", async () => {
    const { clock, checks, condition } = conditionFrom(0);
    await expect(waitUntil(clock, condition, { ...WAIT, atOnce: false })).resolves.toBe(true);
    expect(checks).toEqual([400]);
  });

  test("checks once if there is no time to wait", async () => {
    const { clock, checks, condition } = conditionFrom(1);
    await expect(waitUntil(clock, condition, { ...WAIT, timeout: millis(0) })).resolves.toBe(false);
    expect(checks).toEqual([0]);
  });

  test.each<[string, number, boolean]>([
    ["and counts if it comes true", 1_500, true],
    ["and is the last one if it does not", 2_000, false],
  ])("a check that outlasts the timeout is awaited, %s", async (_what, moment, held) => {
    const { clock, checks, condition } = conditionFrom(moment, millis(1_500));
    await expect(waitUntil(clock, condition, WAIT)).resolves.toBe(held);
    expect({ checks, ended: clock.monotonic() }).toEqual({ checks: [0], ended: 1_500 });
  });

  test("ends as soon as the signal is aborted", async () => {
    const { clock, checks, condition } = conditionFrom(1_000);
    const stop = new AbortController();
    const waiting = waitUntil(clock, condition, { ...WAIT, signal: stop.signal });
    await clock.sleep(millis(500));
    stop.abort();
    await expect(waiting).resolves.toBe(false);
    expect({ checks, ended: clock.monotonic() }).toEqual({ checks: [0, 400], ended: 500 });
  });

  test("an aborted signal does not prevent the first check from counting", async () => {
    const { clock, condition } = conditionFrom(0);
    await expect(waitUntil(clock, condition, { ...WAIT, signal: AbortSignal.abort() })).resolves.toBe(true);
  });

  test("ends with the condition's error", async () => {
    const clock = fakeClock();
    let checks = 0;
    const condition = (): boolean => {
      checks += 1;
      if (checks === 2) throw new Error("the condition's own");
      return false;
    };
    await expect(waitUntil(clock, condition, WAIT)).rejects.toThrow("the condition's own");
    expect(clock.monotonic()).toBe(400);
  });

  test("waits as long as the checks say", async () => {
    const { clock, checks, condition } = conditionFrom(1_500);
    const timeout = (): Millis => millis(checks.length > 2 ? 1_600 : 1_000);
    await expect(waitUntil(clock, condition, { ...WAIT, timeout })).resolves.toBe(true);
    expect(checks.at(-1)).toBe(1_600);
  });
});
