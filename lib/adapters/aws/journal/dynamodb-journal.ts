import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { epochMillis } from "../../../domain/time/time.ts";
import type { Journal, JournalledAccount } from "../../../ports/journal.ts";
import type { Leases } from "../../../ports/leases.ts";
import { CLIENT_SETTINGS } from "../client-settings.ts";
import { knownAccounts } from "./dynamodb-accounts.ts";
import { append } from "./dynamodb-append.ts";
import { latest } from "./dynamodb-latest.ts";
import { acquire, heldUntil, release } from "./dynamodb-leases.ts";
import { select } from "./dynamodb-read.ts";
import { attemptAt, type DynamoDbJournalSettings } from "./dynamodb-table.ts";

export { type DynamoDbJournalSettings, JOURNAL_TABLE, JOURNAL_TTL } from "./dynamodb-table.ts";

export const documentClient = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient(CLIENT_SETTINGS));

/**
 * The journal and the leases in one DynamoDB table. Conditional writes never overwrite an entry. Reads of an account's
 * entries are consistent, also by kind. Reads of a job without its account use an index that may lag slightly. Reading
 * everything scans the table.
 * @throws RelightError `journal.unavailable`, and `journal.entry_too_large` before anything is stored.
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
    heldUntil: async (key) => {
      const until = await attempt(() => heldUntil(settings, { key, now: settings.clock.now() }));
      return until === undefined ? undefined : epochMillis(until);
    },
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
