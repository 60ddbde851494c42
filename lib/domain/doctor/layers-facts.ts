import type { AccountId } from "../claims/account.ts";
import type { ClaimsDocument } from "../claims/claims.ts";
import type { MetaGroup } from "../observation/meta-group.ts";
import type { Observation, Probe } from "../observation/observation.ts";
import type { MonitoringHealth, ServersHealth } from "../observation/server-health.ts";
import type { Health, Verdict } from "../verdict/verdict.ts";

/** The layers of a JetStream cluster's health, cheapest first. Each depends on the one before. */
export const LAYERS = {
  servers: "servers answer",
  jetstream: "JetStream is enabled",
  meta: "the meta group has a leader and quorum",
  accounts: "accounts are in force",
  streams: "streams and consumers have a leader and current replicas",
  subjects: "JetStream listens on every subject",
} as const;
export type LayerId = keyof typeof LAYERS;

/** One observation in a layer. */
export interface Evidence {
  readonly health: Health;
  readonly message: string;
  /** The server, domain, monitoring address or account that it is about. */
  readonly about?: string;
}

export interface Layer {
  readonly id: LayerId;
  readonly title: string;
  readonly verdict: Health;
  /** The reasons for the verdict, healthy or not. Never empty. */
  readonly evidence: readonly Evidence[];
}

/** The meta group of one JetStream domain. */
export interface DomainMeta {
  readonly domain?: string;
  readonly meta: Probe<MetaGroup | undefined>;
}

/** One account as observed. */
export interface AccountHealth {
  readonly account: AccountId;
  readonly name: string;
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** The claims in force; absent if unknown. */
  readonly claims?: ClaimsDocument;
}

/** Everything that one check of a cluster observed. */
export interface ClusterFacts {
  readonly servers: Probe<ServersHealth>;
  readonly monitoring: readonly MonitoringHealth[];
  readonly meta: readonly DomainMeta[];
  readonly accounts: Probe<readonly AccountHealth[]>;
}
