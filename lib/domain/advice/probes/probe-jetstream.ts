import { isJsonObject, type JsonObject } from "../../time/json.ts";
import { entryOf, mapOf } from "../server-config/nats-config.ts";
import { parseNatsConfig } from "../server-config/nats-config-parser.ts";
import { environmentOf } from "./probe-server.ts";

/** Whether a server of a manifest has JetStream, as far as the manifest tells. */
export type JetStreamUse = "on" | "off" | "unknown";

interface Pod {
  readonly spec: JsonObject;
  readonly namespace: unknown;
}

/** `command` starts the server; `documents` are all that the manifest holds, with the ConfigMaps that pods mount. */
export function jetStreamUse(
  command: string,
  container: JsonObject,
  pod: Pod,
  documents: readonly JsonObject[],
): JetStreamUse {
  if (/(?:^|\s)(?:-js|--?jetstream|--?sd|--?store_dir)(?=[\s=]|$)/.test(command)) return "on";
  const file = /(?:^|\s)--?c(?:onfig)?[\s=]+["']?([^\s"']+)/.exec(command)?.[1];
  if (file !== undefined) return inConfig(file, container, pod, documents);
  // Without arguments the image names a file, which may be mounted; with some, but none for a file, there is none.
  return command === "" ? "unknown" : "off";
}

function inConfig(path: string, container: JsonObject, pod: Pod, documents: readonly JsonObject[]): JetStreamUse {
  const files = mountedFiles(container, pod, documents);
  const text = files.get(path);
  if (text === undefined) return "unknown";
  const environment = environmentOf(container);
  const parsed = parseNatsConfig(
    { file: path, text },
    {
      include: (from, name) => {
        const file = decodeURI(new URL(name, `file://${from}`).pathname);
        const included = files.get(file);
        return included === undefined ? undefined : { file, text: included };
      },
      variable: (name) => environment.get(name),
    },
  );
  if (!parsed.ok) return "unknown";
  const value = entryOf(parsed.root, "jetstream");
  if (value === undefined) return "off";
  if (value.kind === "map") {
    const enabled = entryOf(mapOf(value), "enable", "enabled");
    return enabled?.kind === "boolean" && !enabled.value ? "off" : "on";
  }
  if (value.kind === "boolean") return value.value ? "on" : "off";
  return value.kind === "string" && /^disabled?$/i.test(value.value) ? "off" : "on";
}

const listOf = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);
const mapAt = (object: JsonObject, key: string): JsonObject => {
  const value = object[key];
  return isJsonObject(value) ? value : {};
};

/** The files of ConfigMaps in the manifest, by their paths in the container. */
function mountedFiles(
  container: JsonObject,
  { spec, namespace }: Pod,
  documents: readonly JsonObject[],
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const { name, mountPath, subPath } of listOf(container["volumeMounts"])) {
    const volume = listOf(spec["volumes"]).find((one) => one["name"] === name) ?? {};
    for (const [key, text] of filesOf(volume, namespace, documents)) {
      const isOne = typeof subPath === "string" && subPath !== "";
      if (isOne && subPath !== key) continue;
      files.set(isOne ? String(mountPath) : `${String(mountPath).replace(/\/$/, "")}/${key}`, text);
    }
  }
  return files;
}

/** What a volume takes from ConfigMaps, also if it is projected from several. */
function filesOf(
  volume: JsonObject,
  namespace: unknown,
  documents: readonly JsonObject[],
): readonly (readonly [string, string])[] {
  const sources = [volume, ...listOf(mapAt(volume, "projected")["sources"])].map((one) => mapAt(one, "configMap"));
  return sources.flatMap((source) => {
    const map = documents.find(
      ({ kind, metadata }) =>
        kind === "ConfigMap" &&
        isJsonObject(metadata) &&
        metadata["name"] === source["name"] &&
        (metadata["namespace"] ?? namespace) === (namespace ?? metadata["namespace"]),
    );
    const items = listOf(source["items"]);
    return Object.entries(mapAt(map ?? {}, "data")).flatMap(([key, text]) => {
      const path = items.length === 0 ? key : items.find((item) => item["key"] === key)?.["path"];
      return typeof text === "string" && typeof path === "string" ? [[path, text] as const] : [];
    });
  });
}
