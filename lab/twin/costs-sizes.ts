/** The sizes between which a sweep's part for each account is worked out. */
export const SIZES = [10, 800] as const;
