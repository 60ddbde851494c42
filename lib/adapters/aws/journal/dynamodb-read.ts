import { paginateQuery, paginateScan, type QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { EntryKind, JournalEntry } from "../../../domain/journal/journal.ts";
import { defined } from "../../../domain/time/defined.ts";
import { epochMillis } from "../../../domain/time/time.ts";
import type { JournalQuery } from "../../../ports/journal.ts";
import { entryKey, partitionKey, partitionsOf } from "./dynamodb-partitions.ts";
import { type DynamoDbJournalSettings, GROUPS, type Item, isIndexed, kindPrefix } from "./dynamodb-table.ts";
import { unpackData } from "./entry-data.ts";

type Query = Omit<QueryCommandInput, "TableName">;

/** Matching entries, oldest first. */
export async function select(settings: DynamoDbJournalSettings, query: JournalQuery): Promise<readonly JournalEntry[]> {
  const { account, job, kinds, limit = Number.POSITIVE_INFINITY } = query;
  if (limit <= 0 || kinds?.length === 0) return [];
  if (account === undefined && job === undefined) return newestOf(await scan(settings, kinds), limit);
  const read = (one: Query): Promise<readonly Item[]> => newestFirst(settings, one, limit);
  const found = await Promise.all(queriesOf(query).map(read));
  return newestOf(found.flat(), limit);
}

/**
 * The queries for an account: one for each kind or group of kinds, or one for each partition for all kinds. For a job it
 * is one query.
 */
function queriesOf(query: JournalQuery): readonly Query[] {
  const { account, job, kinds, limit } = query;
  if (account === undefined) return [wholeOf(query)];
  if (kinds === undefined || !kinds.every(isIndexed))
    return partitionsOf(kinds).map((partition) => wholeOf(query, partitionKey(partition, account)));
  const filter = job === undefined ? {} : { FilterExpression: "#job = :job" };
  const names = job === undefined ? {} : { ExpressionAttributeNames: { "#job": "job" } };
  return prefixesOf(new Set(kinds), limit !== undefined).map(([prefix, kind]) => ({
    IndexName: "kind-index",
    ...filter,
    ...names,
    KeyConditionExpression: "pk = :pk AND begins_with(kindKey, :kind)",
    ExpressionAttributeValues: {
      ":pk": entryKey(kind, account),
      ":kind": prefix,
      ...defined({ ":job": job }),
    },
    ConsistentRead: true,
  }));
}

/** Groups sort by kind before time, so a limited read needs a query for each kind. */
function prefixesOf(kinds: Set<EntryKind>, isLimited: boolean): readonly (readonly [string, EntryKind])[] {
  const left = new Set(kinds);
  const found: (readonly [string, EntryKind])[] = [];
  for (const [prefix, ...group] of isLimited ? [] : GROUPS) {
    const [kind] = group;
    if (kind === undefined || !group.every((one) => left.has(one))) continue;
    found.push([prefix, kind]);
    for (const one of group) left.delete(one);
  }
  return [...found, ...[...left].map((kind) => [kindPrefix(kind), kind] as const)];
}

/** Queries a whole partition or job with a filter. DynamoDB also reads what the filter removes. */
function wholeOf({ account, job, kinds }: JournalQuery, pk?: string): Query {
  const filters = [account !== undefined && job !== undefined ? "#job = :job" : "", kindFilter(kinds)];
  const filter = filters.filter(Boolean).join(" AND ");
  const names = {
    ...(job === undefined ? {} : { "#job": "job" }),
    ...(kinds === undefined ? {} : { "#kind": "kind" }),
  };
  return {
    ...(pk === undefined
      ? { IndexName: "job-index", KeyConditionExpression: "#job = :job" }
      : { KeyConditionExpression: "pk = :pk", ConsistentRead: true }),
    ...(filter === "" ? {} : { FilterExpression: filter }),
    ...(Object.keys(names).length === 0 ? {} : { ExpressionAttributeNames: names }),
    ExpressionAttributeValues: {
      ...defined({ ":pk": pk, ":job": job }),
      ...kindValues(kinds),
    },
  };
}

/** At most `limit` entries; without a filter, no more are read. */
async function newestFirst(
  { client, table }: DynamoDbJournalSettings,
  query: Query,
  limit: number,
): Promise<readonly Item[]> {
  const bounded = Number.isFinite(limit) && query.FilterExpression === undefined ? { Limit: limit } : {};
  const pages = paginateQuery({ client }, { TableName: table, ...query, ...bounded, ScanIndexForward: false });
  const items: Item[] = [];
  for await (const page of pages) {
    items.push(...(page.Items ?? []));
    if (items.length >= limit) break;
  }
  return items.slice(0, limit);
}

async function scan({ client, table }: DynamoDbJournalSettings, kinds: JournalQuery["kinds"]): Promise<Item[]> {
  const partitions = partitionsOf(kinds);
  const entries = partitions.map((partition) => `begins_with(pk, :${partition})`).join(" OR ");
  const filter = [`(${entries})`, kindFilter(kinds)].filter(Boolean).join(" AND ");
  const prefixes = partitions.map((partition) => [`:${partition}`, partitionKey(partition, "")]);
  const pages = paginateScan(
    { client },
    {
      TableName: table,
      FilterExpression: filter,
      ...(kinds === undefined ? {} : { ExpressionAttributeNames: { "#kind": "kind" } }),
      ExpressionAttributeValues: { ...Object.fromEntries(prefixes), ...kindValues(kinds) },
      ConsistentRead: true,
    },
  );
  const items: Item[] = [];
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}

function newestOf(items: readonly Item[], limit: number): readonly JournalEntry[] {
  const order = ({ pk, sk }: Item) => `${sk} ${pk}`;
  const sorted = items.filter(isInPlace).toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  return sorted.slice(-Math.min(limit, sorted.length)).map(entryOf);
}

/** Whether the item is in the right partition: a role that may write to one partition could write any kind to it. */
function isInPlace({ pk, kind, account }: Item): boolean {
  return pk === entryKey(String(kind) as EntryKind, String(account));
}

function kindFilter(kinds: JournalQuery["kinds"]): string {
  return kinds === undefined ? "" : `#kind IN (${kinds.map((_, index) => `:kind${index}`).join(", ")})`;
}

function kindValues(kinds: JournalQuery["kinds"] = []): Record<string, string> {
  return Object.fromEntries(kinds.map((kind, index) => [`:kind${index}`, kind]));
}

/** Types are known, because only this adapter writes entries. */
export function entryOf(item: Item): JournalEntry {
  return {
    at: epochMillis(Number(item["at"])),
    job: String(item["job"]),
    account: String(item["account"]) as AccountId | "-",
    kind: String(item["kind"]) as EntryKind,
    data: unpackData(item),
  };
}
