/** A diagnostics channel on which the runtime reports that the function's module is imported. */
export const IMPORTED = "relight.twin.imported";
