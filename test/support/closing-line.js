import { writeFileSync } from "node:fs";

/**
 * Jest reporter: one line that people and CI can read. Jest prints its own summary after every reporter, so
 * the line is handed to the caller by the file that RELIGHT_CLOSING_LINE names, to be printed last.
 */
export default class ClosingLine {
  onRunComplete(
    _contexts,
    { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numRuntimeErrorTestSuites },
  ) {
    // A file that could not even run is a failure, though none of its tests was counted.
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    const line = `${numPassedTests} passed, ${failed} failed, ${numPendingTests + numTodoTests} skipped`;
    const file = process.env.RELIGHT_CLOSING_LINE;
    if (file) writeFileSync(file, line);
    else console.log(line);
  }
}
