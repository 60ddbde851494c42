import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits for a condition, with a bound: the value it gives once it is neither `undefined` nor `false`.
 * @throws Error naming what was waited for.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  { timeout = 25_000, interval = 50 }: { timeout?: number; interval?: number } = {},
): Promise<T> {
  const end = performance.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= end) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await sleep(interval);
  }
}

/** Tries until it does not throw, with a bound. @throws Error naming what was tried and what it said last. */
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
    throw new Error(`${error.message}; it said last: ${String(last)}`);
  });
  return done.value;
}
