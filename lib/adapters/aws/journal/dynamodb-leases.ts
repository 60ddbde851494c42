import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import type { DynamoDbJournalSettings } from "./dynamodb-table.ts";

const leaseKey = (key: string) => ({ pk: `lease#${key}`, sk: "lease" });

export async function acquire(
  { client, table }: DynamoDbJournalSettings,
  { key, holder, now, lasts }: { key: string; holder: string; now: number; lasts: number },
): Promise<boolean> {
  const until = now + lasts;
  const command = new PutCommand({
    TableName: table,
    // DynamoDB expires items up to days late, so `until` decides, not `expiresAt`.
    Item: { ...leaseKey(key), holder, until, expiresAt: Math.ceil(until / 1000) },
    ConditionExpression: "attribute_not_exists(pk) OR #holder = :holder OR #until <= :now",
    ExpressionAttributeNames: { "#holder": "holder", "#until": "until" },
    ExpressionAttributeValues: { ":holder": holder, ":now": now },
  });
  return await conditionHolds(client.send(command));
}

/** When the lease ends, in milliseconds since 1970; undefined if nobody holds it. */
export async function heldUntil(
  { client, table }: DynamoDbJournalSettings,
  { key, now }: { key: string; now: number },
): Promise<number | undefined> {
  const command = new GetCommand({ TableName: table, Key: leaseKey(key), ConsistentRead: true });
  const until = Number((await client.send(command)).Item?.["until"] ?? 0);
  return until > now ? until : undefined;
}

export async function release({ client, table }: DynamoDbJournalSettings, key: string, holder: string): Promise<void> {
  const command = new DeleteCommand({
    TableName: table,
    Key: leaseKey(key),
    ConditionExpression: "#holder = :holder",
    ExpressionAttributeNames: { "#holder": "holder" },
    ExpressionAttributeValues: { ":holder": holder },
  });
  await conditionHolds(client.send(command));
}

/** False if the condition did not hold. */
export async function conditionHolds(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (cause) {
    if (cause instanceof ConditionalCheckFailedException) return false;
    throw cause;
  }
}
