import { sep } from "node:path";
import Sequencer from "@jest/test-sequencer";

/**
 * The files that take longest, longest first: one of them begun last would run alone at the end. Jest learns
 * durations from its first run only, and a fresh machine has none.
 */
export const LONGEST = [
  "test/simulation/two-years.test.ts",
  "test/integration/domains.test.ts",
  "test/twin/killed.test.ts",
  "test/integration/recoveries-cluster.test.ts",
  "test/twin/faults-aws.test.ts",
  "test/integration/watch.test.ts",
  "test/integration/restart-guard.test.ts",
  "test/integration/limits.test.ts",
  "test/integration/held.test.ts",
  "test/integration/claims-source.test.ts",
  "test/integration/resume.test.ts",
  "test/integration/heal.test.ts",
  "test/integration/scale-up.test.ts",
  "test/integration/copies.test.ts",
  "test/functions/handlers.test.ts",
  "test/integration/recoveries-forgotten.test.ts",
  "test/integration/doctor.test.ts",
  "test/integration/jetstream-limits.test.ts",
  "test/integration/rungs.test.ts",
  "test/integration/buckets.test.ts",
  "test/integration/churn.test.ts",
  "test/twin/killed-others.test.ts",
  "test/twin/journal-reads.test.ts",
  "test/integration/meta-group.test.ts",
  "test/contracts/resolver.test.ts",
  "test/functions/observability.test.ts",
  "test/integration/kinds.test.ts",
  "test/twin/faults-outage.test.ts",
  "test/integration/rotate-key.test.ts",
  "test/integration/sweep.test.ts",
  "test/integration/resume-cluster.test.ts",
  "test/twin/twin.test.ts",
  "test/integration/sweep-many.test.ts",
];

/** The place of a file in the list; those that are not in it come after all that are. */
function placeOf({ path }) {
  const name = path.split(sep).join("/");
  const index = LONGEST.findIndex((listed) => name.endsWith(`/${listed}`));
  return index < 0 ? LONGEST.length : index;
}

/** Jest's own order, with the files known to be long before the others. */
export default class LongestFirst extends Sequencer {
  async sort(tests) {
    const sorted = await super.sort(tests);
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other));
  }
}
