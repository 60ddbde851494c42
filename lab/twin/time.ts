import { DynamoDBClient, paginateQuery, paginateScan, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import type { Twin } from "./twin.ts";

/**
 * Lets the time pass that a lost run costs, without waiting for it: its lease is over (half a minute), and its
 * messages are visible again (their visibility timeout). With an account, for that account alone; a page's leases
 * are `page/KEY`. Returns how many messages that are.
 */
export async function passTime(
  { deployment, settings, queues }: Twin,
  account?: string,
  leases = account === undefined ? "" : `account/${account}`,
): Promise<number> {
  const [table] = deployment.stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const TableName = table?.properties.TableName;
  const client = new DynamoDBClient(settings);
  const wish = {
    TableName,
    FilterExpression: "begins_with(pk, :leases)",
    ExpressionAttributeValues: {
      ":leases": { S: `lease#${leases}` },
    },
  };
  for await (const { Items = [] } of paginateScan({ client }, wish))
    for (const { pk, sk } of Items)
      if (pk !== undefined && sk !== undefined)
        await client.send(
          new UpdateItemCommand({
            ...{ TableName, Key: { pk, sk }, UpdateExpression: "SET #until = :over" },
            ExpressionAttributeNames: { "#until": "until" },
            ExpressionAttributeValues: { ":over": { N: "0" } },
          }),
        );
  client.destroy();
  return queues.redeliver(({ Body: body }) => account === undefined || body?.includes(account) === true);
}

/**
 * Lets milliseconds pass for what the journal knows of the account, `-` for the cluster's own incidents: its entries
 * are so much older.
 */
export async function ageJournal(
  { deployment, settings }: Twin,
  account: string,
  millis: number,
): Promise<void> {
  const [table] = deployment.stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const TableName = table?.properties.TableName;
  const client = new DynamoDBClient(settings);
  const wish = {
    ...{ TableName, KeyConditionExpression: "pk = :pk" },
    ExpressionAttributeValues: { ":pk": { S: `account#${account}` } },
  };
  for await (const { Items = [] } of paginateQuery({ client }, wish))
    for (const { pk, sk } of Items)
      if (pk !== undefined && sk !== undefined)
        await client.send(
          new UpdateItemCommand({
            ...{ TableName, Key: { pk, sk }, UpdateExpression: "SET #at = #at - :millis" },
            ExpressionAttributeNames: { "#at": "at" },
            ExpressionAttributeValues: { ":millis": { N: String(millis) } },
          }),
        );
  client.destroy();
}
