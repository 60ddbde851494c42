import { PutCommand, paginateQuery, QueryCommand } from "@aws-sdk/lib-dynamodb";
import { isAccountId } from "../../../domain/claims/account.ts";
import { type JournalEntry, makesKnown, nameSeen } from "../../../domain/journal/journal.ts";
import type { JournalledAccount } from "../../../ports/journal.ts";
import type { DynamoDbJournalSettings } from "./dynamodb-table.ts";

/**
 * The partition key of the account list: one item of about 100 bytes per known account. A sweep reads the list with a few
 * queries of some 10,000 items each, without scanning the table.
 */
const ACCOUNTS_KEY = "known#accounts";

/**
 * Adds the account of an entry to the list, before the entry is stored: a listed account without an entry is harmless, but
 * an unlisted one would be overlooked.
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
  // A query, because the functions' roles may not use GetItem.
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

export async function* knownAccounts({ client, table }: DynamoDbJournalSettings): AsyncIterable<JournalledAccount> {
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
