/** Repeatable chance: the same seed gives the same choices on every machine. */
export interface Chance {
  /** Whether it happens, with this probability from 0 to 1. */
  happens(probability: number): boolean;
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number;
  pick<T>(choices: readonly T[]): T;
  /** The choices in another order. */
  shuffled<T>(choices: readonly T[]): readonly T[];
}

/** Mulberry32, a small generator of 32 bits; good enough to choose among a few things. */
export function chanceOf(seed: number): Chance {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    happens: (probability) => next() < probability,
    between,
    pick: <T>(choices: readonly T[]) => choices[between(0, choices.length - 1)] as T,
    shuffled: (choices) =>
      choices
        .map((choice) => ({ choice, order: next() }))
        .sort((one, other) => one.order - other.order)
        .map(({ choice }) => choice),
  };
}
