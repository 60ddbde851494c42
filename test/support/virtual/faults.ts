import type { Group } from "../../../lib/domain/ladder/step-down.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import type { Configuration } from "../../../lib/ports/remedies.ts";

/** What goes wrong in a virtual cluster beside what happens to its servers. Tests change it as they like. */
export interface Faults {
  /** No server answers anything. */
  isDown: boolean;
  /** Servers with a memory or URL resolver. */
  hasNoResolver: boolean;
  readonly push: {
    /** Servers that say that they took a JWT, and did not. */
    readonly misses: Set<string>;
    /** Servers that take it, and whose answer is lost. */
    readonly unheard: Set<string>;
    /** Why servers refuse it. */
    readonly refused: Map<string, string>;
    /** How long servers take until they run it; milliseconds. */
    readonly takes: Map<string, number>;
    /** What servers read in place of what is there. */
    readonly misread: Map<string, JsonObject>;
  };
  /** Servers that don't enable an account's JetStream, whatever its claims say. */
  readonly withoutJetStream: Set<string>;
  /** Why servers refuse a configuration; undefined: they take it. */
  refusal: (wanted: Configuration) => string | undefined;
  /** Whether a request to change or to step down is lost on its way. */
  isLost: (request: Group) => boolean;
  /** API subjects that the account's users may not use. */
  readonly denied: Set<string>;
  /** Why what the account holds in memory can't be made anew; undefined: it can. */
  recreation: (stream: string) => string | undefined;
  /** `unbegun`: refused before anything began. `failed`: nobody knows whether it began. `gone`: the server never returns. */
  restart: "works" | "unbegun" | "failed" | "gone";
}

export function noFaults(): Faults {
  return {
    isDown: false,
    hasNoResolver: false,
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
