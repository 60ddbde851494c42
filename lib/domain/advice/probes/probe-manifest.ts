import { satisfies } from "semver";
import { isJsonObject, type JsonObject } from "../../time/json.ts";
import { DEFECTS } from "../../verdict/defects.ts";
import { jetStreamUse } from "./probe-jetstream.ts";
import type { Exposure, ManifestFinding, NatsContainer } from "./probe-manifest-facts.ts";
import { probeFindings } from "./probe-manifest-rules.ts";
import { serverCommand, versionOf } from "./probe-server.ts";

/**
 * Checks every container that runs nats-server in parsed Kubernetes objects, including lists. ConfigMaps may also be
 * among `others`, the objects of further files.
 */
export function checkManifest(
  documents: readonly unknown[],
  others: readonly unknown[] = [],
): readonly NatsContainer[] {
  const objects = documents.flatMap(unpack);
  const known = [...objects, ...others.flatMap(unpack)];
  return objects.flatMap((object) => {
    const pod = podSpec(object);
    return pod === undefined ? [] : containersOf(pod).flatMap((container) => check(object, pod, container, known));
  });
}

/** Unpacks `kind: List`, the output of `kubectl get -o yaml` for several objects. */
function unpack(document: unknown): readonly JsonObject[] {
  if (!isJsonObject(document)) return [];
  const items = document["items"];
  const isList = String(document["kind"] ?? "").endsWith("List");
  return isList && Array.isArray(items) ? items.flatMap(unpack) : [document];
}

/** These end by themselves, so they serve nobody. */
const ENDING = ["Job", "CronJob"];

/** A Pod's, or that of anything with a template for pods: StatefulSet, Deployment, DeploymentConfig, Rollout, … */
function podSpec(object: JsonObject): JsonObject | undefined {
  const kind = String(object["kind"] ?? "");
  if (kind === "Pod") return at(object, "spec");
  return ENDING.includes(kind) ? undefined : at(object, "spec", "template", "spec");
}

function at(object: JsonObject, ...path: readonly string[]): JsonObject | undefined {
  return path.reduce<JsonObject | undefined>((place, key) => {
    const next = place?.[key];
    return isJsonObject(next) ? next : undefined;
  }, object);
}

/** The containers that keep running, including init containers that are sidecars. */
function containersOf(pod: JsonObject): readonly JsonObject[] {
  const list = (key: string): readonly JsonObject[] => {
    const value = pod[key];
    return Array.isArray(value) ? value.filter(isJsonObject) : [];
  };
  return [...list("containers"), ...list("initContainers").filter(({ restartPolicy }) => restartPolicy === "Always")];
}

/** A tag such as `2.10` moves, so it counts only if all releases of that line are alike. */
export function exposureOf(version: string | undefined): Exposure {
  const affected = DEFECTS.find(({ issue }) => issue === "#8084")?.affected ?? "*";
  const has = (release: string): boolean => satisfies(release, affected, { includePrerelease: true });
  if (version === undefined) return "unknown";
  if (version.split(".").length >= 3) return has(version) ? "affected" : "fixed";
  const [first, last] = [has(`${version}.0`), has(`${version}.9999`)];
  if (first !== last) return "unknown";
  return first ? "affected" : "fixed";
}

function check(
  object: JsonObject,
  pod: JsonObject,
  container: JsonObject,
  known: readonly JsonObject[],
): readonly NatsContainer[] {
  const command = serverCommand(container);
  if (command === undefined) return [];
  const metadata = at(object, "metadata") ?? {};
  const name = String(metadata["name"] ?? metadata["generateName"] ?? "without a name");
  const namespace = metadata["namespace"];
  const version = versionOf(container);
  const jetStream = jetStreamUse(command, container, { spec: pod, namespace }, known);
  const probes = probeFindings({ container, version, exposure: exposureOf(version), jetStream });
  return [
    {
      workload: `${object["kind"]} ${namespace === undefined ? "" : `${namespace}/`}${name}`,
      container: String(container["name"] ?? ""),
      image: String(container["image"] ?? ""),
      version,
      jetStream,
      findings: [...probes, ...graceFindings(pod), ...notes(object)],
    },
  ];
}

/** Seconds for a server in lame duck mode to hand over its clients and leaders. Kubernetes' default is 30. */
const GRACE = 60;

function graceFindings(pod: JsonObject): readonly ManifestFinding[] {
  const about = "terminationGracePeriodSeconds";
  const seconds = pod[about];
  if (typeof seconds === "number" && seconds >= GRACE) return [];
  const set = seconds === undefined ? "is not set (Kubernetes waits 30 s)" : `is ${seconds}`;
  const message = `${set}: Kubernetes kills a server in lame duck mode before it has handed over; use ${GRACE} s or more`;
  return [{ severity: "warning", about, message, fix: [`terminationGracePeriodSeconds: ${GRACE}`] }];
}

function notes(object: JsonObject): readonly ManifestFinding[] {
  if (object["kind"] !== "StatefulSet") return [];
  const spec = at(object, "spec") ?? {};
  const note = (about: string, message: string): ManifestFinding => ({
    severity: "note",
    about,
    message,
    fix: [],
  });
  const parallel = spec["podManagementPolicy"] === "Parallel";
  const ordered = "pods start one after the other, but a meta group needs a majority to elect a leader";
  const onDelete = at(spec, "updateStrategy")?.["type"] === "OnDelete";
  const byHand = "a change takes effect only after somebody deletes each pod, one at a time";
  return [
    ...(parallel ? [] : [note("podManagementPolicy", ordered)]),
    ...(onDelete ? [note("updateStrategy", byHand)] : []),
  ];
}
