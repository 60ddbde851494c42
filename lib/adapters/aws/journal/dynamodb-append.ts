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

/** Tries to find a free place behind the newest entry; each one lost is a place that another writer won. */
const MAX_PLACES = 100;

/** An entry's place among those of its partition, in order of appending. */
interface Place {
  /** Not before the entry's own time, nor before that of the entry it follows: clocks of machines differ. */
  readonly millis: number;
  readonly counter: number;
}

/** Puts the entry behind all others of its partition, and notes it as the account's newest job if it is about one. */
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

/** What the index and DynamoDB's expiry go by, for entries that they concern. */
function keysOf({ kind, at }: JournalEntry, sk: string, keeps: Millis | undefined) {
  return {
    ...(isIndexed(kind) ? { kindKey: `${kindPrefix(kind)}${sk}` } : {}),
    ...(keeps !== undefined && mayExpire(kind) ? { expiresAt: Math.ceil((at + keeps) / 1000) } : {}),
  };
}

async function newestPlace(
  { client, table }: DynamoDbJournalSettings,
  pk: string,
): Promise<Place | undefined> {
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

/** Zero-padded, so that text sorts as the numbers do. */
function sortKey({ millis, counter }: Place): string {
  return `${String(millis).padStart(15, "0")}#${String(counter).padStart(8, "0")}`;
}

/** False if the place is taken by another write. If an answer got lost, the SDK's retry finds our own. */
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
