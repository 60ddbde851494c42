import type { EntryKind } from "../../../domain/journal/journal.ts";

/**
 * The partitions of one account's entries: `incident#ID` and so on. IAM can tell them apart
 * (`dynamodb:LeadingKeys`) and sees nothing else of an entry, so each function's role is held to the kinds that it
 * writes (docs/decisions/0021, deploy/roles.yml).
 */
const PARTITIONS = ["account", "incident", "request", "credentials", "rotation"] as const;
export type Partition = (typeof PARTITIONS)[number];

/** Where the entries of a kind lie: `account` is what jobs on accounts write, and no other role may write there. */
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
  "loss.found": "account",
  "loss.acknowledged": "account",
  "incident.opened": "incident",
  "incident.resolved": "incident",
};

export const partitionKey = (partition: Partition, account: string): string => `${partition}#${account}`;

/** The partition key of the entries of a kind; a kind that only a later version knows is not taken from elsewhere. */
export const entryKey = (kind: EntryKind, account: string): string =>
  partitionKey(PARTITION_OF[kind] ?? "account", account);

/** The partitions that entries of these kinds lie in, each once; all of them where no kinds are named. */
export const partitionsOf = (kinds: readonly EntryKind[] | undefined): readonly Partition[] =>
  kinds === undefined ? PARTITIONS : [...new Set(kinds.map((kind) => PARTITION_OF[kind]))];
