/** `npm run test:exhaustive`: each test in full. Takes most of an hour; CONTRIBUTING says what it adds. */
export const isExhaustive = process.env["RELIGHT_EXHAUSTIVE"] !== undefined;

/** The sample that a test uses by default, or everything. */
export function sampleOf<T>(sample: readonly T[], all: readonly T[]): readonly T[] {
  return isExhaustive ? all : sample;
}
