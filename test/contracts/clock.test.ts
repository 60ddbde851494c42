import { describe, expect, test } from "@jest/globals";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { fakeClock } from "../support/fakes/clock.ts";

const HOUR = millis(3_600_000);

describe.each([
  ["the machine's clock", () => systemClock],
  ["the tests' clock", () => fakeClock()],
])("%s", (_name, open) => {
  test("wakes sleepers in the order of their times", async () => {
    const clock = open();
    const woken: string[] = [];
    const sleep = async (name: string, duration: number): Promise<void> => {
      await clock.sleep(millis(duration));
      woken.push(name);
    };
    await Promise.all([sleep("late", 60), sleep("early", 5), sleep("between", 30)]);
    expect(woken).toEqual(["early", "between", "late"]);
  });

  test("its time passes during a sleep", async () => {
    const clock = open();
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    await clock.sleep(millis(20));
    expect(clock.monotonic()).toBeGreaterThan(monotonic);
    expect(clock.now()).toBeGreaterThan(now);
  });

  test("an aborted signal ends a sleep without an error", async () => {
    const clock = open();
    const stop = new AbortController();
    const before = clock.monotonic();
    const asleep = clock.sleep(HOUR, stop.signal);
    stop.abort();
    await expect(asleep).resolves.toBeUndefined();
    await expect(clock.sleep(HOUR, stop.signal)).resolves.toBeUndefined();
    expect(clock.monotonic() - before).toBeLessThan(HOUR);
  });
});
