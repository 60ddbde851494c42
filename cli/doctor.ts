import { access } from "node:fs/promises";
import { parseAllDocuments } from "yaml";
import type { App } from "../lib/compose/compose.ts";
import { checkManifest } from "../lib/domain/advice/probes/probe-manifest.ts";
import { modeJson } from "../lib/domain/ladder/mode.ts";
import { EXIT, type ExitCode, RelightError } from "../lib/errors.ts";
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
  const manifests: ManifestReport[] = [];
  for (const file of files) manifests.push(await readManifest(file));
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
    ...severities.map((severity) => ({ critical: EXIT.critical, warning: EXIT.warning, note: EXIT.ok })[severity]),
  ]);
}

const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const nameOf = (file: string): string => (file === "-" ? "standard input" : file);

/** Reads a manifest of one or more YAML documents (`-`: standard input), and checks it. */
async function readManifest(file: string): Promise<ManifestReport> {
  const text = await readInput(file).catch((cause: unknown) => {
    throw new RelightError("manifest.invalid", `the manifest ${file} ${(cause as Error).message}`, { cause });
  });
  const containers = checkManifest(parseYaml(text, file));
  if (containers.length > 0) return { file, containers };
  const message = `${nameOf(file)} holds no StatefulSet, Deployment, DaemonSet or Pod that runs nats-server`;
  throw new RelightError("manifest.invalid", message);
}

function parseYaml(text: string, file: string): readonly unknown[] {
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
