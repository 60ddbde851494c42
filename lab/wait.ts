import pWaitFor, { TimeoutError } from "p-wait-for";

/**
 * Waits for a condition, with a bound: the value it gives once it is neither `undefined` nor `false`.
 * @throws Error naming what was waited for.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  { timeout = 10_000, interval = 50 }: { timeout?: number; interval?: number } = {},
): Promise<T> {
  let value: T | undefined | false;
  const isMet = async (): Promise<boolean> => {
    value = await condition();
    return value !== undefined && value !== false;
  };
  await pWaitFor(isMet, { interval, timeout }).catch((error: unknown) => {
    if (error instanceof TimeoutError) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    throw error;
  });
  return value as T;
}
