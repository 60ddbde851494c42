import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { Journal, JournalledAccount } from "../../../ports/journal.ts";
import type { Leases } from "../../../ports/leases.ts";
import { CLIENT_SETTINGS } from "../client-settings.ts";
import { knownAccounts } from "./dynamodb-accounts.ts";
import { append } from "./dynamodb-append.ts";
import { latest } from "./dynamodb-latest.ts";
import { acquire, release } from "./dynamodb-leases.ts";
import { select } from "./dynamodb-read.ts";
import { attemptAt, type DynamoDbJournalSettings } from "./dynamodb-table.ts";

export { type DynamoDbJournalSettings, JOURNAL_TABLE, JOURNAL_TTL } from "./dynamodb-table.ts";

export const documentClient = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient(CLIENT_SETTINGS));

/**
 * The journal and the leases in one DynamoDB table. Entries are put under a condition, so none is ever
 * written over another. An account's entries are read consistently, by kind from an index; a job's entries without
 * its account come from an index that may lag behind by a moment; a read of everything scans the table.
 * @throws RelightError `journal.unavailable`, and `journal.entry_too_large` before anything was stored.
 */
export function dynamoDbJournal(settings: DynamoDbJournalSettings): Journal & Leases {
  const attempt = <T>(work: () => Promise<T>): Promise<T> => attemptAt(settings.table, work);
  return {
    append: (entry) => attempt(() => append(settings, entry)),
    read: (query) => attempt(() => select(settings, query)),
    accounts: () => knownIn(settings),
    latest: (accounts) => attempt(() => latest(settings, accounts)),
    acquire: (key, holder, lasts) =>
      attempt(() => acquire(settings, { key, holder, lasts, now: settings.clock.now() })),
    release: (key, holder) => attempt(() => release(settings, key, holder)),
  };
}

async function* knownIn(settings: DynamoDbJournalSettings): AsyncIterable<JournalledAccount> {
  const accounts = knownAccounts(settings)[Symbol.asyncIterator]();
  for (;;) {
    const next = await attemptAt(settings.table, () => accounts.next());
    if (next.done) return;
    yield next.value;
  }
}
