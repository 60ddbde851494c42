import type { Storage } from "../limits/server-use.ts";
import type { Probe } from "../observation/observation.ts";
import type { Millis } from "../time/time.ts";

/** How busy a server is, and what it counted since it started. Servers report some of it only from a version on. */
export interface ServerVitals {
  readonly connections: number;
  /** 0: no limit. */
  readonly maxConnections: number;
  /** The largest message that it accepts, in bytes. */
  readonly maxPayload: number;
  /** Percent of one core. */
  readonly cpu: number;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
  /** `GOMEMLIMIT` in bytes; absent if none is set, or not reported (before 2.11). */
  readonly memoryLimit?: number;
  /** Connections that were too slow to take their messages, since the start. */
  readonly slow: SlowConsumers;
  /** Absent without JetStream. */
  readonly jetstream?: JetStreamVitals;
}

export interface SlowConsumers {
  readonly clients: number;
  readonly routes: number;
  readonly gateways: number;
  readonly leafnodes: number;
}

export interface JetStreamVitals {
  /** Bytes: `max_mem` and `max_file`, what streams' `max_bytes` and accounts' limits reserve of them, what is stored. */
  readonly max: Storage;
  readonly reserved: Storage;
  readonly used: Storage;
  /** Replicas of streams and consumers on this server, without those of one replica. */
  readonly assets: number;
  /** API requests since the start, and how many of them failed. */
  readonly requests: number;
  readonly errors: number;
  /** API requests that wait for the server. */
  readonly inflight: number;
  /** Changes that wait for the meta group; 0 unless this server leads it. */
  readonly pending: number;
}

/** One leafnode connection, from either side. */
export interface LeafVitals {
  readonly account: string;
  /** The other server's name; absent before 2.10. */
  readonly name?: string;
  /** Whether the other server opened it. Always, as far as is known, before 2.10. */
  readonly accepted: boolean;
  /** Absent if not measured yet. */
  readonly roundTrip?: Millis;
}

/** What one server says about itself, beyond whether it is healthy. */
export interface ServerCheckup {
  readonly server: string;
  readonly vitals: Probe<ServerVitals>;
  readonly leafnodes: Probe<readonly LeafVitals[]>;
}
