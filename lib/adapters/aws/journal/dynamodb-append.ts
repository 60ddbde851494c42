import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { type JournalEntry, mayExpire } from "../../../domain/journal/journal.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { putKnown } from "./dynamodb-accounts.ts";
import { putLatest } from "./dynamodb-latest.ts";
import { entryKey } from "./dynamodb-partitions.ts";
import { type DynamoDbJournalSettings, type EntryItem, isIndexed, kindPrefix } from "./dynamodb-table.ts";
import { packData } from "./entry-data.ts";

/** How often to try to find a free place after the newest entry. Each failure means that another writer was faster. */
const MAX_PLACES = 100;

/** An entry's place among those of its partition, in order of appending. */
interface Place {
  /** At least the entry's own time and that of the entry before it, because clocks differ. */
  readonly millis: number;
  readonly counter: number;
}

/** Appends the entry to its partition, and if it is about a job, stores it as the account's newest job. */
export async function append(settings: DynamoDbJournalSettings, entry: JournalEntry): Promise<void> {
  const { at, job, account, kind } = entry;
  const data = settings.scrub(entry.data);
  const stored = { at, job, account, kind, ...packData(kind, data), write: randomUUID() };
  await putKnown(settings, { ...entry, data });
  const pk = entryKey(kind, account);
  let place = placeAfter(await newestPlace(settings, pk), at);
  for (let places = 0; places < MAX_PLACES; places += 1) {
    const sk = sortKey(place);
    if (await putNew(settings, { pk, sk, ...keysOf(entry, sk, settings.keeps), ...stored }))
      return putLatest(settings, { ...entry, data }, sk);
    place = { ...place, counter: place.counter + 1 };
  }
  throw new Error(`${MAX_PLACES} other writers were faster`);
}

/** The attributes for the index and DynamoDB's expiry, if they apply. */
function keysOf({ kind, at }: JournalEntry, sk: string, keeps: Millis | undefined) {
  return {
    ...(isIndexed(kind) ? { kindKey: `${kindPrefix(kind)}${sk}` } : {}),
    ...(keeps !== undefined && mayExpire(kind) ? { expiresAt: Math.ceil((at + keeps) / 1000) } : {}),
  };
}

async function newestPlace({ client, table }: DynamoDbJournalSettings, pk: string): Promise<Place | undefined> {
  const newest = await client.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": pk },
      ProjectionExpression: "sk",
      ScanIndexForward: false,
      ConsistentRead: true,
      Limit: 1,
    }),
  );
  const [millis, counter] = String(newest.Items?.[0]?.["sk"] ?? "").split("#");
  return counter === undefined ? undefined : { millis: Number(millis), counter: Number(counter) };
}

function placeAfter(newest: Place | undefined, at: number): Place {
  if (newest === undefined || at > newest.millis) return { millis: at, counter: 0 };
  return { ...newest, counter: newest.counter + 1 };
}

/** Zero-padded, to sort like numbers. */
function sortKey({ millis, counter }: Place): string {
  return `${String(millis).padStart(15, "0")}#${String(counter).padStart(8, "0")}`;
}

/** False if another writer took the place. After a lost answer, the SDK's retry finds our own entry. */
async function putNew({ client, table }: DynamoDbJournalSettings, item: EntryItem): Promise<boolean> {
  const command = new PutCommand({
    TableName: table,
    Item: item,
    ConditionExpression: "attribute_not_exists(pk)",
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
  });
  try {
    await client.send(command);
    return true;
  } catch (cause) {
    if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
    return cause.Item?.["write"]?.S === item.write;
  }
}
