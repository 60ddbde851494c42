import { describe, expect, test } from "@jest/globals";
import type { JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { lastPush, rememberedPush } from "../../../lib/domain/journal/last-push.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { overwritten } from "../../../lib/domain/verdict/overwritten-findings.ts";
import { ACCOUNT, claims, NOW, OPERATOR_KEY, SIGNING_KEY } from "../observations.ts";

/** What claims in force undo of what Relight pushed, by what the journal remembers of its pushes. */

const DAY = 86_400;
const [BEFORE, AFTER] = [NOW + 20 * DAY, NOW + 90 * DAY];

interface Pushed {
  readonly purpose: string;
  readonly changes: readonly JsonObject[];
  readonly limits?: Record<string, unknown>;
  readonly exp?: number;
}

const renewal: Pushed = { purpose: "renewal", changes: [{ path: "exp", before: BEFORE, after: AFTER }] };
const storage = (before: number, after: number): Pushed => ({
  purpose: "JetStream limits",
  changes: [{ path: "nats.limits.disk_storage", before, after }],
  limits: { disk_storage: after },
});

/** What the journal has of these pushes, each a minute after the other, the first of them now. */
const remembered = (pushes: readonly Pushed[]) =>
  lastPush(
    pushes.map(({ purpose, changes, limits, exp = AFTER }, index): JournalEntry => {
      const { claims: pushed } = claims({}, limits);
      const jwt = { jti: `P${index}`, iat: NOW + 60 * index, exp, purpose };
      const data = { ...jwt, ...rememberedPush(pushed, changes) };
      return { at: epochMillis((NOW + 60 * index) * 1_000), job: "j", account: ACCOUNT, kind: "push.proved", data };
    }),
  );

describe("claims in force after somebody's push", () => {
  const LATER = { jti: "NSC", iat: NOW + 600, exp: AFTER };
  test.each<[string, readonly Pushed[], ReturnType<typeof claims>, RegExp | undefined]>([
    ["that ends as Relight's", [renewal], claims(LATER), undefined],
    [
      "as nsc edit makes them from a copy",
      [renewal],
      claims({ ...LATER, exp: BEFORE }),
      /^a JWT made from an older copy was pushed over the renewal of .*: the account expires .* instead of .* \(exp\)$/,
    ],
    [
      "from a copy of two renewals ago",
      [
        { ...renewal, exp: AFTER - 1 },
        { purpose: "renewal", changes: [{ path: "exp", before: AFTER - 1, after: AFTER }] },
      ],
      claims({ ...LATER, exp: BEFORE }),
      /^a JWT made from an older copy/,
    ],
    [
      "with an end of its own",
      [renewal],
      claims({ ...LATER, exp: NOW + 5 * DAY }),
      /^a JWT that ends earlier was pushed/,
    ],
    [
      "from before",
      [renewal],
      claims({ jti: "NSC", iat: NOW - 60, exp: AFTER }),
      /^an older JWT was pushed over the renewal/,
    ],
    [
      "that undo a change of limits, which the renewal after it did not",
      [storage(100, 200), { ...renewal, limits: { disk_storage: 200 } }],
      claims(LATER, { disk_storage: 100 }),
      /^a JWT made from an older copy was pushed over Relight's push \(JetStream limits\) of .*: nats\.limits\.disk_storage is 100 again instead of 200$/,
    ],
    [
      "that undo both",
      [storage(100, 200), { ...renewal, limits: { disk_storage: 200 } }],
      claims({ ...LATER, exp: BEFORE }, { disk_storage: 100 }),
      /over the renewal .* \(exp\), nats\.limits\.disk_storage is 100 again instead of 200$/,
    ],
    ["that change a limit otherwise", [storage(100, 200)], claims(LATER, { disk_storage: 300 }), undefined],
    [
      "after a limit was changed back",
      [storage(100, 200), storage(200, 100)],
      claims(LATER, { disk_storage: 100 }),
      undefined,
    ],
    [
      "after a renewal accepted what somebody set back",
      [storage(100, 200), { ...renewal, limits: { disk_storage: 100 } }],
      claims(LATER, { disk_storage: 100 }),
      undefined,
    ],
    [
      "after a toggle, which changes nothing for long",
      [
        { ...storage(100, 0), purpose: "JetStream off" },
        { ...storage(0, 100), purpose: "JetStream on" },
      ],
      claims(LATER, { disk_storage: 0 }),
      undefined,
    ],
    [
      "that are signed with a key that was rotated away",
      [{ purpose: "key rotation", changes: [{ path: "iss", before: OPERATOR_KEY, after: SIGNING_KEY }] }],
      claims({ ...LATER, iss: OPERATOR_KEY }),
      /over Relight's push \(key rotation\) of .*: iss is "OC+" again instead of "OD+"$/,
    ],
    [
      "that are signed with nsc's key, as always",
      [{ ...renewal, changes: [...renewal.changes, { path: "iss", before: OPERATOR_KEY, after: SIGNING_KEY }] }],
      claims({ ...LATER, iss: OPERATOR_KEY }),
      undefined,
    ],
    [
      "after an entry of an older version",
      [{ purpose: "renewal", changes: [] }],
      claims({ ...LATER, exp: BEFORE }),
      /ends earlier/,
    ],
    ["and no push of Relight's", [], claims({ ...LATER, exp: BEFORE }), undefined],
  ])("%s", (_what, pushes, document, told) => {
    const found = overwritten(document.claims, remembered(pushes));
    if (told === undefined) expect(found).toBeUndefined();
    else expect(found?.what).toMatch(told);
  });

  test.each<[string, readonly Pushed[], ReturnType<typeof claims>, "full" | "memory-or-url", RegExp]>([
    [
      "renew first, because until then nsc would pull the outdated claims",
      [renewal],
      claims({ ...LATER, exp: BEFORE }),
      "full",
      /^renew .*`relight renew \S+`.*, then run `nsc pull -A` where the outdated claims came from$/,
    ],
    [
      "make the change again",
      [storage(100, 200)],
      claims(LATER, { disk_storage: 100 }),
      "full",
      /^make the change again \(`relight jetstream limits \S+`\), then run `nsc pull -A`/,
    ],
    [
      "nsc can't pull",
      [renewal],
      claims({ ...LATER, exp: BEFORE }),
      "memory-or-url",
      /^renew .*, then put .* into resolver_preload/,
    ],
  ])("what to do: %s", (_what, pushes, document, resolver, advice) => {
    const found = overwritten(document.claims, remembered(pushes), [{ name: "s1", resolver }]);
    expect(found?.advice).toMatch(advice);
  });
});
