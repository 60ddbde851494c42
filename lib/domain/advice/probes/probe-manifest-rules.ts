import { isJsonObject, type JsonObject } from "../../time/json.ts";
import { type HealthPaths, healthPaths } from "./probe-health-paths.ts";
import type { JetStreamUse } from "./probe-jetstream.ts";
import { type Exposure, type ManifestFinding, PROBES, type ProbeName, type Severity } from "./probe-manifest-facts.ts";

/** What each probe of a nats-server should request, and what happens if it requests more. */

const MONITOR_PORT = 8222;

/** What a container's probes are judged by. */
export interface Probed {
  readonly container: JsonObject;
  readonly version: string | undefined;
  readonly exposure: Exposure;
  readonly jetStream: JetStreamUse;
}

export function probeFindings(probed: Probed): readonly ManifestFinding[] {
  const paths = healthPaths(probed.version);
  return PROBES.flatMap((name) => {
    const probe = probed.container[name];
    return isJsonObject(probe) ? askedTooMuch(name, probe, probed, paths) : missing(name, probed, paths);
  });
}

/** Without JetStream a server that runs is healthy, so only its readiness tells more than its process. */
function missing(about: ProbeName, { container, jetStream }: Probed, paths: HealthPaths): readonly ManifestFinding[] {
  if (jetStream === "off" && about !== "readinessProbe") return [];
  const lost: Readonly<Record<ProbeName, string>> = {
    livenessProbe: "a server whose JetStream has shut down is not restarted",
    startupProbe: "the liveness probe may restart a server that is recovering large streams",
    readinessProbe: "clients are sent to servers that are not ready",
  };
  return [
    {
      severity: "warning",
      about,
      message: `is missing: ${lost[about]}`,
      fix: fixOf(about, portOf(container), paths),
    },
  ];
}

/** The port of another probe of the container, otherwise the default monitoring port. */
function portOf(container: JsonObject): string | number {
  const ports = PROBES.map((name) => httpGet(container[name])?.["port"]);
  const port = ports.find((value) => typeof value === "string" || typeof value === "number");
  return typeof port === "string" || typeof port === "number" ? port : MONITOR_PORT;
}

function httpGet(probe: unknown): JsonObject | undefined {
  const get = isJsonObject(probe) ? probe["httpGet"] : undefined;
  return isJsonObject(get) ? get : undefined;
}

function fixOf(about: ProbeName, port: string | number, { wanted }: HealthPaths): readonly string[] {
  return [`${about}:`, "  httpGet:", `    path: ${wanted[about]}`, `    port: ${port}`];
}

/** `/healthz?…` in a probe's HTTP request, or in its command such as curl or wget. */
function healthzIn(probe: JsonObject): string | undefined {
  const path = httpGet(probe)?.["path"];
  const exec = probe["exec"];
  const command = isJsonObject(exec) && Array.isArray(exec["command"]) ? exec["command"].map(String).join(" ") : "";
  return /\/healthz\/?(?:\?[^\s'"`|;]*)?/.exec(typeof path === "string" ? path : command)?.[0];
}

/** How the server reads the query: an option counts only with a true value, as Go parses it. */
function scopeOf(healthz: string, { enabledOnly }: HealthPaths): "enabled" | "server" | "full" {
  if (enabledOnly === undefined) return "full";
  const options = new URLSearchParams(healthz.split("?")[1] ?? "");
  const has = (name: string): boolean => /^(1|t|true)$/i.test(options.get(name) ?? "");
  if (has(enabledOnly)) return "enabled";
  return has("js-server-only") || has("js-meta-only") ? "server" : "full";
}

function askedTooMuch(
  about: ProbeName,
  probe: JsonObject,
  { exposure, jetStream }: Probed,
  paths: HealthPaths,
): readonly ManifestFinding[] {
  const healthz = healthzIn(probe);
  if (healthz === undefined) return [];
  const port = httpGet(probe)?.["port"];
  const fix = fixOf(about, typeof port === "string" || typeof port === "number" ? port : MONITOR_PORT, paths);
  if (!paths.hasHealthz) return [{ ...NEVER_ANSWERED, about, fix }];
  // Without JetStream the full /healthz only says that the server runs.
  if (jetStream === "off") return [];
  const scope = scopeOf(healthz, paths);
  if (scope === "enabled") return [];
  if (about === "readinessProbe") return scope === "server" ? [] : [{ ...UNREADY, about, fix }];
  if (scope === "server") return [{ ...NO_LEADER, about, fix }];
  const how = healthz === "/healthz" ? "requests the full /healthz" : `requests ${healthz}, which is the full /healthz`;
  const because = paths.because === undefined ? "" : ` (${paths.because})`;
  return [{ severity: severityOf(exposure), about, message: `${how}${because}: ${FULL[exposure]}`, fix }];
}

const severityOf = (exposure: Exposure): Severity => (exposure === "fixed" ? "warning" : "critical");

const LOOP =
  "one expired account with streams fails it (nats-server #8084, fixed in 2.12.14 and 2.14.4), " +
  "and Kubernetes restarts pods in a loop while the account is expired, which damages its streams";

const FULL: Readonly<Record<Exposure, string>> = {
  affected: LOOP,
  unknown: `the image's tag does not name the version; unless it has the fix, ${LOOP}`,
  fixed: "one stream that has not caught up fails it, and Kubernetes restarts the pod, which does not help",
};

const NEVER_ANSWERED = {
  severity: "critical",
  message: "requests /healthz, which this version does not have (it came with 2.7.1): the probe fails for ever",
} as const;

const UNREADY = {
  severity: "warning",
  message: "requests the full /healthz: one faulty account or stream takes the server away from all clients",
} as const;

const NO_LEADER = {
  severity: "warning",
  message:
    "restarts servers without a meta leader: if the quorum is lost, it restarts every pod, and the quorum never returns",
} as const;
