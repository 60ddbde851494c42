import { coerce, lt } from "semver";
import type { ProbeName } from "./probe-manifest-facts.ts";

/** What a probe can ask the servers of one version (server/monitor.go of the releases). */
export interface HealthPaths {
  /** What each probe should ask. */
  readonly wanted: Readonly<Record<ProbeName, string>>;
  /** The option that asks whether JetStream is on; undefined before there were options. */
  readonly enabledOnly: string | undefined;
  /** Whether the server answers `/healthz` at all. */
  readonly hasHealthz: boolean;
  /** Why the paths are others than today's. */
  readonly because?: string;
}

const paths = (restarts: string, ready: string): HealthPaths["wanted"] => ({
  livenessProbe: restarts,
  startupProbe: restarts,
  readinessProbe: ready,
});

const NOW: HealthPaths = {
  wanted: paths("/healthz?js-enabled-only=true", "/healthz?js-server-only=true"),
  enabledOnly: "js-enabled-only",
  hasHealthz: true,
};
const FIRST_OPTIONS: HealthPaths = {
  wanted: paths("/healthz?js-enabled=true", "/healthz?js-server-only=true"),
  enabledOnly: "js-enabled",
  hasHealthz: true,
  because: "js-enabled-only came with 2.9.10; before that it is called js-enabled",
};
const NO_OPTIONS: HealthPaths = {
  wanted: paths("/", "/"),
  enabledOnly: undefined,
  hasHealthz: true,
  because: "options came with 2.9.0, so only / asks less than the full /healthz",
};
const NO_HEALTHZ: HealthPaths = {
  wanted: paths("/", "/"),
  enabledOnly: undefined,
  hasHealthz: false,
  because: "/healthz came with 2.7.1",
};

/** Of an unknown version, and of a line such as `2.9`, the newest counts. */
export function healthPaths(version: string | undefined): HealthPaths {
  const release = coerce(version?.split(".").length === 2 ? `${version}.999` : version);
  if (release === null || !lt(release, "2.9.10")) return NOW;
  if (!lt(release, "2.9.0")) return FIRST_OPTIONS;
  return lt(release, "2.7.1") ? NO_HEALTHZ : NO_OPTIONS;
}
