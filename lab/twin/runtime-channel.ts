/** A diagnostics channel: the runtime says on it that the function's module is imported. */
export const IMPORTED = "relight.twin.imported";
