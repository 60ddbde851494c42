/**
 * A world as plain data: what to start, what to create in it, what to break, and who uses it meanwhile. It can be written
 * down as JSON and built again.
 */
export interface WorldPlan {
  readonly seed: number;
  readonly version: string;
  /** The version of each server, if they differ, as in an upgrade one by one. */
  readonly versions?: readonly string[];
  readonly topology: Topology;
  /** Whether Relight checks the account before the damage, so its journal knows what existed. */
  readonly isSeenBefore: boolean;
  /** Whether Relight has the account's signing key. */
  readonly hasAccountKey: boolean;
  readonly allowsMemoryLoss: boolean;
  /** Whether Relight may restart servers. */
  readonly canRestart: boolean;
  readonly limits: Limits;
  readonly streams: readonly StreamPlan[];
  readonly buckets: readonly BucketPlan[];
  readonly crossing: Crossing;
  readonly damages: readonly Damage[];
  /** How many applications create and delete streams and consumers, and how many publish, all the time. */
  readonly churn: { readonly makers: number; readonly publishers: number };
  /** How many clients subscribe to each stream's subjects, so interest in them looks alive. */
  readonly fakes: number;
}

/** `hub-leaf`: one server with a JetStream domain, and a leafnode with another. */
export type Topology = "single" | "cluster" | "hub-leaf";

/**
 * Of the account. `tight`: no more streams and consumers than exist. `conn`: so many connections. `tiered`: limits by
 * replica count.
 */
export type Limits =
  | { readonly kind: "unlimited" }
  | { readonly kind: "tight" }
  | { readonly kind: "tiered" }
  | { readonly kind: "conn"; readonly conn: number };

export interface StreamPlan {
  readonly name: string;
  /** Empty for mirrors and sources. */
  readonly subjects: readonly string[];
  readonly replicas: number;
  readonly storage: "file" | "memory";
  readonly retention: "limits" | "interest" | "workqueue";
  readonly allowDirect: boolean;
  /** With it, the oldest message goes, or (`isDiscardNew`) the newest is refused. */
  readonly maxMessages?: number;
  readonly isDiscardNew?: boolean;
  readonly mirrorOf?: string;
  readonly sourcesOf?: readonly string[];
  /** The stream beyond the leafnode that it copies. */
  readonly edgeOf?: string;
  /** Nothing may be published, changed or deleted any more. */
  readonly isSealed?: boolean;
  /** It confirms no message. */
  readonly isNoAck?: boolean;
  /** Further configuration. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** How many messages to publish before the damage. */
  readonly messages: number;
  readonly consumers: readonly ConsumerPlan[];
}

export interface ConsumerPlan {
  readonly name: string;
  readonly kind: "pull" | "push";
  readonly ack: "explicit" | "all" | "none";
  /** The queue group of a push consumer. */
  readonly queue?: string;
  /** One of the stream's subjects. */
  readonly filter?: string;
  readonly replicas?: number;
  readonly isEphemeral?: boolean;
  readonly isInMemory?: boolean;
  /** It delivers nothing for now. */
  readonly isPaused?: boolean;
  /** Further configuration. */
  readonly more?: Readonly<Record<string, unknown>>;
  /** How many messages to acknowledge before the damage. */
  readonly acked: number;
}

export interface BucketPlan {
  readonly kind: "kv" | "objects";
  readonly name: string;
  readonly replicas: number;
  readonly isInMemory?: boolean;
  readonly history?: number;
  /** Whether what it held from the start is known to be gone. */
  readonly isEmptied?: boolean;
}

/**
 * What another account shares with this one. `import`: its `feed.>` is imported into the stream FEED. `export`: it
 * publishes into the stream SHARED through an exported service.
 */
export type Crossing = "none" | "import" | "export";

/** The name of the stream that a crossing leads into, and the subject there. */
export const CROSSED = {
  import: { stream: "FEED", subject: "feed.>" },
  export: { stream: "SHARED", subject: "shared.>" },
};

/** The stream beyond the leafnode, and the one that copies it. */
export const EDGE = { origin: "READINGS", copy: "GATHERED", subject: "readings.*" };

/** How messages of another account, or from beyond the leafnode (`edge`), get into a stream. */
export interface Way {
  readonly by: Exclude<Crossing, "none"> | "edge";
  readonly stream: string;
  readonly subject: string;
}

/** Every way, also one that a damage adds. */
export function waysOf({
  crossing,
  damages,
  streams,
}: Pick<WorldPlan, "crossing" | "damages" | "streams">): readonly Way[] {
  const planned: readonly Way[] = crossing === "none" ? [] : [{ by: crossing, ...CROSSED[crossing] }];
  const edge: readonly Way[] = streams
    .filter(({ edgeOf }) => edgeOf !== undefined)
    .map(({ name }) => ({ by: "edge", stream: name, subject: EDGE.subject }));
  const target = importTarget({ streams });
  const isAdded = damages.some((damage) => damage.do === "push-import") && target !== undefined;
  return isAdded ? [...planned, ...edge, { by: "import", ...target }] : [...planned, ...edge];
}

/** The stream for whose subject `push-import` adds an import. */
export function importTarget({ streams }: Pick<WorldPlan, "streams">): Omit<Way, "by"> | undefined {
  const target = streams.find(({ subjects, maxMessages }) => subjects.length > 0 && maxMessages === undefined);
  const [subject] = target?.subjects ?? [];
  return target === undefined || subject === undefined ? undefined : { stream: target.name, subject };
}

/** Servers are numbered from 0. Each damage happens after the one before. */
export type Damage =
  /** The account expires and is renewed by hand (#6806). */
  | { readonly do: "expire-renew" }
  /** It expires, and nobody renews it. */
  | { readonly do: "expire" }
  /** These servers restart while it is expired, and then it is renewed. */
  | { readonly do: "restart-while-expired"; readonly servers: readonly number[] }
  | { readonly do: "restart"; readonly servers: readonly number[]; readonly isKilled: boolean }
  /** A server stays away. */
  | { readonly do: "stop"; readonly server: number }
  /** Every leader steps down, as operators do; after an expiry direct gets stay dead. */
  | { readonly do: "step-down" }
  | { readonly do: "meta-step-down" }
  /** The storage that the limits allow is used up. */
  | { readonly do: "fill-storage" }
  | { readonly do: "use-connections" }
  | { readonly do: "delete-stream"; readonly stream: string }
  | { readonly do: "recreate-stream"; readonly stream: string }
  | { readonly do: "purge-stream"; readonly stream: string }
  | { readonly do: "delete-consumer"; readonly stream: string; readonly consumer: string }
  /** Every resolver loses the JWT. */
  | { readonly do: "forget-jwt" }
  | { readonly do: "peer-remove"; readonly server: number }
  /** The limits on streams and consumers fall below what exists. */
  | { readonly do: "lower-limits" }
  /** The limit on connections falls, perhaps below what is in use, JetStream's own connections included (#6766). */
  | { readonly do: "lower-conn"; readonly conn: number }
  /** Flat limits become tiers while streams hold messages. */
  | { readonly do: "enter-tiers" }
  | { readonly do: "delete-account" }
  /** The claims are pushed again with an import for a stream's subject (#6498). */
  | { readonly do: "push-import" };

export const KV_PREFIX = "KV_";
export const OBJECT_PREFIX = "OBJ_";

/** The stream that holds a bucket. */
export const streamOf = ({ kind, name }: BucketPlan): string => `${kind === "kv" ? KV_PREFIX : OBJECT_PREFIX}${name}`;

/** A subject without wildcards that matches this one. */
export const literalOf = (subject: string): string => subject.replaceAll("*", "one").replace(/>$/, "two.three");

/** The streams that the damage leaves, with the consumers that it leaves. */
export function remaining({ streams, damages }: Pick<WorldPlan, "streams" | "damages">): readonly StreamPlan[] {
  const isDeleted = (stream: string, consumer?: string): boolean =>
    damages.some(
      (damage) =>
        (damage.do === "delete-stream" && damage.stream === stream) ||
        (damage.do === "recreate-stream" && damage.stream === stream && consumer !== undefined) ||
        (damage.do === "delete-consumer" && damage.stream === stream && damage.consumer === consumer),
    );
  return streams
    .filter(({ name }) => !isDeleted(name))
    .map((stream) => ({ ...stream, consumers: stream.consumers.filter(({ name }) => !isDeleted(stream.name, name)) }));
}

/** What is gone, or lacks messages (`isGone` absent). */
interface Missing {
  readonly stream: string;
  readonly consumer?: string;
  readonly isGone?: true;
}

/** What the judge can use in a world that lost something. What a bucket held from the start is looked for if it has it. */
export function usable(plan: WorldPlan, missing: readonly Missing[] = []) {
  const isGone = (stream: string, consumer?: string): boolean =>
    missing.some((one) => one.isGone === true && one.stream === stream && one.consumer === consumer);
  const hasLess = (name: string): boolean => missing.some(({ stream }) => stream === name);
  const remains = remaining(plan);
  return {
    streams: remains
      .filter(({ name }) => !isGone(name))
      .map((stream) => ({ ...stream, consumers: stream.consumers.filter(({ name }) => !isGone(stream.name, name)) })),
    buckets: plan.buckets
      .filter((bucket) => !isGone(streamOf(bucket)))
      .map((bucket) => ({ ...bucket, isEmptied: hasLess(streamOf(bucket)) })),
    ways: waysOf(plan).filter(({ stream }) => remains.some(({ name }) => name === stream) && !isGone(stream)),
  };
}

export const sizeOf = (topology: Topology): number => (topology === "cluster" ? 3 : 1);
