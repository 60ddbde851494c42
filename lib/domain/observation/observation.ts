import type { AccountId } from "../claims/account.ts";
import type { ClaimsDocument } from "../claims/claims.ts";
import type { ResolverKind } from "../claims/resolver-kind.ts";
import type { ConnectionCount, Deliveries, LimitsRoom, ServerCapacity, TierFacts } from "../limits/server-use.ts";
import type { JsonObject } from "../time/json.ts";
import type { EpochMillis, Millis } from "../time/time.ts";
import type { DifferingReplica, DirectGets, MirrorDirect } from "./direct-facts.ts";
import type { MetaGroup } from "./meta-group.ts";

/** The result of a probe: a value, or why it failed. A failed probe means unknown, not dead. */
export type Probe<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** A server that answered. */
export interface ServerFacts {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly jetstream: boolean;
  readonly domain?: string;
  readonly cluster?: string;
  /** Its tags, for streams with `placement.tags`. */
  readonly tags: readonly string[];
  /** How far its clock is certainly ahead of ours (negative: behind); absent if unknown. */
  readonly clockSkew?: Millis;
  /**
   * How the server is connected to others. JetStream may be toggled only on a proved `standalone` server. A `leaf` is
   * standalone except for its leafnode remotes. `unknown`: the server did not report it.
   */
  readonly topology: "standalone" | "leaf" | "clustered" | "unknown";
  /** Where it takes account JWTs from; absent if unknown. */
  readonly resolver?: ResolverKind;
  /** When it last read its configuration, by its own clock; only for MEMORY or URL resolvers, and absent if unknown. */
  readonly configuredAt?: EpochMillis;
}

/** The account on one server; `loaded: false` is normal if no client of it has connected. */
export type RunningAccount =
  | { readonly server: string; readonly loaded: false }
  | {
      readonly server: string;
      readonly loaded: true;
      readonly expired: boolean;
      readonly jetstream: boolean;
      readonly document: ClaimsDocument;
      /** Whether the reported JWT is signed by the issuer that it names, because anybody could have answered. */
      readonly signatureValid: boolean;
      /** The claims as the server decoded them (`decoded_jwt`); absent if not reported. */
      readonly decoded?: JsonObject;
      /** When the server began to run these claims, by its own clock; absent if not reported. */
      readonly appliedAt?: EpochMillis;
      /** The account's connections to this server; absent if not reported. */
      readonly connections?: ConnectionCount;
      /** It could not bring all of the claims into force, such as an import (`complete: false`). */
      readonly incomplete?: true;
    };

/** A stream's messages and sequences. */
export interface StreamState {
  readonly messages: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface StreamFacts extends StreamState, TierFacts {
  /** Its JetStream domain, if any. */
  readonly domain?: string;
  /** Its leader, or else a server that holds it. */
  readonly server: string;
  readonly name: string;
  readonly storage: "file" | "memory";
  readonly replicas: number;
  readonly subjects: readonly string[];
  readonly leader?: string;
  /** The server that reported it: the leader, or another one if the leader does not answer. */
  readonly reportedBy?: string;
  /** The other members of its group, according to that server. A follower does not list itself. */
  readonly peers: readonly Peer[];
  /** Servers that hold it without a Raft node, because they restarted while the account was expired. Empty is healthy. */
  readonly nodeMissingOn: readonly string[];
  /** Replicas that count as current and hold other messages than their leader; absent if there are none. */
  readonly differing?: readonly DifferingReplica[];
  readonly bytes: number;
  /** Its creation time as the server writes it. A recreated stream has another one. */
  readonly created?: string;
  /** Subjects of the stream on which JetStream does not listen. Empty is healthy. */
  readonly deafSubjects: Probe<readonly string[]>;
  /** Present if its leader runs it twice: it was created while JetStream was turned off and on for the account. */
  readonly runsTwice?: true;
  /** Imported subjects of which it takes nothing; absent unless its server has nats-server #6498. */
  readonly deafImports?: Probe<readonly string[]>;
  /** Which servers answer its direct gets; absent if it does not allow them (`allow_direct`). */
  readonly directGets?: Probe<DirectGets>;
  /** How it answers direct gets of its origin; absent if it should not (`mirror_direct`). */
  readonly mirrorDirect?: Probe<MirrorDirect>;
  readonly consumers: readonly ConsumerFacts[];
  /** Consumers that a server still holds but the cluster's metadata lacks; not in `consumers`. Empty is healthy. */
  readonly forgotten: readonly ForgottenConsumer[];
  /** Its origins according to its leader; empty unless it is a mirror or has sources. */
  readonly origins: Probe<readonly OriginFacts[]>;
  /** Its complete configuration from the server. */
  readonly config: JsonObject;
}

/** An origin of a mirror or source, and when something last arrived from it. */
export interface OriginFacts extends OriginReading {
  readonly stream: string;
  /** The configured domain; absent if it is the copy's own. */
  readonly domain?: string;
  /** The origin's API prefix if it is imported from another account. */
  readonly api?: string;
  /** As the server reports it. Stays 0 while the copy is stalled (tested on 2.9.10, 2.10.27, 2.15.1). */
  readonly lag: number;
  /** Further readings, each `BEAT_GAP` after the other. One alone proves nothing: servers count their own attempts. */
  readonly later: readonly OriginReading[];
}

/** One reading from the leader of a mirror or source. */
export interface OriginReading {
  /** The last sequence received from the origin; absent if unknown, for instance with a filter. */
  readonly taken?: number;
  /** Time since the last message or heartbeat; absent if there was none since the copy's leader was elected. */
  readonly activeAgo?: Millis;
  readonly error?: string;
}

/** A replica other than the leader. */
export interface Peer {
  readonly name: string;
  /** Whether it has everything that the leader has, so it could take over without loss. */
  readonly current: boolean;
}

export interface ConsumerFacts {
  /** Its leader, or else a server that holds it. */
  readonly server: string;
  readonly name: string;
  readonly storage: "file" | "memory";
  readonly durable: boolean;
  readonly leader?: string;
  /** This and the next two as for a stream. */
  readonly reportedBy?: string;
  readonly peers: readonly Peer[];
  readonly nodeMissingOn: readonly string[];
  readonly heard: Probe<boolean>;
  /** Present if its client has left it: it is ephemeral, needs no acknowledgments, and delivers to nobody. */
  readonly abandoned?: true;
  /** Its creation time as the server writes it. */
  readonly created?: string;
  /** The stream sequence up to which all messages are acknowledged. */
  readonly ackFloor: number;
  /** According to its leader; absent if that did not say. */
  readonly deliveries?: Deliveries;
  readonly config: JsonObject;
}

/** A consumer that is unreachable although a server has all its data on disk. */
export interface ForgottenConsumer {
  /** The server that holds it. */
  readonly server: string;
  readonly name: string;
  readonly durable: boolean;
  /** The stream sequence up to which all messages are acknowledged. */
  readonly ackFloor: number;
  readonly config: JsonObject;
}

/** The account's own view, through a short-lived user. */
export interface AccountView {
  readonly jetstream: "enabled" | "disabled" | "account_not_found";
  /** The numbers of `$JS.API.INFO` that people check. */
  readonly info: {
    readonly streams: number;
    readonly consumers: number;
    /**
     * By tier (`R1`, `R3`), or only `flat`. Usage counts every replica. `""` beside tiers is the usage of streams that are
     * older than the tiers and count in none (nats-server #2971).
     */
    readonly limits: { readonly [tier: string]: LimitsRoom };
  };
  /** Streams that `$JS.API.STREAM.NAMES` lists. */
  readonly streamNames: readonly string[];
  /** Streams whose `$JS.API.STREAM.INFO` returned an error or no answer, with the message. */
  readonly failing: readonly {
    readonly stream: string;
    /** The server answered that the stream does not exist (10059), although the cluster has it assigned. */
    readonly notFound: boolean;
    readonly message: string;
  }[];
  /** What the cluster knows but no responding server holds. Absent if not asked. */
  readonly unheld?: Probe<readonly Unheld[]>;
  /** Views of other JetStream domains. */
  readonly domains: readonly DomainView[];
}

/** A stream or consumer in the cluster's metadata that no responding server holds. */
export interface Unheld {
  readonly stream: string;
  readonly consumer?: string;
  /** The servers that hold it. The meta leader reports only those that it has given up, so this may be empty. */
  readonly holders: readonly string[];
  /** Only for streams; absent if unknown. */
  readonly replicas?: number;
  /** Only for consumers; absent if unknown. */
  readonly durable?: boolean;
}

/** The account's view of another JetStream domain through `$JS.<domain>.API`. */
export interface DomainView {
  readonly domain: string;
  /** `silent`: nothing answers there; `unknown`: it could not be asked. */
  readonly jetstream: "enabled" | "disabled" | "silent" | "unknown";
  /** The error, or that there was no answer. */
  readonly message?: string;
  /** Streams there that local streams copy from. */
  readonly origins: readonly AskedOrigin[];
}

export type AskedOrigin =
  | ({ readonly stream: string; readonly answer: "found" } & StreamState)
  | { readonly stream: string; readonly answer: "not-found" | "failed"; readonly message: string };

/** A leafnode connection that a server accepted. */
export interface LeafConnection {
  /** The server that accepted it. */
  readonly server: string;
  /** The account that it is bound to: an id, or `$G` on servers without an operator. */
  readonly account: string;
  /** The leafnode's server name; servers before 2.10 do not report it. */
  readonly name?: string;
}

/** `not-asked`: the account view was not requested, with the reason; `noKey` if none is configured. */
export type AccountViewProbe = Probe<AccountView> | NotAsked;

export interface NotAsked {
  readonly ok: "not-asked";
  readonly why: string;
  /** The claims keep Relight's own users out, although a key for them is configured. */
  readonly keptOut?: true;
  readonly noKey?: true;
}

/** Claims from the resolver, which accepts any JWT: they may be forged, foreign or expired. */
export interface StoredClaims {
  readonly document: ClaimsDocument;
  readonly signatureValid: boolean;
}

/** Everything observed about an account at once. The verdict is computed from this alone. */
export interface Observation {
  readonly account: AccountId;
  readonly at: EpochMillis;
  readonly servers: readonly ServerFacts[];
  /** The claims in the resolver; undefined if the resolver answered that it has none. */
  readonly stored: Probe<StoredClaims | undefined>;
  readonly running: Probe<readonly RunningAccount[]>;
  /** The observed JetStream domain, if its servers have one. */
  readonly domain?: string;
  /** The streams of that domain, which remedies may change. */
  readonly streams: Probe<readonly StreamFacts[]>;
  /** Streams of other domains whose servers answer the same system account. Relight never changes them. */
  readonly elsewhere: Probe<readonly StreamFacts[]>;
  /** Of this account, or of all accounts if leafnodes are expected. */
  readonly leafnodes: Probe<readonly LeafConnection[]>;
  readonly accountView: AccountViewProbe;
  /** The meta group of that domain; undefined for a standalone server. */
  readonly meta: Probe<MetaGroup | undefined>;
  /** The servers' storage usage; absent if not asked. */
  readonly capacities?: Probe<readonly ServerCapacity[]>;
}

/** What was asked and answered, in a form that a person can check. */
export type Evidence = JsonObject;

/** A stream of any account on one server: what the restart guard needs. */
export interface HostedStream {
  readonly account: AccountId;
  readonly name: string;
  /** The server that holds and reports it. */
  readonly server: string;
  readonly storage: "file" | "memory";
  readonly replicas: number;
  readonly messages: number;
  readonly bytes: number;
  readonly leader?: string;
  readonly peers: readonly Peer[];
  /** Its creation time as the server writes it. */
  readonly created?: string;
  /** Whether the server holds it without a Raft node, because it restarted while the account was expired. */
  readonly nodeMissing?: true;
  /** Whether the server empties it when it loads it again (nats-server #6753). */
  readonly emptiedByLoad?: true;
  readonly config: JsonObject;
  /** The consumers that the server holds; absent if not requested. */
  readonly consumers?: readonly { readonly name: string; readonly config: JsonObject }[];
}
