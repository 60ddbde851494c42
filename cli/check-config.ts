import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { ConfigFinding } from "../lib/domain/advice/server-config/leaf-config-findings.ts";
import { counted } from "../lib/domain/time/text.ts";
import { epochMillis } from "../lib/domain/time/time.ts";
import { EXIT, type ExitCode } from "../lib/errors.ts";
import { readText, type UnreadableFile } from "../lib/files/read-text.ts";
import {
  type ConfigCheck,
  type ConfigFiles,
  checkConfig,
  type FileRead,
} from "../lib/usecases/reports/check-config.ts";
import { colors } from "./colors.ts";
import type { CommandResult } from "./session.ts";

/** `relight check-config FILE...`: needs neither a configuration of Relight nor a connection. */
export function checkConfigFiles(files: readonly string[]): CommandResult {
  const check = checkConfig(files, { now: epochMillis(Date.now()), world: FILES });
  const { unchecked, findings } = check;
  const json = {
    files: check.files,
    findings: findings.map(({ at, advice: fix, ...rest }) => ({ ...rest, fix, ...at })),
    unchecked: unchecked.map(({ at, problem }) => ({ ...at, problem })),
  };
  return { json, lines: () => render(check), exit: exitOf(check) };
}

const FILES: ConfigFiles = {
  read: readFile,
  beside: (file, path) => join(dirname(file), path),
  expand: expandPath,
  variable: (name) => process.env[name],
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
function expandPath(path: string): string {
  const expanded = path.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced?: string, bare?: string) => {
    return process.env[braced ?? bare ?? ""] ?? "";
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
    ({ at, problem }) => `${at.file}:${at.line}: ${colors.magenta("not checked")}: ${problem}`,
  );
  return [...faults, ...findings.flatMap(renderFinding), summary(files.length, errors, findings.length - errors)];
}

function renderFinding({ at, severity, code, problem, meaning, likely, advice }: ConfigFinding): string[] {
  const mark = severity === "error" ? colors.red("error") : colors.yellow("warning");
  return [
    `${at.file}:${at.line}: ${mark}: ${problem} ${colors.dim(code)}`,
    `  means:  ${meaning}`,
    `  likely: ${likely}`,
    `  fix:    ${advice}`,
  ];
}

function summary(files: number, errors: number, warnings: number): string {
  return `${counted(files, "file")}: ${counted(errors, "error")}, ${counted(warnings, "warning")}`;
}
