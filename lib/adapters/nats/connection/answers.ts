import * as z from "zod";
import type { JsonObject } from "../../../domain/time/json.ts";
import type { Millis } from "../../../domain/time/time.ts";
import { RelightError } from "../../../errors.ts";

/** The parts of the servers' answers that Relight reads. Other fields are ignored, because servers add some in every version. */
export const serverInfo = z.looseObject({
  id: z.string(),
  name: z.string(),
  ver: z.string(),
  jetstream: z.boolean().default(false),
  cluster: z.string().optional(),
  domain: z.string().optional(),
  tags: z.array(z.string()).nullish(),
  /** The server's time when it answered. */
  time: z.string().optional(),
});
export type ServerInfo = z.infer<typeof serverInfo> & {
  /** How far its clock is certainly ahead of ours, in milliseconds; negative if behind. */
  readonly clockSkew?: Millis;
};

const failure = z.looseObject({
  code: z.number().optional(),
  description: z.string().default("no reason given"),
});

/** The frame of every system answer: the server, and data or an error. */
export const envelope = z.looseObject({
  server: serverInfo,
  data: z.unknown().optional(),
  error: failure.optional(),
});

/** A member of the meta group, according to its leader. */
export const metaPeer = z.looseObject({
  name: z.string(),
  current: z.boolean().default(false),
  offline: z.boolean().default(false),
  /** Nanoseconds since the leader heard from it; 0 if never. */
  active: z.number().default(0),
});

const metaInStatsz = z.looseObject({
  leader: z.string().optional(),
  replicas: z.array(metaPeer).nullish(),
});

export const statsz = z.looseObject({
  server: serverInfo,
  statsz: z.looseObject({
    active_servers: z.number().default(1),
    routes: z.array(z.looseObject({ name: z.string().optional() })).nullish(),
    jetstream: z.looseObject({ meta: metaInStatsz.nullish() }).nullish(),
  }),
});
export type Statsz = z.infer<typeof statsz>;

const named = z.looseObject({ name: z.string().optional() }).default({});
/** A server in a cluster has a cluster port. A standalone leafnode has only a cluster name, its own. */
const cluster = z.looseObject({ name: z.string().optional(), cluster_port: z.number().optional() }).default({});
export const varz = z.looseObject({
  cluster,
  gateway: named,
  routes: z.number().default(0),
  leaf: z.looseObject({ remotes: z.array(z.unknown()).nullish() }).default({}),
  trusted_operators_jwt: z.array(z.string()).nullish(),
  config_load_time: z.string().optional(),
});

export const accountInfo = z.looseObject({
  expired: z.boolean().default(false),
  jetstream_enabled: z.boolean().default(false),
  client_connections: z.number().optional(),
  leafnode_connections: z.number().default(0),
  /** False if the server could not bring something of the claims into force, such as an import. */
  complete: z.boolean().optional(),
  /** When the server began to run the claims. */
  update_time: z.string().optional(),
  jwt: z.string().optional(),
  decoded_jwt: z.record(z.string(), z.unknown()).optional(),
});

const heldSubscription = z.looseObject({
  account: z.string().optional(),
  subject: z.string(),
  cid: z.number(),
});
export type HeldSubscription = z.infer<typeof heldSubscription>;

export const subsz = z.looseObject({
  total: z.number().optional(),
  limit: z.number().optional(),
  subscriptions_list: z
    .array(heldSubscription)
    .nullish()
    .transform((list) => list ?? []),
});

export const connz = z.looseObject({
  total: z.number(),
  connections: z
    .array(z.looseObject({ cid: z.number() }))
    .nullish()
    .transform((list) => list ?? []),
});

const peer = z.looseObject({ name: z.string(), current: z.boolean().default(false) });
const group = z.looseObject({ leader: z.string().optional(), replicas: z.array(peer).nullish() }).optional();

const consumerDetail = z.looseObject({
  name: z.string(),
  created: z.string().optional(),
  cluster: group,
  config: z.looseObject({ durable_name: z.string().optional(), mem_storage: z.boolean().default(false) }),
  num_ack_pending: z.number().optional(),
  num_redelivered: z.number().optional(),
  num_waiting: z.number().optional(),
  /** Absent, too, if nobody subscribes. */
  push_bound: z.boolean().optional(),
  ack_floor: z.looseObject({ stream_seq: z.number() }).default({ stream_seq: 0 }),
});

export type ConsumerDetail = z.infer<typeof consumerDetail>;

const external = z.looseObject({ api: z.string().default("") }).nullish();

/** A mirror or source in the configuration. */
const originConfig = z.looseObject({
  name: z.string(),
  external,
  filter_subject: z.string().optional(),
  subject_transforms: z.array(z.unknown()).nullish(),
});
export type OriginConfig = z.infer<typeof originConfig>;

/** The state of a mirror or source according to its leader. */
const originDetail = z.looseObject({
  name: z.string(),
  external,
  filter_subject: z.string().optional(),
  lag: z.number().default(0),
  /** Nanoseconds since something arrived from its origin; -1 if never. */
  active: z.number().default(-1),
  /** The last sequence received from the origin; since 2.12. */
  seq: z.number().optional(),
  error: z.looseObject({ description: z.string().default("no reason given") }).nullish(),
});
export type OriginDetail = z.infer<typeof originDetail>;

export const streamState = z.looseObject({
  messages: z.number(),
  bytes: z.number(),
  first_seq: z.number(),
  last_seq: z.number(),
  last_ts: z.string().optional(),
});

const streamDetail = z.looseObject({
  name: z.string(),
  created: z.string().optional(),
  cluster: group,
  config: z.looseObject({
    subjects: z.array(z.string()).nullish(),
    storage: z.enum(["file", "memory"]),
    num_replicas: z.number().default(1),
    allow_direct: z.boolean().optional(),
    mirror_direct: z.boolean().optional(),
    mirror: originConfig.nullish(),
    sources: z.array(originConfig).nullish(),
  }),
  mirror: originDetail.nullish(),
  sources: z.array(originDetail).nullish(),
  state: streamState,
  consumer_detail: z.array(consumerDetail).nullish(),
  /** Since 2.10, with `raft`; absent on a server that has no node of the stream's group. */
  stream_raft_group: z.string().optional(),
});
export type StreamDetail = z.infer<typeof streamDetail>;

const jetStreamUsage = z.looseObject({
  memory: z.number(),
  storage: z.number(),
  streams: z.number(),
  consumers: z.number(),
  limits: z.looseObject({ max_memory: z.number(), max_storage: z.number() }),
});
export type JetStreamUsage = z.infer<typeof jetStreamUsage>;

/** The answer to `$JS.API.INFO`. */
export const jetStreamInfo = jetStreamUsage.extend({ tiers: z.record(z.string(), jetStreamUsage).optional() });
export type JetStreamInfo = z.infer<typeof jetStreamInfo>;

/** A page of `$JS.API.STREAM.NAMES` or `$JS.API.CONSUMER.NAMES.…`; an error has no `total`. */
export const apiNames = z.looseObject({
  total: z.number(),
  streams: z.array(z.string()).nullish(),
  consumers: z.array(z.string()).nullish(),
});

const listEntry = z.looseObject({
  name: z.string().optional(),
  config: z.looseObject({
    name: z.string().optional(),
    durable_name: z.string().optional(),
    num_replicas: z.number().optional(),
  }),
  cluster: group,
});
export type ListEntry = z.infer<typeof listEntry>;
/** A page of `$JS.API.STREAM.LIST` or `$JS.API.CONSUMER.LIST.…`. Entries that no server holds have a name only in `config`. */
export const apiList = z.looseObject({
  total: z.number(),
  limit: z.number().optional(),
  streams: z.array(listEntry).nullish(),
  consumers: z.array(listEntry).nullish(),
});

const accountDetail = z.looseObject({
  id: z.string(),
  stream_detail: z.array(streamDetail).nullish(),
  /** The flat limits that the server applies; 0 if it applies tiers. */
  reserved_memory: z.number().default(0),
  reserved_storage: z.number().default(0),
});
export type AccountDetail = z.infer<typeof accountDetail>;
/** `accounts` is the number of accounts with JetStream on the server, even if only some are listed. */
export const jsz = z.looseObject({
  accounts: z.number().optional(),
  account_details: z.array(accountDetail).nullish(),
});

// Before 2.10 there is no name, and no information about who initiated the connection.
const leafDetail = z.looseObject({
  account: z.string(),
  name: z.string().optional(),
  is_spoke: z.boolean().default(false),
  /** A duration as Go writes it, such as `1.2ms`. */
  rtt: z.string().optional(),
});
export type LeafDetail = z.infer<typeof leafDetail>;

export const leafz = z.looseObject({
  leafnodes: z.number().optional(),
  leafs: z.array(leafDetail).nullish(),
});

/** JetStream totals of a server in bytes: capacity, reserved by streams' `max_bytes`, and stored. */
export const jszTotals = z.looseObject({
  config: z.looseObject({ max_memory: z.number(), max_storage: z.number() }),
  reserved_memory: z.number().default(0),
  reserved_storage: z.number().default(0),
  memory: z.number().default(0),
  storage: z.number().default(0),
});

/** The ids of all loaded accounts, in one answer of about 60 bytes each. */
export const accountz = z.looseObject({ accounts: z.array(z.string()).nullish() });

export const pushAnswer = z.looseObject({
  server: serverInfo,
  data: z.looseObject({ code: z.number(), message: z.string() }).optional(),
  error: failure.optional(),
});

export const listAnswer = z.looseObject({ server: serverInfo, data: z.array(z.string()).nullish() });

/** @throws RelightError `nats.bad_answer` naming the invalid field. */
export function read<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new RelightError("nats.bad_answer", `${what}: ${issue?.path.join(".")}: ${issue?.message}`);
}

/** The data of an answer. @throws RelightError for its error */
export function readData<T>(schema: z.ZodType<T>, answer: JsonObject, what: string): T {
  const { data, error, server } = read(envelope, answer, what);
  if (error !== undefined) throw new RelightError("nats.bad_answer", `${what} on ${server.name}: ${error.description}`);
  return read(schema, data, `${what} on ${server.name}`);
}
