/** Turns at something of which only a few may go on at once; first come, first served. */
export interface Turns {
  /** Waits for a turn. */
  take(): Promise<Turn>;
}

export interface Turn {
  /** Whether it was waited for, so that what was seen before may be outdated. */
  readonly waited: boolean;
  /** Gives it to the next one. */
  end(): void;
}

export function turns(most: number): Turns {
  const waiting: (() => void)[] = [];
  let taken = 0;
  const end = (): void => {
    const next = waiting.shift();
    // Handed on directly, so that nobody else can take it.
    if (next === undefined) taken -= 1;
    else next();
  };
  return {
    take: async () => {
      const waited = taken >= most;
      if (waited) await new Promise<void>((given) => waiting.push(given));
      else taken += 1;
      return { waited, end };
    },
  };
}
