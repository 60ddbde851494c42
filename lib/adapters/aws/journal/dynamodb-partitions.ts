import type { EntryKind } from "../../../domain/journal/journal.ts";

/**
 * The partitions of one account's entries, such as `incident#ID`. IAM can distinguish only partition keys
 * (`dynamodb:LeadingKeys`), so they limit each function's role to the kinds that it writes (docs/decisions/0021,
 * deploy/roles.yml).
 */
const PARTITIONS = ["account", "incident", "request", "credentials", "rotation"] as const;
export type Partition = (typeof PARTITIONS)[number];

/** The partition of each kind. Only the role that runs jobs may write to `account`. */
const PARTITION_OF: Readonly<Record<EntryKind, Partition>> = {
  "job.requested": "request",
  "job.started": "account",
  "job.finished": "account",
  "claims.seen": "account",
  verdict: "account",
  "gate.refused": "account",
  "push.started": "account",
  "push.proved": "account",
  "rung.started": "account",
  "rung.finished": "account",
  "toggle.opened": "account",
  "toggle.closed": "account",
  "reconfigure.opened": "account",
  "reconfigure.closed": "account",
  "restart.opened": "account",
  "restart.closed": "account",
  "memory.seen": "account",
  "rotation.started": "rotation",
  "rotation.account": "rotation",
  "rotation.finished": "rotation",
  "credentials.rotated": "credentials",
  "source.adopted": "account",
  "account.deleted": "account",
  "account.forgotten": "account",
  "streams.seen": "account",
  "tiers.seen": "account",
  "loss.found": "account",
  "loss.acknowledged": "account",
  "incident.opened": "incident",
  "incident.resolved": "incident",
};

export const partitionKey = (partition: Partition, account: string): string => `${partition}#${account}`;

/** The partition key for entries of a kind. */
export const entryKey = (kind: EntryKind, account: string): string =>
  partitionKey(PARTITION_OF[kind] ?? "account", account);

/** The partitions of these kinds, each once; all partitions if no kinds are given. */
export const partitionsOf = (kinds: readonly EntryKind[] | undefined): readonly Partition[] =>
  kinds === undefined ? PARTITIONS : [...new Set(kinds.map((kind) => PARTITION_OF[kind]))];
