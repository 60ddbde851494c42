import type { Probe, ServerFacts } from "./observation.ts";

/** What `/healthz` said, over HTTP or as HEALTHZ over the system account. */
export interface HealthAnswer {
  readonly ok: boolean;
  /** The server's own words; "ok" where all is well. */
  readonly message: string;
}

/**
 * The three questions of `/healthz`: is JetStream on (`js-enabled-only`), is this server's JetStream well,
 * accounts and streams left aside (`js-server-only`), and is all of it well (no option). A server that knows
 * no meta leader may still pass the second (ran: 2.15.1), so the meta group is asked about by itself.
 */
export interface HealthChecks {
  readonly enabledOnly: Probe<HealthAnswer>;
  readonly serverOnly: Probe<HealthAnswer>;
  readonly full: Probe<HealthAnswer>;
}

/** One server, asked over the system account. */
export interface ServerHealth {
  readonly server: ServerFacts;
  readonly checks: HealthChecks;
}

/** One monitoring address, asked over HTTP. */
export interface MonitoringHealth {
  readonly url: string;
  readonly checks: HealthChecks;
}

/** The servers that answered, and how many the servers themselves count. */
export interface ServersHealth {
  readonly expected: number;
  readonly servers: readonly ServerHealth[];
}
