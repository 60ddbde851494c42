import { DynamoDBClient, paginateScan, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import type { Twin } from "./twin.ts";

/**
 * Lets the time pass that a lost run costs, without waiting for it: its lease is over (half a minute), and its
 * messages are visible again (their visibility timeout). With an account, for that account alone. Returns how
 * many messages that are.
 */
export async function passTime({ deployment, settings, queues }: Twin, account?: string): Promise<number> {
  const [table] = deployment.stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const TableName = table?.properties.TableName;
  const client = new DynamoDBClient(settings);
  const wish = {
    TableName,
    FilterExpression: "begins_with(pk, :leases)",
    ExpressionAttributeValues: {
      ":leases": { S: account === undefined ? "lease#" : `lease#account/${account}` },
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
