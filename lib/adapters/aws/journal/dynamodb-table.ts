import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type EntryKind, REMEMBERED } from "../../../domain/journal/journal.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { Clock } from "../../../ports/clock.ts";
import { errorName } from "../client-settings.ts";

/**
 * The table, all but its name. `pk` is `PARTITION#ID` for entries (dynamodb-partitions.ts), `latest#ID` for an
 * account's newest job, `known#accounts` for the accounts that were ever seen and `lease#KEY` for leases, so a role may
 * be given `dynamodb:PutItem` on the partitions that it writes and `dynamodb:DeleteItem` on `lease#*` alone
 * (`dynamodb:LeadingKeys`).
 *
 * `kind-index` is local, since only such an index can be read consistently. For that DynamoDB bounds what it
 * holds of one account, the index included, to 10 GB (docs/decisions/0013).
 */
export const JOURNAL_TABLE = {
  BillingMode: "PAY_PER_REQUEST",
  AttributeDefinitions: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
    { AttributeName: "job", AttributeType: "S" },
    { AttributeName: "kindKey", AttributeType: "S" },
  ],
  KeySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: "kind-index",
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "kindKey", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "ALL" },
    },
  ],
  GlobalSecondaryIndexes: [
    {
      IndexName: "job-index",
      KeySchema: [
        { AttributeName: "job", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
      Projection: { ProjectionType: "ALL" },
    },
  ],
} as const satisfies Omit<CreateTableCommandInput, "TableName">;

/**
 * The attribute, in epoch seconds, by which DynamoDB clears away forgotten leases, and entries that no later run
 * needs where an age for them is configured.
 */
export const JOURNAL_TTL = { AttributeName: "expiresAt", Enabled: true } as const;

export interface DynamoDbJournalSettings {
  readonly table: string;
  readonly client: DynamoDBDocumentClient;
  /** What leases expire by. */
  readonly clock: Clock;
  /** Takes secrets out of an entry's data before it is stored. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long entries are kept that no later run needs; for ever by default. */
  readonly keeps?: Millis | undefined;
}

/** What every entry has; its data is `data`, or `zipped` where it is large. */
export interface EntryItem {
  readonly pk: string;
  readonly sk: string;
  readonly kindKey?: string;
  readonly write: string;
  readonly [attribute: string]: unknown;
}

export type Item = Record<string, unknown>;

/**
 * A verdict is what most entries are and the largest of them, and no run reads verdicts by kind: it is left out of
 * the index, which would double what it costs to write.
 */
export const isIndexed = (kind: EntryKind): boolean => kind !== "verdict";

/** Before the kinds that every look reads. A kind that comes to them later is not found in tables that hold it already. */
const LOOK = "look/";

/** Kinds that are read together, and what their keys in the index begin with: one query finds all. The largest first. */
export const GROUPS: readonly (readonly [prefix: string, ...kinds: EntryKind[]])[] = [
  [LOOK, ...REMEMBERED],
  ["incident.", "incident.opened", "incident.resolved"],
  [`${LOOK}loss.`, "loss.found", "loss.acknowledged"],
  [`${LOOK}reconfigure.`, "reconfigure.opened", "reconfigure.closed"],
  [`${LOOK}toggle.`, "toggle.opened", "toggle.closed"],
];

export const kindPrefix = (kind: EntryKind): string => `${REMEMBERED.includes(kind) ? LOOK : ""}${kind}#`;

/** @throws RelightError `journal.unavailable` for all but our own errors. */
export async function attemptAt<T>(table: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RelightError) throw cause;
    const reason = errorName(cause);
    const text = cause instanceof Error ? cause.message : String(cause);
    const message = `the journal in table ${table} can't be used: ${reason}: ${text}`;
    throw new RelightError("journal.unavailable", message, { cause, details: { table, reason } });
  }
}
