/** What is in use of a server, and of an account's limits. */

/** Bytes of each kind of storage. */
export interface Storage {
  readonly memory: number;
  readonly file: number;
}

/** What one server may give to JetStream, what the `max_bytes` of its streams have taken of it, and what it holds; bytes. */
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

/** What an account may still store; -1 is no limit. */
export interface StorageRoom {
  readonly used: number;
  readonly limit: number;
}

/** The account's JetStream limits of one tier, or of all it has where they are flat. */
export interface LimitsRoom {
  readonly memory: StorageRoom;
  readonly file: StorageRoom;
  /** How many streams count against them, by the server's word. */
  readonly streams?: number;
}
