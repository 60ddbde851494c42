import { type AttributeValue, DynamoDBClient, paginateQuery } from "@aws-sdk/client-dynamodb";
import type { MotoSettings } from "./moto.ts";
import type { Stack } from "./template.ts";

/** An entry in the table, read without Relight's own code, as an independent check. */
export interface JournalEntry {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly job: string;
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The prefixes of the partition keys of an account's entries. */
export const PARTITIONS = ["account", "incident", "request", "credentials", "rotation"] as const;

/** The journal's entries of an account, oldest first. */
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
