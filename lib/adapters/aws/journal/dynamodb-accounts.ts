import { PutCommand, paginateQuery, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { isAccountId } from "../../../domain/claims/account.ts";
import { type JournalEntry, makesKnown, nameSeen } from "../../../domain/journal/journal.ts";
import type { JournalledAccount } from "../../../ports/journal.ts";
import type { DynamoDbJournalSettings } from "./dynamodb-table.ts";

/**
 * One small item per account that was ever seen, all under one key, so that a sweep reads the list of accounts by a few
 * queries and never scans the table: about 100 bytes each, a page holds some 10,000.
 */
const ACCOUNTS_KEY = "known#accounts";

/**
 * Notes the account of an entry that makes it known, before that is stored: an account that is listed and has no entry
 * harms nobody, one that is not listed would be lost sight of.
 */
export async function putKnown(
  { client, table }: DynamoDbJournalSettings,
  { account, kind, data }: JournalEntry,
): Promise<void> {
  if (account === "-" || !makesKnown(kind)) return;
  const key = { pk: ACCOUNTS_KEY, sk: account };
  if (kind === "claims.seen") {
    const item = { ...key, name: nameSeen(data), forgotten: false };
    await client.send(new PutCommand({ TableName: table, Item: item }));
    return;
  }
  // A query, since the roles of the functions may ask for entries in no other way.
  const { Items: [known] = [] } = await client.send(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: "pk = :pk AND sk = :sk",
      ExpressionAttributeValues: { ":pk": ACCOUNTS_KEY, ":sk": account },
      ConsistentRead: true,
    }),
  );
  const item = { ...key, name: known?.["name"] ?? "", forgotten: kind === "account.forgotten" };
  await client.send(new PutCommand({ TableName: table, Item: item }));
}

export async function* knownAccounts({
  client,
  table,
}: DynamoDbJournalSettings): AsyncIterable<JournalledAccount> {
  const pages = paginateQuery(
    { client },
    {
      TableName: table,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": ACCOUNTS_KEY },
      ExpressionAttributeNames: { "#name": "name" },
      ProjectionExpression: "sk, #name, forgotten",
    },
  );
  for await (const { Items: items = [] } of pages)
    for (const { sk, name, forgotten } of items) {
      const account = String(sk);
      if (!isAccountId(account)) continue;
      yield { account, name: typeof name === "string" ? name : "", forgotten: forgotten === true };
    }
}
