import { isServerConfig, readServerConfig, type ServerConfig } from "../../domain/advice/server-config/leaf-config.ts";
import { type CredentialsFile, readCredentials } from "../../domain/advice/server-config/leaf-config-credentials.ts";
import type { ConfigFinding } from "../../domain/advice/server-config/leaf-config-findings.ts";
import { checkServers } from "../../domain/advice/server-config/leaf-config-sites.ts";
import type { Position } from "../../domain/advice/server-config/nats-config.ts";
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

/** A file that could not be checked. `at.line` is 1 for the whole file. */
export interface UncheckedFile {
  readonly at: Position;
  readonly problem: string;
}

export interface ConfigCheck {
  readonly files: readonly string[];
  readonly unchecked: readonly UncheckedFile[];
  readonly findings: readonly ConfigFinding[];
}

/** Checks nats-server configurations, each separately and those connected by leafnodes together. */
export function checkConfig(
  paths: readonly string[],
  { now, world }: { readonly now: EpochMillis; readonly world: ConfigFiles },
): ConfigCheck {
  const files = [...new Set(paths)];
  const read = files.map((file) => readConfig(file, world));
  const servers = read.flatMap((result) => ("server" in result ? [result.server] : []));
  const unchecked = read.flatMap((result) => ("server" in result ? [] : [result]));
  const credentialsAt = (path: string): CredentialsFile => readCredentialsFile(world.expand(path), world);
  return { files, unchecked, findings: checkServers(servers, { now, credentialsAt }) };
}

function readConfig(file: string, world: ConfigFiles): { readonly server: ServerConfig } | UncheckedFile {
  const begin = { file, line: 1 };
  const source = world.read(file);
  if (!source.ok) return { at: begin, problem: `the file ${source.why}` };
  const parsed = parseNatsConfig(
    { file, text: source.text },
    {
      include: (from, path) => {
        const included = world.beside(from, path);
        const content = world.read(included);
        return content.ok ? { file: included, text: content.text } : undefined;
      },
      variable: world.variable,
    },
  );
  if (!parsed.ok) return { at: parsed.at, problem: parsed.problem };
  if (!isServerConfig(parsed.root)) return { at: begin, problem: "it has none of nats-server's configuration keys" };
  return { server: readServerConfig(file, parsed.root) };
}

function readCredentialsFile(path: string, world: ConfigFiles): CredentialsFile {
  const file = world.read(path);
  if (file.ok) return readCredentials(file.text);
  return file.missing ? { kind: "missing" } : { kind: "unreadable", why: file.why };
}
