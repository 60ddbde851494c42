import { describe, expect, test } from "@jest/globals";
import { forbiddenStep, type Step } from "../../../lib/domain/ladder/ladder.ts";
import { allows, MODES, type Mode, modeOf, whyLeft, withLoss } from "../../../lib/domain/ladder/mode.ts";
import { LADDER } from "../../../lib/domain/ladder/rungs.ts";

const nothing = { dryRun: false, readOnly: false, configured: undefined, canSign: true } as const;

describe("the mode of a run", () => {
  test.each<[string, Partial<Parameters<typeof modeOf>[0]>, Mode, RegExp]>([
    ["a key to sign with", {}, "heal", /operator\.signingKey is configured/],
    ["no key to sign with", { canSign: false }, "look", /operator\.signingKey is not configured/],
    ["a mode", { configured: "renew" }, "renew", /mode: renew/],
    ["a mode without a key: a word is a permission", { configured: "heal", canSign: false }, "heal", /mode: heal/],
    ["mode: look", { configured: "look" }, "look", /mode: look/],
    ["readOnly, whatever mode stands beside it", { readOnly: true, configured: "heal" }, "look", /readOnly/],
    ["--dry-run, whatever the configuration says", { dryRun: true, configured: "heal" }, "look", /--dry-run/],
  ])("with %s", (_what, settings, mode, because) => {
    expect(modeOf({ ...nothing, ...settings })).toMatchObject({
      mode,
      because: expect.stringMatching(because),
    });
  });

  test("is never raised by a restricting setting", () => {
    for (const configured of [undefined, "look", "renew", "heal"] as const)
      for (const canSign of [true, false])
        for (const more of [{ dryRun: true }, { readOnly: true }])
          expect(modeOf({ ...nothing, configured, canSign, ...more }).mode).toBe("look");
  });

  test("allows loss only to an account with that policy, and only if it heals", () => {
    const [heal, renew, look] = [
      nothing,
      { ...nothing, configured: "renew" as const },
      { ...nothing, canSign: false },
    ].map(modeOf);
    expect([heal, renew, look].map((mode) => mode && withLoss(mode, true).mode)).toEqual([
      "heal-with-loss",
      "renew",
      "look",
    ]);
    expect(heal && withLoss(heal, false).mode).toBe("heal");
  });

  test("each mode allows everything that the previous ones allow", () => {
    for (const [index, mode] of MODES.entries())
      expect(MODES.filter((needed) => allows(mode, needed))).toEqual(MODES.slice(0, index + 1));
  });
});

describe("the ladder by mode", () => {
  const rungSteps = LADDER.map((rung): Step => ({ kind: "rung", rung, why: "deaf", refused: [] }));
  const renew: Step = { kind: "renew", why: "it expired" };
  const stop: Step = { kind: "stop", why: "no rung helps", refused: [] };
  const forbidden = (configured: "look" | "renew" | "heal", step: Step) =>
    forbiddenStep(modeOf({ ...nothing, configured }), step);

  test("look: no step, and each says what it would do", () => {
    for (const step of rungSteps) expect(forbidden("look", step)).toMatch(/^[a-z-]+ \(deaf\)$/);
    expect(forbidden("look", renew)).toBe("renew (it expired)");
    expect(forbidden("look", stop)).toBe("page a person (no rung helps)");
  });

  test("renew: no rung", () => {
    expect(forbidden("renew", renew)).toBeUndefined();
    expect(forbidden("renew", stop)).toBeUndefined();
    for (const step of rungSteps) expect(forbidden("renew", step)).toBeDefined();
  });

  test("heal: every step", () => {
    for (const step of [...rungSteps, renew, stop]) expect(forbidden("heal", step)).toBeUndefined();
  });

  test("is described with its reason", () => {
    expect(whyLeft(modeOf({ ...nothing, canSign: false }), ["renew (it expired)"])).toBe(
      "changed nothing, because operator.signingKey is not configured; it would renew (it expired)",
    );
  });
});
