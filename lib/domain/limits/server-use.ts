/** Usage of servers and of account limits. */

/** Bytes of each kind of storage. */
export interface Storage {
  readonly memory: number;
  readonly file: number;
}

/** One server's JetStream capacity, how much its streams' `max_bytes` reserve, and how much is stored; bytes. */
export interface ServerCapacity {
  readonly server: string;
  readonly max: Storage;
  readonly reserved: Storage;
  readonly used: Storage;
}

/** An account's connections to one server. */
export interface ConnectionCount {
  readonly clients: number;
  readonly leafnodes: number;
}

/** An account's storage usage and limit; -1 is no limit. */
export interface StorageRoom {
  readonly used: number;
  readonly limit: number;
}

/** The account's limits and usage in one tier, or in total if its limits are flat. */
export interface LimitsRoom {
  readonly memory: StorageRoom;
  readonly file: StorageRoom;
  /** How many streams count against them, according to the server. */
  readonly streams?: number;
}

/** What tells whether a stream counts in a tier. */
export interface TierFacts {
  /** The time of its last message as the server writes it. */
  readonly lastAt?: string;
  /**
   * Servers that hold it and apply flat limits, whatever their claims say: a standalone server keeps the old limits if it
   * can't reserve the new ones. JSZ reports only flat limits (`reserved_memory`, `reserved_storage` of the account).
   */
  readonly flatOn?: readonly string[];
}

/** A consumer's deliveries at one moment. */
export interface Deliveries {
  /** Messages that were delivered and not acknowledged yet. */
  readonly ackPending: number;
  /** How many of them were delivered more than once. */
  readonly redelivered: number;
  /** Pull requests that wait for messages. */
  readonly waiting: number;
  /** Whether somebody subscribes to a push consumer. */
  readonly bound: boolean;
}
