/** `npm run test:exhaustive`: each test in its whole form. Most of an hour; CONTRIBUTING says what it adds. */
export const isExhaustive = process.env["RELIGHT_EXHAUSTIVE"] !== undefined;

/** The sample that a test takes by default, or all there is to try. */
export function sampleOf<T>(sample: readonly T[], all: readonly T[]): readonly T[] {
  return isExhaustive ? all : sample;
}
