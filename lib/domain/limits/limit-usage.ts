import type { AccountView, Observation, StreamFacts } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import { isJsonObject, type JsonObject } from "../time/json.ts";
import { formatSize } from "../time/sizes.ts";
import { loweredClaims, replicasOf, storageOf, tiersOf } from "./limit-changes.ts";
import type { LimitsRoom } from "./server-use.ts";

/** Usage that counts against a limit. */
interface Use {
  /** Bytes, streams or messages in use. */
  readonly used: number;
  readonly what: string;
  readonly show: (value: number) => string;
  /** What the next stream or consumer adds; absent if this usage does not grow that way. */
  readonly next?: number;
  /** What the next message of each stream adds, if servers refuse messages because of this limit. */
  readonly messages?: readonly NextMessage[];
}

interface NextMessage {
  readonly stream: string;
  /** Of average size. */
  readonly bytes: number;
  /** The same, or what its origins send, if that is larger. */
  readonly copied: number;
}

/** The average size of what a stream's next message may be, by stream; bytes of one replica. */
type MessageSizes = ReadonlyMap<string, Pick<NextMessage, "bytes" | "copied">>;

/** The next message of a copy is one of an origin's, which may be larger than those that the copy has. */
function messageSizes(streams: readonly Counted[]): MessageSizes {
  const average = ({ bytes, messages }: Counted): number => (messages > 0 ? Math.ceil(bytes / messages) : 0);
  const own = new Map(streams.map((stream) => [stream.name, average(stream)]));
  return new Map(
    streams.map(({ name, config }) => {
      const bytes = own.get(name) ?? 0;
      return [name, { bytes, copied: most([bytes, ...originNames(config).map((origin) => own.get(origin) ?? 0)]) }];
    }),
  );
}

/** The origins of a mirror or of sources in the same account and domain. */
function originNames({ mirror, sources }: JsonObject): readonly string[] {
  const origins = [mirror, ...(Array.isArray(sources) ? sources : [])];
  return origins.flatMap((origin) =>
    isJsonObject(origin) && origin["external"] === undefined && typeof origin["name"] === "string"
      ? [origin["name"]]
      : [],
  );
}

const plain = (value: number): string => (value < 0 ? "no limit" : String(value));

/** The parts of a stream that count against limits. */
export type Counted = Pick<StreamFacts, "name" | "storage" | "replicas" | "bytes" | "messages" | "config"> & {
  readonly consumers: readonly { readonly config: JsonObject }[];
};

/** A limit that is reached or nearly reached. */
export interface LimitProblem {
  /**
   * `over`: more is in use than the limit allows. `full`: the next message, stream or consumer is refused.
   * `near`: nine tenths are used. `no-tier`: the claims have tiers, and none for these streams.
   */
  readonly kind: "over" | "full" | "near" | "no-tier";
  /** The claim as the JWT has it, such as `disk_storage`. */
  readonly claim: string;
  /** `R1`, `R3`, …; absent for flat limits. */
  readonly tier?: string;
  readonly used: number;
  readonly limit: number;
  readonly message: string;
  /** Options of `relight jetstream limits ACCOUNT` that raise it. */
  readonly options: string;
  /** Streams whose next message of average size servers refuse. */
  readonly refused: readonly string[];
  /** Whether every stream under this limit that has messages refuses more. */
  readonly refusesAll: boolean;
}

/** How servers count, as far as is known. */
export interface Counting {
  /** The usage that servers report and apply. */
  readonly reported?: AccountView["info"]["limits"];
  /** Whether servers also count everything stored against the limit for one stream. */
  readonly sumsStreamLimit?: boolean;
}

type Sized = Counting & { readonly sizes: MessageSizes };

export const NEAR = 0.9;

/**
 * The limits of an account's JetStream, flat or by tier, that are exceeded, full or nearly full. Flat limits count every
 * replica, tier limits one (tested on 2.10.27, 2.15.1).
 * @param limits `nats.limits` of the claims.
 * @param streams all of the account's, as they are or as they would be.
 */
export function limitProblems(
  limits: JsonObject,
  streams: readonly Counted[],
  counting: Counting = {},
): readonly LimitProblem[] {
  const tiers = tiersOf(limits);
  const names = Object.keys(tiers);
  const sizes = messageSizes(streams);
  if (names.length === 0) return problemsAt(limits, streams, undefined, { ...counting, sizes });
  const tierOf = ({ replicas }: Counted): string => `R${replicas}`;
  const used = new Set(streams.map(tierOf));
  const missing = [...used].filter((tier) => !names.includes(tier)).sort();
  return [
    ...missing.map((tier) =>
      noTier(
        tier,
        streams.filter((stream) => tierOf(stream) === tier),
      ),
    ),
    ...names.flatMap((tier) => {
      const inTier = streams.filter((stream) => tierOf(stream) === tier);
      return problemsAt(tiers[tier] ?? {}, inTier, tier, { ...counting, sizes });
    }),
  ];
}

function problemsAt(
  limits: JsonObject,
  streams: readonly Counted[],
  tier: string | undefined,
  counting: Sized,
): readonly LimitProblem[] {
  return Object.entries(usesOf(streams, tier, counting)).flatMap(([claim, use]) => {
    const limit = claim === "max_bytes_required" ? Number(limits[claim] !== true) : storageOf(limits[claim]);
    const kind = claim === "max_bytes_required" ? kindOfSwitch(limit, use) : kindOf(claim, limit, use);
    if (kind === undefined) return [];
    const of = tier === undefined ? claim : `${claim} of tier ${tier}`;
    const why = claim === "max_bytes_required" ? ", but it is on" : ` (limit: ${use.show(limit)})`;
    const consequence = kind === "full" && use.messages === undefined ? ", so no more can be created" : "";
    const message = `${of}: ${use.what} ${use.show(use.used)}${why}${consequence}`;
    const where = defined({ tier });
    const options = optionsFor(claim, tier, use.used, limit);
    return [{ kind, claim, ...where, used: use.used, limit, message, options, ...refusedBy(limit, use) }];
  });
}

/** A server refuses a message that would exceed the limit, and every message once it is exceeded. */
function refusedBy(limit: number, { used, messages = [] }: Use): Pick<LimitProblem, "refused" | "refusesAll"> {
  const isTooMuch = (bytes: number): boolean => used >= limit || used + bytes > limit;
  const refused = messages.filter(({ copied }) => isTooMuch(copied));
  const inUse = messages.filter(({ bytes }) => bytes > 0);
  return {
    refused: refused.map(({ stream }) => stream).sort(),
    refusesAll: refused.length > 0 && inUse.every(({ bytes }) => isTooMuch(bytes)),
  };
}

function kindOfSwitch(limit: number, { used }: Use): "over" | undefined {
  return limit === 0 && used > 0 ? "over" : undefined;
}

function kindOf(claim: string, limit: number, use: Use): "over" | "full" | "near" | undefined {
  const { used, next } = use;
  if (limit < 0 || (limit === 0 && !isStorage(claim)) || used === 0) return undefined;
  if (used > limit) return "over";
  if (next === undefined) return undefined;
  if (used + next > limit) return "full";
  return used >= limit * NEAR ? "near" : undefined;
}

const isStorage = (claim: string): boolean => claim === "mem_storage" || claim === "disk_storage";

function noTier(tier: string, streams: readonly Counted[]): LimitProblem {
  const names = streams.map(({ name }) => name).sort();
  const message = `the limits have no tier ${tier}, which ${someOf(names)} ${names.length === 1 ? "needs" : "need"}`;
  const kinds = [...new Set(streams.map(({ storage }) => storage))].sort();
  const sizes = kinds.map((kind) => {
    const held = sum(streams.filter(({ storage }) => storage === kind).map(({ bytes }) => bytes));
    return `${kind === "file" ? "--storage" : "--memory"} ${roomFor(held, 2 ** 30)}`;
  });
  const options = `--tier ${tier} ${sizes.join(" ")}`;
  const found = { kind: "no-tier", claim: "tiered_limits", tier, used: streams.length, limit: 0 } as const;
  return { ...found, message, options, refused: names, refusesAll: true };
}

/** A few names, for people. */
export const someOf = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

const OPTIONS: Readonly<Record<string, string>> = {
  mem_storage: "--memory",
  disk_storage: "--storage",
  streams: "--streams",
  consumer: "--consumers",
  max_ack_pending: "--max-ack-pending",
  mem_max_stream_bytes: "--memory-max-stream-bytes",
  disk_max_stream_bytes: "--storage-max-stream-bytes",
};

/** With room to grow, because a limit raised to exactly the current usage is full at once. */
function optionsFor(claim: string, tier: string | undefined, used: number, limit: number): string {
  const place = tier === undefined ? "" : ` --tier ${tier}`;
  if (claim === "max_bytes_required") return `--no-max-bytes-required${place}`;
  const isCount = claim === "streams" || claim === "consumer" || claim === "max_ack_pending";
  const most = Math.max(used, limit);
  return `${OPTIONS[claim]} ${isCount ? most * 2 : roomFor(most, 0)}${place}`;
}

/** Twice as many bytes, at least `least`, in whole MiB. */
const roomFor = (bytes: number, least: number): string => `${Math.ceil(Math.max(bytes * 2, least) / 2 ** 20)}MiB`;

/**
 * Why lowered limits would fall below current usage; empty if they don't. Servers would accept them, and then refuse to
 * store messages, update streams or create consumers.
 * @param tier whose limits they are; absent for flat ones, which count every replica.
 */
export function belowUse(
  before: JsonObject,
  after: JsonObject,
  { streams }: Pick<Observation, "streams">,
  tier: string | undefined,
): readonly string[] {
  const lowered = loweredClaims(before, after);
  if (lowered.length === 0) return [];
  if (!streams.ok)
    return [`${lowered.join(", ")} can't be lowered safely, because current usage is unknown (${streams.message})`];
  const inTier = streams.value.filter(({ replicas }) => tier === undefined || tier === `R${replicas}`);
  const uses = usesOf(inTier, tier, { sizes: messageSizes(streams.value) });
  return lowered.flatMap((claim) => objection(claim, after, uses));
}

function objection(claim: string, after: JsonObject, uses: Readonly<Record<string, Use>>): string[] {
  const use = uses[claim];
  if (use === undefined) return [];
  const limit = storageOf(after[claim]);
  const isNone = limit === 0 && (claim === "mem_storage" || claim === "disk_storage");
  const wanted = claim === "max_bytes_required" ? 0 : limit;
  if (wanted < 0 || (wanted === 0 && !isNone && claim !== "max_bytes_required") || use.used <= wanted) return [];
  const to = claim === "max_bytes_required" ? "on" : use.show(limit);
  return [`${claim} would be ${to}, but ${use.what} ${use.show(use.used)}`];
}

function usesOf(
  streams: readonly Counted[],
  tier: string | undefined,
  { reported, sumsStreamLimit = false, sizes }: Sized,
): Readonly<Record<string, Use>> {
  const of = (storage: StreamFacts["storage"]) => streams.filter((stream) => stream.storage === storage);
  const copies = ({ replicas }: Counted): number => (tier === undefined ? replicas : 1);
  // For tiers servers multiply both usage and limit by the replicas, so count each stream once.
  const reportedOf = (storage: keyof LimitsRoom & StreamFacts["storage"]): number =>
    (reported?.[tier ?? "flat"]?.[storage].used ?? 0) / (tier === undefined ? 1 : (replicasOf(tier) ?? 1));
  const held = (storage: StreamFacts["storage"]): number =>
    Math.max(sum(of(storage).map((stream) => stream.bytes * copies(stream))), reportedOf(storage));
  const messagesOf = (storage: StreamFacts["storage"]): readonly NextMessage[] =>
    of(storage).map((stream) => {
      const { bytes = 0, copied = 0 } = sizes.get(stream.name) ?? {};
      return { stream: stream.name, bytes: bytes * copies(stream), copied: copied * copies(stream) };
    });
  /** The largest average message: its stream is the first to refuse more. */
  const storing = (storage: StreamFacts["storage"]): Pick<Use, "used" | "show" | "next" | "messages"> => {
    const messages = messagesOf(storage);
    return { used: held(storage), show: formatSize, messages, next: most(messages.map(({ copied }) => copied)) };
  };
  const largest = (storage: StreamFacts["storage"]): number =>
    most(of(storage).map(({ bytes, config }) => Math.max(bytes, storageOf(config["max_bytes"]))));
  const consumers = streams.flatMap((stream) => stream.consumers);
  const pending = consumers.map(({ config }) => storageOf(config["max_ack_pending"]));
  const unbounded = streams.filter(({ config }) => storageOf(config["max_bytes"]) <= 0);
  return {
    mem_storage: { ...storing("memory"), what: "streams in memory hold" },
    disk_storage: { ...storing("file"), what: "streams on disk hold" },
    streams: { used: streams.length, what: "the number of streams is", show: plain, next: 1 },
    // Servers count consumers per stream, despite the claim's name.
    consumer: {
      used: most(streams.map((stream) => stream.consumers.length)),
      what: "the number of consumers of one stream is",
      show: plain,
      next: 1,
    },
    max_ack_pending: { used: most(pending), what: "a consumer has max_ack_pending", show: plain },
    mem_max_stream_bytes: sumsStreamLimit
      ? { ...storing("memory"), what: "streams in memory hold together" }
      : { used: largest("memory"), what: "a stream in memory has", show: formatSize },
    disk_max_stream_bytes: sumsStreamLimit
      ? { ...storing("file"), what: "streams on disk hold together" }
      : { used: largest("file"), what: "a stream on disk has", show: formatSize },
    max_bytes_required: {
      used: unbounded.length,
      what: "the number of streams without max_bytes is",
      show: plain,
    },
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const most = (values: readonly number[]): number => Math.max(0, ...values);
