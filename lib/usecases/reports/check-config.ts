import { isServerConfig, readServerConfig, type ServerConfig } from "../../domain/advice/server-config/leaf-config.ts";
import { type CredentialsFile, readCredentials } from "../../domain/advice/server-config/leaf-config-credentials.ts";
import type { ConfigFinding } from "../../domain/advice/server-config/leaf-config-findings.ts";
import { checkServers } from "../../domain/advice/server-config/leaf-config-sites.ts";
import type { ConfigSource, Position } from "../../domain/advice/server-config/nats-config.ts";
import { parseNatsConfig } from "../../domain/advice/server-config/nats-config-parser.ts";
import type { EpochMillis } from "../../domain/time/time.ts";

export type FileRead =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly missing: boolean; readonly why: string };

/** Files and variables that configurations refer to, as a server on this machine would see them. */
export interface ConfigFiles {
  read(path: string): FileRead;
  /** Resolves `path` from the folder of `file`. */
  beside(file: string, path: string): string;
  /** Expands `~` and environment variables in a path. */
  expand(path: string): string;
  variable(name: string): string | undefined;
}

/** A file that could not be checked, or what in it could not: then the rest was. `at.line` is 1 for the whole file. */
export interface UncheckedFile {
  readonly at: Position;
  readonly problem: string;
}

export interface ConfigCheck {
  readonly files: readonly string[];
  readonly unchecked: readonly UncheckedFile[];
  readonly findings: readonly ConfigFinding[];
}

/** A configuration to check. */
export interface ConfigInput {
  readonly file: string;
  /** Whether a person named it; what was only found may be about something else. */
  readonly named: boolean;
  /** If it is a part of the file, such as an entry of a ConfigMap: its text, its place, and what it may include. */
  readonly part?: ConfigSource & { readonly beside: ReadonlyMap<string, string> };
}

export interface CheckOptions {
  readonly now: EpochMillis;
  readonly world: ConfigFiles;
  /** Whether this is not the server's machine, so that credentials files may be missing. */
  readonly offline?: boolean;
}

/** Checks nats-server configurations, each separately and those connected by leafnodes together. */
export function checkConfig(
  inputs: readonly (string | ConfigInput)[],
  { now, world, offline = false }: CheckOptions,
): ConfigCheck {
  const read = withoutFragments(inputsOf(inputs).map((input) => readConfig(input, world)));
  const credentialsAt = (path: string): CredentialsFile | undefined => {
    const file = readCredentialsFile(world.expand(path), world);
    return offline && (file.kind === "missing" || file.kind === "unreadable") ? undefined : file;
  };
  const servers = read.flatMap(({ server }) => server ?? []);
  return {
    files: [...new Set(read.map(({ file }) => file))],
    unchecked: read.flatMap(({ unchecked }) => unchecked),
    findings: checkServers(servers, { now, credentialsAt }),
  };
}

/** Each input once. */
function inputsOf(inputs: readonly (string | ConfigInput)[]): readonly ConfigInput[] {
  const all = inputs.map((input) => (typeof input === "string" ? { file: input, named: true } : input));
  const keys = all.map(({ file, part }) => JSON.stringify([file, part?.begin ?? null]));
  return all.filter((_input, index) => keys.indexOf(keys[index] ?? "") === index);
}

interface Read {
  readonly file: string;
  readonly named: boolean;
  readonly server?: ServerConfig;
  readonly unchecked: readonly UncheckedFile[];
  readonly includes: readonly string[];
}

/** Without what was only found and is no configuration of a server, or a fragment that another one includes. */
function withoutFragments(all: readonly Read[]): readonly Read[] {
  const included = new Set(all.flatMap(({ includes }) => includes));
  return all.filter(({ file, named, server, unchecked }) => {
    if (named) return true;
    return !included.has(file) && (server !== undefined || unchecked.length > 0);
  });
}

/** Words that only nats-server's configurations have; a found file that can't be parsed may be another program's. */
const TYPICAL = /\b(?:jetstream|leafnodes?|server_name|nats-leaf:|nats:\/\/|system_account|resolver_preload)\b/;

function readConfig({ file, named, part }: ConfigInput, world: ConfigFiles): Read {
  const begin = { file, line: part?.begin?.line ?? 1, column: 1 };
  const content: FileRead = part === undefined ? world.read(file) : { ok: true, text: part.text };
  const includes: string[] = [];
  const unchecked: UncheckedFile[] = [];
  const result = { file, named, unchecked, includes };
  if (!content.ok) return { ...result, unchecked: [{ at: begin, problem: `the file ${content.why}` }] };
  const source = part ?? { file, text: content.text };
  const parsed = parseNatsConfig(source, {
    include: (from, path) => {
      const included = readInclude(from, path, part, world);
      if (included !== undefined) includes.push(included.file);
      return included;
    },
    variable: world.variable,
    unknownVariable: (at) => unchecked.push({ at, problem: UNKNOWN_VARIABLE }),
  });
  if (!parsed.ok) {
    const isOther = !named && !TYPICAL.test(content.text);
    return { ...result, unchecked: isOther ? [] : [{ at: parsed.at, problem: parsed.problem }] };
  }
  if (isServerConfig(parsed.root)) return { ...result, server: readServerConfig(file, parsed.root) };
  const problem = "it has none of nats-server's configuration keys";
  return { ...result, unchecked: named ? [{ at: begin, problem }] : [] };
}

/** Does not show the name: it may be the start of an unquoted password. */
const UNKNOWN_VARIABLE =
  "a variable is neither defined above nor in the environment, so its value was not checked; give it with --env NAME=VALUE, or quote it if it is not a variable";

function readInclude(
  from: string,
  path: string,
  part: ConfigInput["part"],
  world: ConfigFiles,
): ConfigSource | undefined {
  const text = part?.beside.get(path.replace(/^\.\//, ""));
  if (text !== undefined) return { file: `${from}#${path}`, text };
  if (part !== undefined) return undefined;
  const file = world.beside(from, path);
  const content = world.read(file);
  return content.ok ? { file, text: content.text } : undefined;
}

function readCredentialsFile(path: string, world: ConfigFiles): CredentialsFile {
  const file = world.read(path);
  if (file.ok) return readCredentials(file.text);
  return file.missing ? { kind: "missing" } : { kind: "unreadable", why: file.why };
}
