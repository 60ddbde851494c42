import { satisfies } from "semver";
import { isJsonObject, type JsonObject } from "../../time/json.ts";
import { DEFECTS } from "../../verdict/defects.ts";
import type { Exposure, ManifestFinding, NatsContainer } from "./probe-manifest-facts.ts";
import { probeFindings } from "./probe-manifest-rules.ts";

/** Checks every container that runs nats-server in Kubernetes objects as they were parsed, lists unpacked. */
export function checkManifest(documents: readonly unknown[]): readonly NatsContainer[] {
  return documents.flatMap(unpack).flatMap((object) => {
    const pod = podSpec(object);
    if (pod === undefined) return [];
    return containersOf(pod)
      .filter(runsNats)
      .map((container) => check(object, pod, container));
  });
}

/** `kind: List`, as `kubectl get -o yaml` gives for several objects. */
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

/** The containers that keep running: an init container does so only as a sidecar. */
function containersOf(pod: JsonObject): readonly JsonObject[] {
  const list = (key: string): readonly JsonObject[] => {
    const value = pod[key];
    return Array.isArray(value) ? value.filter(isJsonObject) : [];
  };
  return [
    ...list("containers"),
    ...list("initContainers").filter(({ restartPolicy }) => restartPolicy === "Always"),
  ];
}

/** By what is started, the image or the container's name; exporters, reloaders and nats-box are no servers. */
function runsNats(container: JsonObject): boolean {
  const { repository } = parseImage(String(container["image"] ?? ""));
  const command = Array.isArray(container["command"]) ? container["command"].map(String) : [];
  const starts = command.some((word) => /(^|[/\s;&])nats-server(\s|$)/.test(word));
  const called = [repository, String(container["name"] ?? "")].some((name) =>
    /(^|\/)nats(-server)?$/.test(name),
  );
  return starts || (command.length === 0 && called);
}

/** `registry:5000/library/nats:2.10.27-alpine@sha256:…` in its parts. */
export function parseImage(image: string): { repository: string; version: string | undefined } {
  const [name = ""] = image.split("@");
  const colon = name.lastIndexOf(":");
  const tagged = colon > name.lastIndexOf("/");
  const tag = tagged ? name.slice(colon + 1) : "";
  const [, version] =
    /^v?(\d+\.\d+(?:\.\d+(?:-(?:rc|preview|beta|alpha|dev)[.\d]*)?)?)(?![.\d])/i.exec(tag) ?? [];
  return { repository: tagged ? name.slice(0, colon) : name, version };
}

/** A tag such as `2.10` floats: it says something only where every release of that line is alike. */
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

/** Seconds in which a server in lame duck mode hands its clients and leaders over; Kubernetes' default is 30. */
const GRACE = 60;

function graceFindings(pod: JsonObject): readonly ManifestFinding[] {
  const about = "terminationGracePeriodSeconds";
  const seconds = pod[about];
  if (typeof seconds === "number" && seconds >= GRACE) return [];
  const set = seconds === undefined ? "is not set (Kubernetes waits 30 s)" : `is ${seconds}`;
  const message = `${set}: a server in lame duck mode is killed before it has handed over; ${GRACE} s or more`;
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
  const byHand = "a change takes effect only as each pod is deleted: somebody must, one at a time";
  return [
    ...(parallel ? [] : [note("podManagementPolicy", ordered)]),
    ...(onDelete ? [note("updateStrategy", byHand)] : []),
  ];
}
