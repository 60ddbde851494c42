import { randomUUID } from "node:crypto";
import {
  ConditionalCheckFailedException,
  type CreateTableCommandInput,
  DynamoDBClient,
} from "@aws-sdk/client-dynamodb";
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  PutCommand,
  paginateQuery,
  paginateScan,
  QueryCommand,
} from "@aws-sdk/lib-dynamodb";
import type { AccountId } from "../../domain/account.ts";
import type { EntryKind, JournalEntry } from "../../domain/journal.ts";
import type { JsonObject } from "../../domain/json.ts";
import { epochMillis } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock, Journal, JournalQuery, Leases } from "../../ports.ts";
import { CLIENT_SETTINGS, errorName } from "./client-settings.ts";

/**
 * The table, all but its name. `pk` is `account#ID` for entries and `lease#KEY` for leases, so a role may be
 * given `dynamodb:DeleteItem` on `lease#*` alone (`dynamodb:LeadingKeys`) and can then erase no entry.
 */
export const JOURNAL_TABLE = {
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
    { AttributeName: "job", AttributeType: "S" },
  ],
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "job-index",
      KeySchema: [
        { AttributeName: "job", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "ALL" },
    },
  ],
} as const satisfies Omit<CreateTableCommandInput, "TableName">;

/** The attribute, in epoch seconds, by which DynamoDB clears forgotten leases away. Entries have none. */
export const JOURNAL_TTL = { AttributeName: "expiresAt", Enabled: true } as const;

/** Tries to find a free place behind the newest entry; each one lost is a place that another writer won. */
const MAX_PLACES = 100;

export interface DynamoDbJournalSettings {
  readonly table: string;
  readonly client: DynamoDBDocumentClient;
  /** What leases expire by. */
  readonly clock: Clock;
  /** Takes secrets out of an entry's data before it is stored. */
  readonly scrub: (value: JsonObject) => JsonObject;
}

export const documentClient = (): DynamoDBDocumentClient =>
  DynamoDBDocumentClient.from(new DynamoDBClient(CLIENT_SETTINGS));

/**
 * The journal and the leases in one DynamoDB table. Entries are put under a condition, so none is ever
 * written over another. An account's entries are read consistently; a job's entries without its account
 * come from an index that may lag behind by a moment; a read of everything scans the table.
 */
export function dynamoDbJournal(settings: DynamoDbJournalSettings): Journal & Leases {
  const attempt = <T>(work: () => Promise<T>): Promise<T> => attemptAt(settings.table, work);
  return {
    append: async (entry) => {
      // As text: DynamoDB's own types would lose what they have no word for.
      const text = JSON.stringify(settings.scrub(entry.data));
      await attempt(() => append(settings, entry, text));
    },
    read: (query) => attempt(() => select(settings, query)),
    acquire: (key, holder, lasts) =>
      attempt(() => acquire(settings, { key, holder, now: settings.clock.now(), lasts })),
    release: (key, holder) => attempt(() => release(settings, key, holder)),
  };
}

/** An entry's place among those of its account, in order of appending. */
interface Place {
  /** Not before the entry's own time, nor before that of the entry it follows: clocks of machines differ. */
  readonly millis: number;
  readonly counter: number;
}

async function append(
  settings: DynamoDbJournalSettings,
  { at, job, account, kind }: JournalEntry,
  data: string,
): Promise<void> {
  const stored = { at, job, account, kind, data, write: randomUUID() };
  let place = placeAfter(await newestPlace(settings, account), at);
  for (let places = 0; places < MAX_PLACES; places += 1) {
    const item = { pk: accountKey(account), sk: sortKey(place), ...stored };
    if (await putNew(settings, item)) return;
    place = { ...place, counter: place.counter + 1 };
  }
  throw new Error(`${MAX_PLACES} other writers were faster`);
}

async function newestPlace(
  { client, table }: DynamoDbJournalSettings,
  account: JournalEntry["account"],
): Promise<Place | undefined> {
  const newest = await client.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": accountKey(account) },
      ...{ ProjectionExpression: "sk", ScanIndexForward: false, ConsistentRead: true, Limit: 1 },
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

const accountKey = (account: string): string => `account#${account}`;
const leaseKey = (key: string) => ({ pk: `lease#${key}`, sk: "lease" });

/** False if the place is taken by another write. If an answer got lost, the SDK's retry finds our own. */
async function putNew(
  { client, table }: DynamoDbJournalSettings,
  item: { pk: string; sk: string; write: string },
): Promise<boolean> {
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

type Item = Record<string, unknown>;

async function select(
  settings: DynamoDbJournalSettings,
  query: JournalQuery,
): Promise<readonly JournalEntry[]> {
  const { account, job, kinds, limit = Number.POSITIVE_INFINITY } = query;
  if (limit <= 0 || kinds?.length === 0) return [];
  if (account === undefined && job === undefined) return newestOf(await scan(settings, kinds), limit);
  const items: Item[] = [];
  for await (const page of paginateQuery(settings, queryOf(settings.table, query))) {
    items.push(...(page.Items ?? []));
    if (items.length >= limit) break;
  }
  return items.slice(0, limit).map(entryOf).reverse();
}

/** Newest first, so that a limit needs no more pages than it must. */
function queryOf(table: string, { account, job, kinds }: JournalQuery) {
  const filters = [account !== undefined && job !== undefined ? "#job = :job" : "", kindFilter(kinds)];
  const filter = filters.filter(Boolean).join(" AND ");
  return {
    TableName: table,
    ...(account === undefined
      ? { IndexName: "job-index", KeyConditionExpression: "#job = :job" }
      : { KeyConditionExpression: "pk = :pk", ConsistentRead: true }),
    ...(filter === "" ? {} : { FilterExpression: filter }),
    ExpressionAttributeNames: {
      ...(job === undefined ? {} : { "#job": "job" }),
      ...(kinds === undefined ? {} : { "#kind": "kind" }),
    },
    ExpressionAttributeValues: {
      ...(account === undefined ? {} : { ":pk": accountKey(account) }),
      ...(job === undefined ? {} : { ":job": job }),
      ...kindValues(kinds),
    },
    ScanIndexForward: false,
  };
}

async function scan(settings: DynamoDbJournalSettings, kinds: JournalQuery["kinds"]): Promise<Item[]> {
  const filter = ["begins_with(pk, :entries)", kindFilter(kinds)].filter(Boolean).join(" AND ");
  const pages = paginateScan(settings, {
    TableName: settings.table,
    FilterExpression: filter,
    ...(kinds === undefined ? {} : { ExpressionAttributeNames: { "#kind": "kind" } }),
    ExpressionAttributeValues: { ":entries": accountKey(""), ...kindValues(kinds) },
    ConsistentRead: true,
  });
  const items: Item[] = [];
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}

function newestOf(items: readonly Item[], limit: number): readonly JournalEntry[] {
  const order = ({ pk, sk }: Item) => `${sk} ${pk}`;
  const sorted = items.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  return sorted.slice(-Math.min(limit, sorted.length)).map(entryOf);
}

function kindFilter(kinds: JournalQuery["kinds"]): string {
  return kinds === undefined ? "" : `#kind IN (${kinds.map((_, index) => `:kind${index}`).join(", ")})`;
}

function kindValues(kinds: JournalQuery["kinds"] = []): Record<string, string> {
  return Object.fromEntries(kinds.map((kind, index) => [`:kind${index}`, kind]));
}

/** Only {@link append} writes entries, so their types are known. */
function entryOf(item: Item): JournalEntry {
  return {
    at: epochMillis(Number(item["at"])),
    job: String(item["job"]),
    account: String(item["account"]) as AccountId | "-",
    kind: String(item["kind"]) as EntryKind,
    data: JSON.parse(String(item["data"])),
  };
}

async function acquire(
  { client, table }: DynamoDbJournalSettings,
  { key, holder, now, lasts }: { key: string; holder: string; now: number; lasts: number },
): Promise<boolean> {
  const until = now + lasts;
  const command = new PutCommand({
    TableName: table,
    // DynamoDB clears away by the second and up to days late, so `until` decides and not `expiresAt`.
    Item: { ...leaseKey(key), holder, until, expiresAt: Math.ceil(until / 1000) },
    ConditionExpression: "attribute_not_exists(pk) OR #holder = :holder OR #until <= :now",
    ExpressionAttributeNames: { "#holder": "holder", "#until": "until" },
    ExpressionAttributeValues: { ":holder": holder, ":now": now },
  });
  return await conditionHolds(client.send(command));
}

async function release(
  { client, table }: DynamoDbJournalSettings,
  key: string,
  holder: string,
): Promise<void> {
  const command = new DeleteCommand({
    TableName: table,
    Key: leaseKey(key),
    ConditionExpression: "#holder = :holder",
    ExpressionAttributeNames: { "#holder": "holder" },
    ExpressionAttributeValues: { ":holder": holder },
  });
  await conditionHolds(client.send(command));
}

async function conditionHolds(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (cause) {
    if (cause instanceof ConditionalCheckFailedException) return false;
    throw cause;
  }
}

async function attemptAt<T>(table: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const reason = errorName(cause);
    const text = cause instanceof Error ? cause.message : String(cause);
    const message = `the journal in table ${table} can't be used: ${reason}: ${text}`;
    throw new RelightError("journal.unavailable", message, { cause, details: { table, reason } });
  }
}
