import { readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import Sequencer from "@jest/test-sequencer";

const root = join(import.meta.dirname, "..", "..");
/** Seconds by file, as test/support/tally.js wrote them. */
const SECONDS = JSON.parse(readFileSync(join(import.meta.dirname, "seconds.json"), "utf8"));

const secondsOf = ({ path }) => SECONDS[relative(root, path).split(sep).join("/")] ?? 0;

/**
 * The files that take longest, longest first: one of them begun last would run alone at the end. Jest learns durations
 * from its first run only, and a fresh machine has none.
 */
export default class LongestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((one, other) => secondsOf(other) - secondsOf(one));
  }
}
