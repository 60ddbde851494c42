import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const SECONDS = join(import.meta.dirname, "seconds.json");
/** What takes less is no matter of order. */
const LEAST_SECONDS = 15;

/**
 * Jest reporter: how many tests of each file passed, failed and were skipped, as JSON into the file that
 * RELIGHT_TALLY names (scripts/test.ts), since Jest prints its own summary after every reporter. With
 * RELIGHT_WRITE_SECONDS it takes down how long each file took, for test/support/longest-first.js.
 */
export default class Tally {
  onRunComplete(_contexts, { testResults }) {
    const file = process.env.RELIGHT_TALLY;
    if (file) writeFileSync(file, JSON.stringify(testResults.map(tallyOf)));
    if (process.env.RELIGHT_WRITE_SECONDS !== undefined) writeSeconds(testResults);
  }
}

const nameOf = ({ testFilePath }) => relative(process.cwd(), testFilePath);

function tallyOf(result) {
  return {
    file: nameOf(result),
    passed: result.numPassingTests,
    // A file that could not even run is a failure, though none of its tests was counted.
    failed: result.numFailingTests + (result.testExecError ? 1 : 0),
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** Files that did not run this time keep what they had. */
function writeSeconds(results) {
  const ran = results.map((result) => [nameOf(result), Math.round(result.perfStats.runtime / 1000)]);
  const seconds = { ...JSON.parse(readFileSync(SECONDS, "utf8")), ...Object.fromEntries(ran) };
  const long = Object.entries(seconds).filter(([, took]) => took >= LEAST_SECONDS);
  const sorted = Object.fromEntries(long.sort(([, one], [, other]) => other - one));
  writeFileSync(SECONDS, `${JSON.stringify(sorted, null, 2)}\n`);
}
