import { access } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import type { App } from "../lib/compose/compose.ts";
import { checkManifest } from "../lib/domain/advice/probes/probe-manifest.ts";
import { modeJson } from "../lib/domain/ladder/mode.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
import { type FoundFile, findFiles } from "../lib/files/find-files.ts";
import { diagnose } from "../lib/usecases/reports/doctor.ts";
import { EXIT_OF, worstExit } from "./levels.ts";
import { nagiosDoctor } from "./nagios.ts";
import { type DoctorReport, type ManifestReport, renderDoctor } from "./render-doctor.ts";
import { type CommandResult, type GlobalOptions, print, readInput, runCommand } from "./session.ts";

/** `relight doctor`: the layers of a cluster's health, and what its Kubernetes probes would do to it. */

/**
 * Manifests are read first: what can't be read ends it before the cluster is bothered. Without a
 * configuration, which nobody named, manifests are all that is looked at.
 * @throws RelightError `manifest.invalid`
 */
export async function runDoctor(
  options: GlobalOptions & { readonly configNamed: boolean },
  files: readonly string[],
): Promise<ExitCode> {
  const manifests = await readManifests(files);
  if (manifests.length > 0 && !options.configNamed && !(await exists(options.config)))
    return print(options, resultOf({ cluster: undefined, manifests }));
  return runCommand(options, "looking at every layer", (app) => doctor(app, manifests));
}

async function doctor(app: App, manifests: readonly ManifestReport[]): Promise<CommandResult> {
  return resultOf({ cluster: await diagnose(app), manifests, mode: app.mode });
}

function resultOf(report: DoctorReport): CommandResult {
  const { cluster, manifests, mode } = report;
  const json = { ...(mode && { mode: modeJson(mode) }), cluster: cluster ?? null, manifests };
  return { json, lines: () => renderDoctor(report), exit: exitOf(report), nagios: () => nagiosDoctor(report) };
}

function exitOf({ cluster, manifests }: DoctorReport): ExitCode {
  const severities = manifests.flatMap(({ containers }) =>
    containers.flatMap(({ findings }) => findings.map(({ severity }) => severity)),
  );
  return worstExit([
    ...(cluster === undefined ? [] : [EXIT_OF[cluster.verdict]]),
    ...(cluster !== undefined && cluster.healthz.length > 0 ? [EXIT.warning] : []),
    ...(cluster?.checks.some(({ severity }) => severity === "critical") ? [EXIT.warning] : []),
    ...severities.map((severity) => ({ critical: EXIT.critical, warning: EXIT.warning, note: EXIT.ok })[severity]),
  ]);
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const nameOf = (file: string): string => (file === "-" ? "standard input" : file);

/** What Kubernetes objects are called in folders. */
const MANIFEST_NAMES = /\.(?:ya?ml|json)$/i;

interface Manifest {
  readonly file: string;
  readonly documents: readonly unknown[];
}

/**
 * Reads manifests of one or more YAML documents: files, folders, patterns, or standard input (`-`). A file that was found
 * in a folder may be about something else.
 */
async function readManifests(names: readonly string[]): Promise<readonly ManifestReport[]> {
  const read: (readonly Manifest[])[] = [];
  for (const name of names) read.push(await readName(name));
  const all = read.flat().flatMap(({ documents }) => documents);
  return read.flatMap((manifests, index) => {
    const own = manifests.map(({ file, documents }) => ({ file, containers: checkManifest(documents, all) }));
    const running = own.filter(({ containers }) => containers.length > 0);
    if (running.length === 0) throw without(names[index] ?? "");
    return running;
  });
}

async function readName(name: string): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = [];
  for (const { path, named } of found(name))
    manifests.push({ file: path, documents: parseYaml(await readManifest(path), path, named) });
  return manifests;
}

function found(name: string): readonly FoundFile[] {
  try {
    return findFiles([name], MANIFEST_NAMES);
  } catch (cause) {
    throw new RelightError("manifest.invalid", `${name} ${(cause as Error).message}`, { cause });
  }
}

const without = (name: string): RelightError =>
  new RelightError(
    "manifest.invalid",
    `${nameOf(name)} holds no StatefulSet, Deployment, DaemonSet or Pod that runs nats-server`,
  );

const readManifest = (file: string): Promise<string> =>
  readInput(file).catch((cause: unknown) => {
    throw new RelightError("manifest.invalid", `the manifest ${file} ${(cause as Error).message}`, { cause });
  });

/** Templates in a folder of a chart are no YAML, and stand for nothing before they are rendered. */
function parseYaml(text: string, file: string, named: boolean): readonly unknown[] {
  if (!named && /\{\{/.test(text)) return [];
  const fail = (cause: Error): never => {
    const [reason = ""] = cause.message.split("\n");
    const templated = /\{\{/.test(text) ? " (a Helm template? render it first: helm template)" : "";
    throw new RelightError("manifest.invalid", `${nameOf(file)} is not YAML: ${reason}${templated}`, {
      cause,
    });
  };
  try {
    const documents = parseAllDocuments(text);
    if (!Array.isArray(documents)) return [];
    return documents.map((document) => {
      const [error] = document.errors;
      return error === undefined ? document.toJS() : fail(error);
    });
  } catch (thrown) {
    if (thrown instanceof RelightError) throw thrown;
    return fail(thrown as Error);
  }
}
