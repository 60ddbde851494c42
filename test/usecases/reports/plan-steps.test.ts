import { expect, test } from "@jest/globals";
import { planSteps } from "../../../lib/usecases/reports/plan-steps.ts";
import { survey } from "../../../lib/usecases/reports/survey.ts";
import { expire, fill } from "../../support/virtual/scenes.ts";
import { APP, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/** What a person reads before agreeing to it. */

const STILL_DEAD = "if it is still dead after the renewal";

test.each<[string, WorldSettings, boolean, readonly (string | RegExp)[]]>([
  [
    "where it stays dead",
    { version: "2.10.27" },
    false,
    [
      "renew: its claims are expired",
      `${STILL_DEAD}, toggle-jetstream: turn the account's JetStream off and on by pushing claims`,
    ],
  ],
  [
    "where what follows is refused",
    { version: "2.10.27" },
    true,
    [
      "renew: its claims are expired",
      /^if it is still dead after the renewal, call a person: toggle-jetstream is refused: it would lose/,
    ],
  ],
  ["where it works again", { version: "2.15.1" }, false, ["renew: its claims are expired"]],
])("the plan for an expired account %s", async (_where, settings, memory, texts) => {
  const world = virtualWorld(settings);
  fill(world, { memory });
  expire(world);
  const [row] = await survey(world.newContext(), [APP.id]);
  const steps = row === undefined ? [] : planSteps(row);
  expect(steps.map(({ text }) => text)).toEqual(
    texts.map((text) => (typeof text === "string" ? text : expect.stringMatching(text))),
  );
  const then = steps.find(({ text }) => text.includes("toggle-jetstream: "));
  if (then !== undefined)
    expect(then.more).toEqual([
      ["why", expect.stringMatching(/2\.10\.27.*#6806/)],
      ["risk", expect.stringMatching(/no JetStream for a second; what exists only in memory is recreated empty/)],
      ["undo", expect.any(String)],
    ]);
});
