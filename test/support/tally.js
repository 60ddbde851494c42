import { writeFileSync } from "node:fs";
import { relative } from "node:path";

/**
 * Jest reporter: how many tests of each file passed, failed and were skipped, as JSON into the file that
 * RELIGHT_TALLY names (scripts/test.ts), since Jest prints its own summary after every reporter.
 */
export default class Tally {
  onRunComplete(_contexts, { testResults }) {
    const file = process.env.RELIGHT_TALLY;
    if (file) writeFileSync(file, JSON.stringify(testResults.map(tallyOf)));
  }
}

function tallyOf(result) {
  return {
    file: relative(process.cwd(), result.testFilePath),
    passed: result.numPassingTests,
    // A file that could not even run is a failure, though none of its tests was counted.
    failed: result.numFailingTests + (result.testExecError ? 1 : 0),
    skipped: result.numPendingTests + result.numTodoTests,
  };
}
