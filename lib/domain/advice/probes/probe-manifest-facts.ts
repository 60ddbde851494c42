import type { JetStreamUse } from "./probe-jetstream.ts";

/** How serious a finding about a Kubernetes manifest is: `critical` can do damage, `note` is only information. */
export type Severity = "critical" | "warning" | "note";

export interface ManifestFinding {
  readonly severity: Severity;
  /** The place: `livenessProbe`, `startupProbe`, `readinessProbe`, or a key of the workload. */
  readonly about: string;
  readonly message: string;
  /** YAML lines that fix it, for the place in `about`; empty for a note. */
  readonly fix: readonly string[];
}

/** A container of a workload that runs nats-server. */
export interface NatsContainer {
  /** `StatefulSet nats/nats` */
  readonly workload: string;
  readonly container: string;
  readonly image: string;
  /** The version in the image's tag; undefined if it has none, as in `latest`. */
  readonly version: string | undefined;
  /** Whether it has JetStream, by its arguments and its ConfigMap in the manifest. */
  readonly jetStream: JetStreamUse;
  readonly findings: readonly ManifestFinding[];
}

/** Whether one expired account fails the full `/healthz` of a version (#8084). */
export type Exposure = "affected" | "fixed" | "unknown";

export const PROBES = ["livenessProbe", "startupProbe", "readinessProbe"] as const;
export type ProbeName = (typeof PROBES)[number];
