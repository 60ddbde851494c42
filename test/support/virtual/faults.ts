import type { ResolverKind } from "../../../lib/domain/claims/resolver-kind.ts";
import type { Group } from "../../../lib/domain/ladder/step-down.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import type { Configuration } from "../../../lib/ports/remedies.ts";

/** Faults of a virtual cluster besides those of its servers. Tests set them. */
export interface Faults {
  /** No server answers anything. */
  isDown: boolean;
  /** The kind of the servers' resolvers. */
  resolver: ResolverKind;
  readonly push: {
    /** Servers that accept a JWT without storing it. */
    readonly misses: Set<string>;
    /** Servers that accept it, but whose answer is lost. */
    readonly unheard: Set<string>;
    /** Why servers refuse it. */
    readonly refused: Map<string, string>;
    /** How long servers take until they run it; milliseconds. */
    readonly takes: Map<string, number>;
    /** What servers read instead of the actual claims. */
    readonly misread: Map<string, JsonObject>;
  };
  /** Servers that don't enable an account's JetStream, whatever its claims say. */
  readonly withoutJetStream: Set<string>;
  /** Why servers refuse a configuration; undefined: they accept it. */
  refusal: (wanted: Configuration) => string | undefined;
  /** Whether a request for a change or step-down is lost. */
  isLost: (request: Group) => boolean;
  /** API subjects that the account's users may not use. */
  readonly denied: Set<string>;
  /** Why the account's memory assets can't be recreated; undefined: they can. */
  recreation: (stream: string) => string | undefined;
  /**
   * `unbegun`: refused before anything began. `failed`: it is unknown whether it began. `gone`: the server never
   * returns.
   */
  restart: "works" | "unbegun" | "failed" | "gone";
}

export function noFaults(): Faults {
  return {
    isDown: false,
    resolver: "full",
    push: {
      misses: new Set(),
      unheard: new Set(),
      refused: new Map(),
      takes: new Map(),
      misread: new Map(),
    },
    withoutJetStream: new Set(),
    refusal: () => undefined,
    isLost: () => false,
    denied: new Set(),
    recreation: () => undefined,
    restart: "works",
  };
}
