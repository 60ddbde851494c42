/** The sizes from which a sweep's cost per account is computed. */
export const SIZES = [10, 800] as const;
