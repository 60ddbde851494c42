import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type EntryKind, REMEMBERED } from "../../../domain/journal/journal.ts";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";
import type { Clock } from "../../../ports/clock.ts";
import { errorName } from "../client-settings.ts";

/**
 * The table without its name. `pk` is `PARTITION#ID` for entries (dynamodb-partitions.ts), `latest#ID` for an account's
 * newest job, `known#accounts` for known accounts, and `lease#KEY` for leases. So a role can have `dynamodb:PutItem` only
 * for the partitions that it writes, and `dynamodb:DeleteItem` only for `lease#*` (`dynamodb:LeadingKeys`).
 *
 * `kind-index` is local, because only a local index can be read consistently. DynamoDB therefore limits an account's
 * entries, including the index, to 10 GB (docs/decisions/0013).
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

/** The attribute, in epoch seconds, after which DynamoDB removes old leases and, if configured, entries that no later run needs. */
export const JOURNAL_TTL = { AttributeName: "expiresAt", Enabled: true } as const;

export interface DynamoDbJournalSettings {
  readonly table: string;
  readonly client: DynamoDBDocumentClient;
  /** For the expiry of leases. */
  readonly clock: Clock;
  /** Redacts an entry's data before it is stored. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long to keep entries that no later run needs; forever by default. */
  readonly keeps?: Millis | undefined;
}

/** The attributes of an entry. Its data is in `data`, or compressed in `zipped` if large. */
export interface EntryItem {
  readonly pk: string;
  readonly sk: string;
  readonly kindKey?: string;
  readonly write: string;
  readonly [attribute: string]: unknown;
}

export type Item = Record<string, unknown>;

/**
 * Verdicts are not indexed, because no run reads them by kind. They are the most frequent and largest entries, and the
 * index would double the cost of writing them.
 */
export const isIndexed = (kind: EntryKind): boolean => kind !== "verdict";

/** The prefix of kinds that every check reads. A kind added to them later is not found in entries of older versions. */
const LOOK = "look/";

/** Kinds that are read together, with their common prefix in the index, so one query reads all. Largest groups first. */
export const GROUPS: readonly (readonly [prefix: string, ...kinds: EntryKind[]])[] = [
  [LOOK, ...REMEMBERED],
  ["incident.", "incident.opened", "incident.resolved"],
  [`${LOOK}loss.`, "loss.found", "loss.acknowledged"],
  [`${LOOK}reconfigure.`, "reconfigure.opened", "reconfigure.closed"],
  [`${LOOK}toggle.`, "toggle.opened", "toggle.closed"],
];

export const kindPrefix = (kind: EntryKind): string => `${REMEMBERED.includes(kind) ? LOOK : ""}${kind}#`;

/** @throws RelightError `journal.unavailable` for errors that are not RelightErrors. */
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
