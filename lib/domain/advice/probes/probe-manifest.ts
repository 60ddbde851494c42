import { satisfies } from "semver";
import { isJsonObject, type JsonObject } from "../../time/json.ts";
import { DEFECTS } from "../../verdict/defects.ts";
import type { Exposure, ManifestFinding, NatsContainer } from "./probe-manifest-facts.ts";
import { probeFindings } from "./probe-manifest-rules.ts";

/** Checks every container that runs nats-server in parsed Kubernetes objects, including lists. */
export function checkManifest(documents: readonly unknown[]): readonly NatsContainer[] {
  return documents.flatMap(unpack).flatMap((object) => {
    const pod = podSpec(object);
    if (pod === undefined) return [];
    return containersOf(pod)
      .filter(runsNats)
      .map((container) => check(object, pod, container));
  });
}

/** Unpacks `kind: List`, the output of `kubectl get -o yaml` for several objects. */
function unpack(document: unknown): readonly JsonObject[] {
  if (!isJsonObject(document)) return [];
  const items = document["items"];
  const isList = String(document["kind"] ?? "").endsWith("List");
  return isList && Array.isArray(items) ? items.flatMap(unpack) : [document];
}

const WITH_TEMPLATE = ["StatefulSet", "Deployment", "DaemonSet", "ReplicaSet"];

function podSpec(object: JsonObject): JsonObject | undefined {
  const kind = String(object["kind"] ?? "");
  if (kind === "Pod") return at(object, "spec");
  return WITH_TEMPLATE.includes(kind) ? at(object, "spec", "template", "spec") : undefined;
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

/** Judges by the command, the image or the container's name. Exporters, reloaders and nats-box are not servers. */
function runsNats(container: JsonObject): boolean {
  const { repository } = parseImage(String(container["image"] ?? ""));
  const command = Array.isArray(container["command"]) ? container["command"].map(String) : [];
  const starts = command.some((word) => /(^|[/\s;&])nats-server(\s|$)/.test(word));
  const called = [repository, String(container["name"] ?? "")].some((name) => /(^|\/)nats(-server)?$/.test(name));
  return starts || (command.length === 0 && called);
}

/** Parses `registry:5000/library/nats:2.10.27-alpine@sha256:…`. */
export function parseImage(image: string): { repository: string; version: string | undefined } {
  const [name = ""] = image.split("@");
  const colon = name.lastIndexOf(":");
  const tagged = colon > name.lastIndexOf("/");
  const tag = tagged ? name.slice(colon + 1) : "";
  const [, version] = /^v?(\d+\.\d+(?:\.\d+(?:-(?:rc|preview|beta|alpha|dev)[.\d]*)?)?)(?![.\d])/i.exec(tag) ?? [];
  return { repository: tagged ? name.slice(0, colon) : name, version };
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

function check(object: JsonObject, pod: JsonObject, container: JsonObject): NatsContainer {
  const metadata = at(object, "metadata") ?? {};
  const name = String(metadata["name"] ?? metadata["generateName"] ?? "without a name");
  const namespace = metadata["namespace"];
  const image = String(container["image"] ?? "");
  const { version } = parseImage(image);
  return {
    workload: `${object["kind"]} ${namespace === undefined ? "" : `${namespace}/`}${name}`,
    container: String(container["name"] ?? ""),
    image,
    version,
    findings: [...probeFindings(container, exposureOf(version)), ...graceFindings(pod), ...notes(object)],
  };
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
