import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { ConfigFinding } from "../lib/domain/advice/server-config/leaf-config-findings.ts";
import { counted } from "../lib/domain/time/text.ts";
import { epochMillis } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import { type FoundFile, findFiles } from "../lib/files/find-files.ts";
import { readStream, readText, type UnreadableFile } from "../lib/files/read-text.ts";
import {
  type ConfigCheck,
  type ConfigFiles,
  type ConfigInput,
  checkConfig,
  type FileRead,
} from "../lib/usecases/reports/check-config.ts";
import { colors } from "./colors.ts";
import { configMapEntries, isKubernetes } from "./config-maps.ts";
import { sarifOf } from "./sarif.ts";
import type { CommandResult } from "./session.ts";

export interface CheckConfigOptions {
  readonly env: readonly string[];
  readonly offline: boolean;
  readonly sarif: boolean;
}

/** `relight check-config FILE...`: needs neither a configuration of Relight nor a connection. @throws RelightError `usage` */
export async function checkConfigFiles(
  names: readonly string[],
  { env, offline, sarif }: CheckConfigOptions,
): Promise<CommandResult> {
  const texts = new Map<string, string>();
  const given = new Map(env.map(readSetting));
  const world = worldOf(texts, given);
  const inputs: ConfigInput[] = [];
  for (const name of names) inputs.push(...(await inputsOf(name, texts, world)));
  const check = checkConfig(inputs, { now: epochMillis(Date.now()), world, offline });
  if (check.files.length === 0)
    throw new RelightError(
      "usage",
      `there is no nats-server configuration in ${names.join(", ")} (*.conf, ConfigMaps)`,
    );
  if (sarif) return { json: sarifOf(check), lines: () => linesOfJson(sarifOf(check)), exit: exitOf(check) };
  const { unchecked, findings } = check;
  const json = {
    files: check.files,
    findings: findings.map(({ at, advice: fix, ...rest }) => ({ ...rest, fix, ...at })),
    unchecked: unchecked.map(({ at, problem }) => ({ ...at, problem })),
  };
  return { json, lines: () => render(check), exit: exitOf(check) };
}

const linesOfJson = (document: object): string[] => JSON.stringify(document, null, 2).split("\n");

function readSetting(text: string): readonly [string, string] {
  const [, name, value] = /^([A-Za-z_]\w*)=([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new RelightError("usage", "--env takes NAME=VALUE, such as --env SERVER_NAME=n1");
  return [name, value];
}

/** What configurations are called in folders; Kubernetes objects may hold some. */
const CONFIG_NAMES = /\.(?:conf|cfg|ya?ml|json)$/i;

/** The configurations that a name stands for: files, those in folders, or parts of Kubernetes objects. */
async function inputsOf(name: string, texts: Map<string, string>, world: ConfigFiles): Promise<readonly ConfigInput[]> {
  const inputs: ConfigInput[] = [];
  for (const { path, named } of found(name)) {
    if (path === "-") texts.set(path, await readStream(process.stdin));
    const file = world.read(path);
    const entries = file.ok && isKubernetes(file.text) ? configMapEntries(path, file.text) : [];
    inputs.push(...(entries.length > 0 ? entries : [{ file: path, named }]));
  }
  return inputs;
}

function found(name: string): readonly FoundFile[] {
  try {
    return findFiles([name], CONFIG_NAMES);
  } catch (cause) {
    throw new RelightError("usage", `${name} ${(cause as Error).message}`, { cause });
  }
}

/** Files and variables of this machine; `given` variables first, and `texts` that were read already. */
const worldOf = (texts: ReadonlyMap<string, string>, given: ReadonlyMap<string, string>): ConfigFiles => {
  const variable = (name: string): string | undefined => given.get(name) ?? process.env[name];
  return {
    read: (path) => {
      const text = texts.get(path);
      return text === undefined ? readFile(path) : { ok: true, text };
    },
    beside: (file, path) => join(dirname(file), path),
    expand: (path) => expandPath(path, variable),
    variable,
  };
};

function readFile(path: string): FileRead {
  try {
    return { ok: true, text: readText(path) };
  } catch (error) {
    const { why, message } = error as UnreadableFile;
    return { ok: false, missing: why === "missing", why: message };
  }
}

/** As the server expands it (`expandPath` in server/opts.go). */
function expandPath(path: string, variable: (name: string) => string | undefined): string {
  const expanded = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced?: string, bare?: string) => {
    return variable(braced ?? bare ?? "") ?? "";
  });
  return expanded.startsWith("~") ? join(homedir(), expanded.slice(1)) : expanded;
}

/** Errors outrank what could not be checked, that outranks warnings: as everywhere in Relight. */
function exitOf({ findings, unchecked }: ConfigCheck): ExitCode {
  if (findings.some(({ severity }) => severity === "error")) return EXIT.critical;
  if (unchecked.length > 0) return EXIT.unknown;
  return findings.length > 0 ? EXIT.warning : EXIT.ok;
}

function render({ files, findings, unchecked }: ConfigCheck): string[] {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const faults = unchecked.map(
    ({ at, problem }) => `${at.file}:${at.line}:${at.column}: ${colors.magenta("not checked")}: ${problem}`,
  );
  return [...faults, ...findings.flatMap(renderFinding), summary(files.length, errors, findings.length - errors)];
}

function renderFinding({ at, severity, code, problem, meaning, likely, advice }: ConfigFinding): string[] {
  const mark = severity === "error" ? colors.red("error") : colors.yellow("warning");
  return [
    `${at.file}:${at.line}:${at.column}: ${mark}: ${problem} ${colors.dim(code)}`,
    `  means:  ${meaning}`,
    `  likely: ${likely}`,
    `  fix:    ${advice}`,
  ];
}

function summary(files: number, errors: number, warnings: number): string {
  return `${counted(files, "file")}: ${counted(errors, "error")}, ${counted(warnings, "warning")}`;
}
