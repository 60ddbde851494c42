import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import type { Journal, JournalQuery } from "../../../lib/ports/journal.ts";
import { rememberingJournal } from "../../../lib/usecases/journal/remembering-journal.ts";
import { fakeClock } from "../../support/fakes/clock.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";

const A = `A${"A".repeat(55)}` as AccountId;
const B = `A${"B".repeat(55)}` as AccountId;
const MEMORY = ["toggle.opened", "toggle.closed"] as const;

const entryOf = (kind: EntryKind, account: JournalEntry["account"] = A): JournalEntry => ({
  at: epochMillis(0),
  job: "j",
  account,
  kind,
  data: {},
});

function newScene() {
  const real = fakeJournal(fakeClock());
  const asked: JournalQuery[] = [];
  const lost = new AbortController();
  const counting: Journal = {
    ...real,
    read: (query) => {
      asked.push(query);
      return real.read(query);
    },
  };
  return { real, asked, lost, counting, journal: rememberingJournal(counting, A, lost.signal) };
}

describe("a caching journal", () => {
  test("reads once, until an entry of that kind is appended", async () => {
    const { journal, asked } = newScene();
    const query = { account: A, kinds: MEMORY };
    await journal.read(query);
    await journal.read(query);
    expect(asked).toHaveLength(1);
    await journal.append(entryOf("verdict"));
    await journal.read(query);
    expect(asked).toHaveLength(1);
    await journal.append(entryOf("toggle.opened"));
    expect(await journal.read(query)).toHaveLength(1);
    expect(asked).toHaveLength(2);
  });

  test.each<[string, JournalQuery]>([
    ["the cluster's own entries", { account: "-", kinds: ["restart.opened"] }],
    ["another account's", { account: B, kinds: MEMORY }],
    ["whatever kind", { account: A, limit: 10 }],
    ["one job's", { account: A, job: "j", kinds: MEMORY }],
    ["no account's", { kinds: MEMORY }],
  ])("never caches %s", async (_what, query) => {
    const { journal, asked } = newScene();
    await journal.read(query);
    await journal.read(query);
    expect(asked).toHaveLength(2);
  });

  test("caches nothing once the lease was lost", async () => {
    const { journal, real, lost } = newScene();
    const query = { account: A, kinds: MEMORY };
    await journal.read(query);
    await real.append(entryOf("toggle.opened"));
    lost.abort();
    expect(await journal.read(query)).toHaveLength(1);
  });

  test("reads again after a failed read, and after a failed append that may have arrived", async () => {
    const { real, counting, lost } = newScene();
    let fails = true;
    const frail: Journal = {
      ...counting,
      read: (query) => (fails ? Promise.reject(new Error("throttled")) : counting.read(query)),
      append: async (entry) => {
        await real.append(entry);
        throw new Error("the answer got lost");
      },
    };
    const journal = rememberingJournal(frail, A, lost.signal);
    const query = { account: A, kinds: MEMORY };
    await expect(journal.read(query)).rejects.toThrow("throttled");
    fails = false;
    expect(await journal.read(query)).toEqual([]);
    await expect(journal.append(entryOf("toggle.opened"))).rejects.toThrow("lost");
    expect(await journal.read(query)).toHaveLength(1);
  });

  test("answers like the journal, for any reads and appends", async () => {
    const kinds = fc.constantFrom<EntryKind>("toggle.opened", "toggle.closed", "claims.seen", "verdict");
    const account = fc.constantFrom<AccountId | "-">(A, B, "-");
    const query = fc.record(
      { account, kinds: fc.uniqueArray(kinds, { minLength: 1 }), limit: fc.integer({ min: 1, max: 2 }) },
      { requiredKeys: ["account"] },
    );
    const step = fc.oneof(query, fc.record({ append: kinds, of: account }));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { journal, real } = newScene();
        for (const one of steps) {
          if ("append" in one) await journal.append(entryOf(one.append, one.of));
          else expect(await journal.read(one)).toEqual(await real.read(one));
        }
      }),
    );
  });
});
