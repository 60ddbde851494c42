/** What a Kubernetes manifest does to nats-servers: `critical` can destroy, `note` is only worth knowing. */
export type Severity = "critical" | "warning" | "note";

export interface ManifestFinding {
  readonly severity: Severity;
  /** Where: `livenessProbe`, `startupProbe`, `readinessProbe`, or a key of the workload. */
  readonly about: string;
  readonly message: string;
  /** YAML lines that mend it, for the place that `about` names; empty for a note. */
  readonly fix: readonly string[];
}

/** A container of a workload that runs nats-server. */
export interface NatsContainer {
  /** `StatefulSet nats/nats` */
  readonly workload: string;
  readonly container: string;
  readonly image: string;
  /** As the image's tag names it; undefined where it names none, as `latest` does. */
  readonly version: string | undefined;
  readonly findings: readonly ManifestFinding[];
}

/** Whether a version fails its whole `/healthz` for one expired account (#8084). */
export type Exposure = "affected" | "fixed" | "unknown";
