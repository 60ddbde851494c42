import { type AttributeValue, DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
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

/** What the partition keys of an account's entries begin with. */
export const PARTITIONS = ["account", "incident", "request", "credentials", "rotation"] as const;

/** What the journal has of an account, oldest first. */
export async function readJournal(
  stack: Stack,
  settings: MotoSettings,
  account: string,
): Promise<readonly JournalEntry[]> {
  const [table] = stack.resources<{ TableName: string }>("AWS::DynamoDB::Table");
  const client = new DynamoDBClient(settings);
  const items: Record<string, AttributeValue>[] = [];
  for (const partition of PARTITIONS) {
    const pages = paginateQuery(
      { client },
      {
        TableName: table?.properties.TableName,
        KeyConditionExpression: "pk = :pk",
        ExpressionAttributeValues: { ":pk": { S: `${partition}#${account}` } },
        ConsistentRead: true,
      },
    );
    for await (const { Items = [] } of pages) items.push(...Items);
  }
  client.destroy();
  const place = ({ sk }: Record<string, AttributeValue>): string => String(sk?.S);
  return items
    .toSorted((one, other) => (place(one) < place(other) ? -1 : 1))
    .map(({ at, job, kind, data }) => ({
      at: Number(at?.N),
      job: String(job?.S),
      kind: String(kind?.S),
      data: JSON.parse(String(data?.S)),
    }));
}
