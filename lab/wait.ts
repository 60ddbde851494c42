import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits, with a bound, until the condition returns neither `undefined` nor `false`, and returns that value.
 * @throws Error naming what it waited for.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  { timeout = 60_000, interval = 50 }: { timeout?: number; interval?: number } = {},
): Promise<T> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= end) throw new Error(`timed out after ${timeout} ms waiting for ${what}`);
    await sleep(interval);
  }
}

/** Retries, with a bound, until the work does not throw. @throws Error naming what it tried, with the last error. */
export async function retry<T>(what: string, work: () => Promise<T>, timeout = 30_000): Promise<T> {
  let last: unknown;
  const attempt = async (): Promise<{ readonly value: T } | undefined> => {
    try {
      return { value: await work() };
    } catch (error) {
      last = error;
      return undefined;
    }
  };
  const done = await waitFor(what, attempt, { timeout, interval: 100 }).catch((error: Error) => {
    throw new Error(`${error.message}; last error: ${String(last)}`);
  });
  return done.value;
}
