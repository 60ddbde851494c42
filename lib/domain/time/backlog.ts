/** Keeps the first `most` items in the order of `before`. Never holds more than twice as many. */
export interface Backlog<T> {
  put(item: T): void;
  /** How many items it holds now. */
  held(): number;
  /** The items kept, in order, and how many others were added. */
  take(): { readonly first: readonly T[]; readonly others: number };
}

export function backlog<T>(most: number, before: (one: T, other: T) => number): Backlog<T> {
  let items: T[] = [];
  let seen = 0;
  const shrink = (): void => {
    items = items.toSorted(before).slice(0, most);
  };
  return {
    put: (item) => {
      seen += 1;
      if (most <= 0) return;
      items.push(item);
      // Rare enough to make sorting cheap.
      if (items.length >= 2 * most) shrink();
    },
    held: () => items.length,
    take: () => {
      shrink();
      return { first: items, others: seen - items.length };
    },
  };
}
