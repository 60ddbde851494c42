import { isJsonObject, type JsonObject } from "../../time/json.ts";

/** Which containers run nats-server, and how it is started. */

const SHELL = /(?:^|\/)(?:sh|bash|ash|dash)$/;
/** The last part of an image's name that is nats-server's own. */
const OWN_IMAGE = /^nats(?:-server)?$/;
/** Other programs around NATS, whatever their containers are called. */
const OTHER_IMAGE =
  /(?:^|[-_])(?:box|exporter|reloader|surveyor|cli|tools?|controller|operator|streaming|bridge|connector|account-server|nack|top|kafka|rest|auth|callout|debug|init)(?:$|[-_])/;
/** Where a shell's script starts a program: after what ends or introduces a command, and after settings of variables. */
const STARTS =
  /(?:^|[\n;&|({]|\b(?:exec|then|do|else|nohup|sudo|time)\b|(?:tini|dumb-init)(?:\s+-\S*)*)\s*(?:\w+=\S*\s+)*(?:"|')?(?:\S*\/)?nats-server(?:"|')?(?=[\s;&|)]|$)/;

export interface Image {
  readonly repository: string;
  readonly version: string | undefined;
}

/** Parses `registry:5000/library/nats:2.10.27-alpine@sha256:…`. */
export function parseImage(image: string): Image {
  const [name = ""] = image.split("@");
  const colon = name.lastIndexOf(":");
  const tagged = colon > name.lastIndexOf("/");
  const tag = tagged ? name.slice(colon + 1) : "";
  const [, version] = /^v?(\d+\.\d+(?:\.\d+(?:-(?:rc|preview|beta|alpha|dev)[.\d]*)?)?)(?![.\d])/i.exec(tag) ?? [];
  return { repository: tagged ? name.slice(0, colon) : name, version };
}

const wordsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);
const lastOf = (repository: string): string => repository.slice(repository.lastIndexOf("/") + 1).toLowerCase();

/**
 * The command line that starts nats-server, as one text; undefined if the container runs something else. Empty if the
 * image decides. A command decides first, then the image, then the container's name.
 */
export function serverCommand(container: JsonObject): string | undefined {
  const line = commandLine(container);
  const image = lastOf(parseImage(String(container["image"] ?? "")).repository);
  const args = wordsOf(container["args"]).join(" ");
  if (line !== "") return STARTS.test(line) ? line : undefined;
  const [first = ""] = wordsOf(container["args"]);
  // The arguments may be another program's (`args: [sh, -c, …]`), which the image's entrypoint then runs.
  if (OWN_IMAGE.test(image)) return SHELL.test(first) ? serverCommand({ command: container["args"] ?? [] }) : args;
  const isNamed = /^nats(?:-server)?$/.test(String(container["name"] ?? ""));
  return isNamed && !OTHER_IMAGE.test(image) ? args : undefined;
}

/** `command` and `args`; of a shell's `-c` the script. Empty without a command, because then `args` belong to the image. */
function commandLine(container: JsonObject): string {
  const command = wordsOf(container["command"]);
  if (command.length === 0) return "";
  const words = [...command, ...wordsOf(container["args"])];
  const script = words.findIndex((word) => /^-\w*c$/.test(word));
  return SHELL.test(words[0] ?? "") && script > 0 ? (words[script + 1] ?? "") : words.join(" ");
}

/**
 * The version of nats-server; undefined if the image does not tell. A base image into which somebody put the server has a
 * version of its own.
 */
export function versionOf(container: JsonObject): string | undefined {
  const { repository, version } = parseImage(String(container["image"] ?? ""));
  const image = lastOf(repository);
  const isBase = wordsOf(container["command"]).length > 0 && !image.includes("nats");
  return isBase || OTHER_IMAGE.test(image) ? undefined : version;
}

/** The settings of a container's environment that stand in the manifest itself. */
export function environmentOf(container: JsonObject): ReadonlyMap<string, string> {
  const list = Array.isArray(container["env"]) ? container["env"].filter(isJsonObject) : [];
  return new Map(
    list.flatMap(({ name, value }) => (typeof value === "string" ? [[String(name), value] as const] : [])),
  );
}
