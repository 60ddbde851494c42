import { setTimeout } from "node:timers/promises";
import { BatchGetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { JournalEntry } from "../../../domain/journal/journal.ts";
import { type LastJob, lastJobOf } from "../../../domain/journal/last-job.ts";
import { conditionHolds } from "./dynamodb-leases.ts";
import { entryOf } from "./dynamodb-read.ts";
import type { DynamoDbJournalSettings, Item } from "./dynamodb-table.ts";

/** One small item per account with its newest job, for sweeps. */
const latestKey = (account: string) => ({ pk: `latest#${account}`, sk: "latest" });

/**
 * Stores the entry as the account's newest job, unless there is a newer one. Failures are ignored: the entry itself is
 * already stored, and the cost is only an extra check of the account.
 */
export async function putLatest(
  { client, table }: DynamoDbJournalSettings,
  entry: JournalEntry,
  place: string,
): Promise<void> {
  if (entry.account === "-" || lastJobOf(entry) === undefined) return;
  const { at, job, account, kind, data } = entry;
  // Sweeps do not need the error's message, which may be long.
  const { error: _error, ...known } = data;
  const command = new PutCommand({
    TableName: table,
    // An attribute `job` would add this item to job-index.
    Item: { ...latestKey(account), at, ofJob: job, account, kind, data: JSON.stringify(known), place },
    ConditionExpression: "attribute_not_exists(pk) OR #place < :place",
    ExpressionAttributeNames: { "#place": "place" },
    ExpressionAttributeValues: { ":place": place },
  });
  await conditionHolds(client.send(command)).catch(() => undefined);
}

/** The maximum number of keys for BatchGetItem. */
const MOST_KEYS = 100;
/** How often to ask for keys that DynamoDB left out, and the first pause in milliseconds. */
const MOST_TRIES = 6;
const FIRST_PAUSE = 50;

export async function latest(
  settings: DynamoDbJournalSettings,
  accounts: readonly AccountId[],
): Promise<ReadonlyMap<AccountId, LastJob>> {
  const distinct = [...new Set(accounts)];
  const found = new Map<AccountId, LastJob>();
  for (let from = 0; from < distinct.length; from += MOST_KEYS) {
    const keys = distinct.slice(from, from + MOST_KEYS).map(latestKey);
    for (const item of await getAll(settings, keys)) {
      const entry = entryOf({ ...item, job: item["ofJob"] });
      const lastJob = lastJobOf(entry);
      if (lastJob !== undefined) found.set(entry.account as AccountId, lastJob);
    }
  }
  return found;
}

/** Retries unprocessed keys, because an account without its item would look new. */
async function getAll({ client, table }: DynamoDbJournalSettings, keys: Item[]): Promise<readonly Item[]> {
  const items: Item[] = [];
  let left: Item[] | undefined = keys;
  for (let tries = 0; left !== undefined && left.length > 0; tries += 1) {
    if (tries === MOST_TRIES) throw new Error(`DynamoDB did not return ${left.length} of ${keys.length} items`);
    if (tries > 0) await setTimeout(FIRST_PAUSE * 2 ** (tries - 1));
    const request = { [table]: { Keys: left, ConsistentRead: true } };
    const answer = await client.send(new BatchGetCommand({ RequestItems: request }));
    items.push(...(answer.Responses?.[table] ?? []));
    left = answer.UnprocessedKeys?.[table]?.Keys as Item[] | undefined;
  }
  return items;
}
