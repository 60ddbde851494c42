import type { Probe, ServerFacts } from "./observation.ts";

/** An answer of `/healthz`, over HTTP or as HEALTHZ through the system account. */
export interface HealthAnswer {
  readonly ok: boolean;
  /** The server's message; "ok" if healthy. */
  readonly message: string;
}

/**
 * The three variants of `/healthz`: whether JetStream is on (`js-enabled-only`), whether the server's JetStream is healthy
 * apart from accounts and streams (`js-server-only`), and whether everything is (no option). A server without a meta
 * leader may still pass the second (tested on 2.15.1), so the meta group is checked separately.
 */
export interface HealthChecks {
  readonly enabledOnly: Probe<HealthAnswer>;
  readonly serverOnly: Probe<HealthAnswer>;
  readonly full: Probe<HealthAnswer>;
}

/** One server, asked through the system account. */
export interface ServerHealth {
  readonly server: ServerFacts;
  readonly checks: HealthChecks;
}

/** One monitoring address, asked over HTTP. */
export interface MonitoringHealth {
  readonly url: string;
  readonly checks: HealthChecks;
}

/** The servers that answered, and how many servers they count. */
export interface ServersHealth {
  readonly expected: number;
  readonly servers: readonly ServerHealth[];
}
