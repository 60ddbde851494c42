import type { AccountId } from "../claims/account.ts";
import type { ClaimsDocument } from "../claims/claims.ts";
import type { ConnectionCount, LimitsRoom, ServerCapacity } from "../limits/server-use.ts";
import type { Json, JsonObject } from "../time/json.ts";
import { type EpochMillis, type Millis, millis } from "../time/time.ts";
import type { DirectGets, MirrorDirect } from "./direct-facts.ts";
import type { MetaGroup } from "./meta-group.ts";

/**
 * What a probe brought home. A probe that failed says why; it is never taken for an answer
 * (*unknown* is not *dead*).
 */
export type Probe<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly message: string };

/** One server that answered, and whether it stands alone. */
export interface ServerFacts {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly jetstream: boolean;
  readonly domain?: string;
  readonly cluster?: string;
  /** Where streams with `placement.tags` may be placed. */
  readonly tags: readonly string[];
  /** How far its clock is ahead of ours (negative: behind), as far as it is certain; absent: it was not told. */
  readonly clockSkew?: Millis;
  /**
   * How the server is joined to others. Only a proved `standalone` may have JetStream toggled; a `leaf` is
   * alone but for its leafnode remotes; a server that didn't say is `unknown`.
   */
  readonly topology: "standalone" | "leaf" | "clustered" | "unknown";
}

/** The account as one server has it loaded; `loaded: false` is normal where no client of it connected. */
export type RunningAccount =
  | { readonly server: string; readonly loaded: false }
  | {
      readonly server: string;
      readonly loaded: true;
      readonly expired: boolean;
      readonly jetstream: boolean;
      readonly document: ClaimsDocument;
      /** Whether the JWT that the server told is signed by whom it names: an answer may be anybody's. */
      readonly signatureValid: boolean;
      /** The claims as the server itself decoded them (`decoded_jwt`); absent where it did not tell. */
      readonly decoded?: JsonObject;
      /** The account's connections to this server; absent where it did not tell. */
      readonly connections?: ConnectionCount;
    };

/** What a stream holds. */
export interface StreamState {
  readonly messages: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

export interface StreamFacts extends StreamState {
  /** Its JetStream domain; absent where its servers have none. */
  readonly domain?: string;
  /** The server that leads it, or else one that holds it. */
  readonly server: string;
  readonly name: string;
  readonly storage: "file" | "memory";
  readonly replicas: number;
  readonly subjects: readonly string[];
  readonly leader?: string;
  /** The server that tells of it: the leader, or one that holds it where the leader does not answer. */
  readonly toldBy?: string;
  /** The other members of its group, as that one has it: a follower does not list itself. */
  readonly peers: readonly Peer[];
  /**
   * Servers of a cluster that hold it without a Raft node of its group ("group node missing" in `/healthz`):
   * they were restarted while the account was expired. Empty is healthy.
   */
  readonly nodeMissingOn: readonly string[];
  readonly bytes: number;
  /** When it was made, as the server writes it; a stream that was made anew has another. */
  readonly created?: string;
  /** Subjects of the stream that the server's JetStream does not listen on. Empty is healthy. */
  readonly deafSubjects: Probe<readonly string[]>;
  /** Who answers direct gets of it; absent where it allows none (`allow_direct`). */
  readonly directGets?: Probe<DirectGets>;
  /** How it answers direct gets of its origin; absent where it is to answer none (`mirror_direct`). */
  readonly mirrorDirect?: Probe<MirrorDirect>;
  readonly consumers: readonly ConsumerFacts[];
  /** Consumers that a server still holds, and the cluster's metadata lacks: none of `consumers`. Empty is healthy. */
  readonly forgotten: readonly ForgottenConsumer[];
  /** What it copies from, as its leader tells it; empty for a stream that is no copy. */
  readonly origins: Probe<readonly OriginFacts[]>;
  /** Its whole configuration, as the server gives it. */
  readonly config: JsonObject;
}

/** How far apart an origin's heartbeats are looked for: longer than from one to the next, shorter than two. */
export const BEAT_GAP: Millis = millis(1_500);

/** What a mirror or a source copies from, and when it last heard of it. */
export interface OriginFacts extends OriginReading {
  readonly stream: string;
  /** The domain that the configuration names; absent: the copy's own. */
  readonly domain?: string;
  /** Where the origin's API is neither the copy's own nor a domain's: another account's, by an import. */
  readonly api?: string;
  /** By the server's word; it stays 0 while the copy is stalled (ran: 2.9.10, 2.10.27, 2.15.1). */
  readonly lag: number;
  /**
   * What was read again, each {@link BEAT_GAP} after the one before, and empty where nobody told: a server counts an
   * attempt of its own as activity, so that one reading proves nothing.
   */
  readonly later: readonly OriginReading[];
}

/** What the leader of a copy tells at one moment. */
export interface OriginReading {
  /** The origin's last sequence that the copy has; absent where that can't be told, as behind a filter. */
  readonly taken?: number;
  /** Since a message or a heartbeat, which comes every second; absent: never since the copy has its leader. */
  readonly activeAgo?: Millis;
  readonly error?: string;
}

/** A replica beside the leader. */
export interface Peer {
  readonly name: string;
  /** Whether it has all that the leader has, and could take over without a loss. */
  readonly current: boolean;
}

export interface ConsumerFacts {
  /** The server that leads it, or else one that holds it. */
  readonly server: string;
  readonly name: string;
  readonly storage: "file" | "memory";
  readonly durable: boolean;
  readonly leader?: string;
  /** As a stream's, as are the next two. */
  readonly toldBy?: string;
  readonly peers: readonly Peer[];
  readonly nodeMissingOn: readonly string[];
  readonly heard: Probe<boolean>;
  /** When it was made, as the server writes it. */
  readonly created?: string;
  /** Up to which of the stream's messages all are acknowledged. */
  readonly ackFloor: number;
  readonly config: JsonObject;
}

/** A consumer that nobody can ask, though a server has all of it on its disk. */
export interface ForgottenConsumer {
  /** The server that holds it. */
  readonly server: string;
  readonly name: string;
  readonly durable: boolean;
  /** Up to which of the stream's messages all are acknowledged. */
  readonly ackFloor: number;
  readonly config: JsonObject;
}

/** What the account itself is told, through a user minted for minutes. */
export interface AccountView {
  readonly jetstream: "enabled" | "disabled" | "account_not_found";
  /** `$JS.API.INFO` in the numbers people look at. */
  readonly info: {
    readonly streams: number;
    readonly consumers: number;
    /**
     * By tier (`R1`, `R3`), or only `flat`; the use counts each replica. `""` beside tiers is what streams hold that were
     * there when the tiers came, and count against none of them (nats-server #2971).
     */
    readonly limits: { readonly [tier: string]: LimitsRoom };
  };
  /** Streams that `$JS.API.STREAM.NAMES` lists. */
  readonly streamNames: readonly string[];
  /** Streams whose `$JS.API.STREAM.INFO` gave an error or no answer, with what was said. */
  readonly failing: readonly {
    readonly stream: string;
    /** The server said that there is no such stream (10059), though the cluster has it assigned. */
    readonly notFound: boolean;
    readonly message: string;
  }[];
  /** What no server that answers holds, though the cluster knows it. Absent: it was not asked. */
  readonly unheld?: Probe<readonly Unheld[]>;
  /** The other JetStream domains that were asked about. */
  readonly domains: readonly DomainView[];
}

/** A stream or consumer of the cluster's metadata that no server that answers holds. */
export interface Unheld {
  readonly stream: string;
  readonly consumer?: string;
  /** The servers that hold it. The meta leader tells only of those that it has given up, so there may be none. */
  readonly holders: readonly string[];
  /** Of a stream; absent where nobody told. */
  readonly replicas?: number;
  /** Of a consumer; absent where nobody told. */
  readonly durable?: boolean;
}

/** Another JetStream domain as the account is told of it through `$JS.<domain>.API`. */
export interface DomainView {
  readonly domain: string;
  /** `silent`: nobody answers there; `unknown`: it could not be asked. */
  readonly jetstream: "enabled" | "disabled" | "silent" | "unknown";
  /** What was said, or that nothing was. */
  readonly message?: string;
  /** Streams there that something here copies from. */
  readonly origins: readonly AskedOrigin[];
}

export type AskedOrigin =
  | ({ readonly stream: string; readonly answer: "found" } & StreamState)
  | { readonly stream: string; readonly answer: "not-found" | "failed"; readonly message: string };

/** A leafnode connection that a server accepted. */
export interface LeafConnection {
  /** The server that accepted it. */
  readonly server: string;
  /** The account that it is bound to there: an id, or `$G` on servers without an operator. */
  readonly account: string;
  /** The name of the leaf's server; servers before 2.10 don't tell. */
  readonly name?: string;
}

/** The account view was not asked for, and why (no key was given); never the same as an answer. */
export type AccountViewProbe = Probe<AccountView> | { readonly ok: "not-asked"; readonly why: string };

/** What lies in the resolver, which accepts any JWT: it may be forged, foreign or expired. */
export interface StoredClaims {
  readonly document: ClaimsDocument;
  readonly signatureValid: boolean;
}

/** Everything that one look at an account brought home. The verdict is computed from this alone. */
export interface Observation {
  readonly account: AccountId;
  readonly at: EpochMillis;
  readonly servers: readonly ServerFacts[];
  /** The claims in the resolver; undefined: the resolver answered that it has none. */
  readonly stored: Probe<StoredClaims | undefined>;
  readonly running: Probe<readonly RunningAccount[]>;
  /** The JetStream domain that was looked at; absent where its servers have none. */
  readonly domain?: string;
  /** The streams of that domain, which remedies may touch. */
  readonly streams: Probe<readonly StreamFacts[]>;
  /** Streams of other domains whose servers answer the same system account: only looked at. */
  readonly elsewhere: Probe<readonly StreamFacts[]>;
  /** Of this account, or of all accounts where leafnodes are expected. */
  readonly leafnodes: Probe<readonly LeafConnection[]>;
  readonly accountView: AccountViewProbe;
  /** The group of all JetStream servers of that domain; undefined where the server stands alone. */
  readonly meta: Probe<MetaGroup | undefined>;
  /** What the servers with JetStream store; absent where they were not asked. */
  readonly capacities?: Probe<readonly ServerCapacity[]>;
}

/** Evidence: what was asked and what was answered, in words a person can check. */
export type Evidence = { readonly [key: string]: Json };

/** A stream of any account as one server tells of it: what counts before a server may be restarted. */
export interface HostedStream {
  readonly account: AccountId;
  readonly name: string;
  /** The server that tells of it, and holds it. */
  readonly server: string;
  readonly storage: "file" | "memory";
  readonly replicas: number;
  readonly messages: number;
  readonly bytes: number;
  readonly leader?: string;
  readonly peers: readonly Peer[];
  /** When it was made, as the server writes it. */
  readonly created?: string;
  /** The server holds it without a node of its Raft group: it restarted while the account was expired. */
  readonly nodeMissing?: true;
  readonly config: JsonObject;
  /** Those that the server holds; absent where they were not asked for. */
  readonly consumers?: readonly { readonly name: string; readonly config: JsonObject }[];
}
