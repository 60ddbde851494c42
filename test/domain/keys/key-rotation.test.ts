import { describe, expect, test } from "@jest/globals";
import { createAccount, createOperator } from "@nats-io/nkeys";
import fc from "fast-check";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { Operator } from "../../../lib/domain/claims/operator.ts";
import { obstacles, planWaves, type RotationAccount, type ServerTrust } from "../../../lib/domain/keys/key-rotation.ts";

const [own, from, to, other] = [1, 2, 3, 4].map(() => createOperator().getPublicKey()) as [
  ...[string, string, string, string],
];
const operatorWith = (signingKeys: readonly string[], strict = true, id = own): Operator => ({
  id,
  name: "OP",
  signingKeys,
  strictSigningKeyUsage: strict,
});
const both = operatorWith([from, to]);
const trusting = (...operators: Operator[]): ServerTrust[] => [{ server: "n1", operators }];

describe("obstacles to a rotation", () => {
  test.each<[string, ServerTrust[], Operator, string | undefined, string[]]>([
    ["nothing, where both are trusted and the new one signs", trusting(both), both, to, []],
    ["a server without the new key", trusting(operatorWith([from])), both, to, [`n1 does not trust ${to}`]],
    ["a server without the old key", trusting(operatorWith([to])), both, to, [`n1 does not trust ${from}`]],
    [
      "a server of another operator with the same keys",
      trusting(operatorWith([from, to], true, other)),
      ...([both, to, [`n1 does not trust ${from}`, `n1 does not trust ${to}`]] as const),
    ] as never,
    ["a server without operators", trusting(), both, to, [`n1 does not trust ${from}`, `n1 does not trust ${to}`]],
    ["an operator.jwt that is older", trusting(both), operatorWith([from]), to, [`operator.jwt does not trust ${to}`]],
    [
      "the old key as the one that signs",
      ...([trusting(both), both, from, [`operator.signingKey is ${from}, not the new key ${to}`]] as const),
    ] as never,
    [
      "no key that signs",
      ...([trusting(both), both, undefined, [`operator.signingKey is not configured, not the new key ${to}`]] as const),
    ] as never,
  ])("%s", (_what, trust, operator, signer, problems) => {
    const found = obstacles({ from, to }, trust, operator, signer);
    expect(found.problems).toEqual(problems);
    expect(found.advice.length > 0).toBe(problems.length > 0);
  });

  test("the operator's own key counts unless signing keys are required", () => {
    const lenient = operatorWith([to], false);
    expect(obstacles({ from: own, to }, trusting(lenient), lenient, to).problems).toEqual([]);
    const strict = operatorWith([to], true);
    expect(obstacles({ from: own, to }, trusting(strict), strict, to).problems).not.toEqual([]);
  });

  test("equal keys, or an invalid public key, are reported first", () => {
    expect(obstacles({ from: to, to }, trusting(both), both, to).problems).toHaveLength(1);
    expect(obstacles({ from: "OLD", to }, trusting(both), both, to).problems.join()).toMatch(/^OLD is not/);
  });

  test("names the key to add, and says that a reload is not enough", () => {
    const { advice } = obstacles({ from, to }, trusting(operatorWith([from])), operatorWith([from]), to);
    expect(advice[0]).toBe(`nsc edit operator --sk ${to}`);
    expect(advice.join()).toMatch(/Restart the servers one at a time.*a reload does not/);
  });
});

const ids = Array.from({ length: 12 }, () => createAccount().getPublicKey() as AccountId);
const accounts = fc
  .array(fc.record({ streams: fc.nat(5), index: fc.nat(11), critical: fc.boolean() }), { maxLength: 12 })
  .map((list) => {
    const unique = [...new Map(list.map((it) => [it.index, it])).values()];
    return unique.map(({ streams, index, critical }): RotationAccount => {
      const account = ids[index] as AccountId;
      return { account, name: `A${index}`, streams, critical, runningOn: [], stored: true };
    });
  });

describe("the waves", () => {
  test("contain every account once, none larger than requested, critical ones last, fewest streams first, the system account at the end", () => {
    fc.assert(
      fc.property(accounts, fc.integer({ min: 1, max: 5 }), fc.boolean(), (list, size, includeSystem) => {
        const systemAccount = ids[0] as string;
        const { waves, leftOut } = planWaves(list, { size, includeSystem, systemAccount });
        const flat = waves.flat();
        expect([...flat, ...leftOut].map(({ name }) => name).sort()).toEqual(list.map(({ name }) => name).sort());
        for (const wave of waves) expect(wave.length).toBeLessThanOrEqual(size);
        for (const wave of waves) expect(wave.length).toBeGreaterThan(0);
        const ordinary = flat
          .filter(({ account }) => account !== systemAccount)
          .map(({ streams, critical }) => streams + (critical ? 100 : 0));
        expect(ordinary).toEqual([...ordinary].sort((a, b) => a - b));
        const at = flat.findIndex(({ account }) => account === systemAccount);
        if (at >= 0) expect([includeSystem, at, waves.at(-1)?.length]).toEqual([true, flat.length - 1, 1]);
        if (!includeSystem) expect(leftOut.every(({ account }) => account === systemAccount)).toBe(true);
      }),
    );
  });
});
