import {
  type AttributeValue,
  DynamoDBClient,
  paginateQuery,
  paginateScan,
  UpdateItemCommand,
  type UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { PARTITIONS } from "./journal.ts";
import type { Twin } from "./twin.ts";

/**
 * Simulates the time that passes after a lost run: ends its lease (half a minute) and makes its messages visible again
 * (their visibility timeout). With an account, only for that account; a page's leases are `page/KEY`. Returns the number of
 * messages.
 */
export async function passTime(
  twin: Twin,
  account?: string,
  leases = account === undefined ? "" : `account/${account}`,
): Promise<number> {
  const command = {
    FilterExpression: "begins_with(pk, :leases)",
    ExpressionAttributeValues: { ":leases": { S: `lease#${leases}` } },
  };
  await changeEach(twin, (client, TableName) => paginateScan({ client }, { TableName, ...command }), {
    UpdateExpression: "SET #until = :over",
    ExpressionAttributeNames: { "#until": "until" },
    ExpressionAttributeValues: { ":over": { N: "0" } },
  });
  return twin.queues.redeliver(({ Body: body }) => account === undefined || body?.includes(account) === true);
}

/** Makes the journal's entries of the account, or of `-` for the cluster's incidents, older by this many milliseconds. */
export async function ageJournal(twin: Twin, account: string, millis: number): Promise<void> {
  const change = {
    UpdateExpression: "SET #at = #at - :millis",
    ExpressionAttributeNames: { "#at": "at" },
    ExpressionAttributeValues: { ":millis": { N: String(millis) } },
  };
  for (const partition of PARTITIONS) {
    const command = {
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: `${partition}#${account}` } },
    };
    await changeEach(twin, (client, TableName) => paginateQuery({ client }, { TableName, ...command }), change);
  }
}

type Pages = AsyncIterable<{ readonly Items?: readonly Record<string, AttributeValue>[] | undefined }>;

/** Changes each found item of the journal's table. */
async function changeEach(
  { deployment, settings }: Twin,
  find: (client: DynamoDBClient, table: string | undefined) => Pages,
  change: Omit<UpdateItemCommandInput, "TableName" | "Key">,
): Promise<void> {
  const [table] = deployment.stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const TableName = table?.properties.TableName;
  const client = new DynamoDBClient(settings);
  for await (const { Items = [] } of find(client, TableName))
    for (const { pk, sk } of Items)
      if (pk !== undefined && sk !== undefined)
        await client.send(new UpdateItemCommand({ ...change, TableName, Key: { pk, sk } }));
  client.destroy();
}
