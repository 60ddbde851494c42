import { expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import type { EntryKind } from "../../../lib/domain/journal/journal.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { isUnfinished, unfinishedJobs } from "../../../lib/usecases/sweep/unfinished.ts";
import { fakeJournal } from "../../support/fakes/journal.ts";

const AT = epochMillis(Date.UTC(2030, 0, 1));

test("finds the jobs that began and did not end, on configured accounts and on others, however many", async () => {
  const journal = fakeJournal({ now: () => AT });
  const write = (account: AccountId, kind: EntryKind, job: string) =>
    journal.append({ at: AT, job, account, kind, data: {} });
  const accounts = Array.from({ length: 250 }, () => createAccount().getPublicKey() as AccountId);
  const [first, second, third] = accounts as [AccountId, AccountId, AccountId];
  for (const account of accounts.slice(3)) await write(account, "claims.seen", "old");
  const last = accounts[249] as AccountId;
  await write(first, "job.started", "a");
  await write(second, "job.started", "b");
  await write(second, "job.finished", "b");
  await write(last, "job.started", "c");
  const found = await unfinishedJobs(journal, [first, second, third]);
  expect(found).toEqual([
    { account: first, job: "a" },
    { account: last, job: "c" },
  ]);

  const [one, other] = found as [(typeof found)[0], (typeof found)[0]];
  await write(first, "job.finished", "a");
  await write(last, "job.started", "d");
  expect([await isUnfinished(journal, one), await isUnfinished(journal, other)]).toEqual([false, false]);
  expect(await isUnfinished(journal, { account: last, job: "d" })).toBe(true);
});
