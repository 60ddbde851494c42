import { DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
import type { MotoSettings } from "./moto.ts";
import type { Stack } from "./template.ts";

/** An entry as it lies in the table; read without the product, so that it can't vouch for itself. */
export interface JournalEntry {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly job: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export async function readJournal(
  stack: Stack,
  settings: MotoSettings,
  account: string,
): Promise<readonly JournalEntry[]> {
  const [table] = stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const client = new DynamoDBClient(settings);
  const pages = paginateQuery(
    { client },
    {
      TableName: table?.properties.TableName,
      KeyConditionExpression: "pk = :pk",
      ExpressionAttributeValues: { ":pk": { S: `account#${account}` } },
      ConsistentRead: true,
    },
  );
  const entries: JournalEntry[] = [];
  for await (const { Items = [] } of pages)
    for (const { at, job, kind, data } of Items)
      entries.push({
        ...{ at: Number(at?.N), job: String(job?.S), kind: String(kind?.S) },
        data: JSON.parse(String(data?.S)),
      });
  client.destroy();
  return entries;
}
