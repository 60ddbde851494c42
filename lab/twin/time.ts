import { DynamoDBClient, paginateScan, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
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
 * Lets milliseconds pass for all that the journal knows: entries are so much older, leases so much nearer to their
 * end. Messages whose visibility timeout that is are given out again with {@link Twin.queues}' `redeliver`.
 */
export async function ageJournal({ deployment, settings }: Twin, millis: number): Promise<void> {
  const [table] = deployment.stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const TableName = table?.properties.TableName;
  const client = new DynamoDBClient(settings);
  for await (const { Items = [] } of paginateScan({ client }, { TableName }))
    for (const { pk, sk, ...item } of Items) {
      const name = item["until"] === undefined ? "at" : "until";
      if (pk === undefined || sk === undefined || item[name]?.N === undefined) continue;
      await client.send(
        new UpdateItemCommand({
          ...{ TableName, Key: { pk, sk }, UpdateExpression: "SET #time = #time - :millis" },
          ExpressionAttributeNames: { "#time": name },
          ExpressionAttributeValues: { ":millis": { N: String(millis) } },
        }),
      );
    }
  client.destroy();
}
