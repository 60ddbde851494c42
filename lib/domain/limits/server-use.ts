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
