import type { ManifestFinding, NatsContainer, Severity } from "../lib/domain/advice/probes/probe-manifest-facts.ts";
import { describeResolvers } from "../lib/domain/claims/resolver-kind.ts";
import type { Evidence, Layer } from "../lib/domain/doctor/layers-facts.ts";
import { describeMode, type RunMode } from "../lib/domain/ladder/mode.ts";
import { PANICS_AT_ELECTION } from "../lib/domain/verdict/defects.ts";
import type { Health } from "../lib/domain/verdict/verdict.ts";
import type { Diagnosis, VersionDefects } from "../lib/usecases/reports/doctor.ts";
import { colors } from "./colors.ts";
import { paint } from "./levels.ts";
import { renderChecks } from "./render-checks.ts";

/** What people read of `relight doctor`: a line for each layer, and under it only what is not well. */

export interface ManifestReport {
  readonly file: string;
  readonly containers: readonly NatsContainer[];
}

export interface DoctorReport {
  readonly cluster: Diagnosis | undefined;
  readonly manifests: readonly ManifestReport[];
  /** Where the configuration was read. */
  readonly mode?: RunMode;
}

const MARKS: Readonly<Record<Health, string>> = { healthy: "✓", degraded: "!", dead: "✗", unknown: "?" };

const SEVERITIES: Readonly<Record<Severity, string>> = {
  critical: colors.red("✗ critical"),
  warning: colors.yellow("! warning"),
  note: colors.dim("· note"),
};

export function renderDoctor({ cluster, manifests, mode }: DoctorReport): string[] {
  const seen =
    cluster === undefined
      ? [colors.dim("the cluster was not looked at: there is no configuration here (--config FILE)")]
      : renderDiagnosis(cluster);
  const may = mode === undefined ? [] : ["", colors.dim(describeMode(mode))];
  return [...seen, ...may, ...manifests.flatMap(renderManifest)];
}

function renderDiagnosis(diagnosis: Diagnosis): readonly string[] {
  return [
    `the cluster is ${paint(diagnosis.verdict)}`,
    ...diagnosis.layers.flatMap(renderLayer),
    ...renderChecks(diagnosis.checks),
    ...diagnosis.warnings.map(({ about, message }) => `  ${colors.yellow("·")} ${about}: ${message}`),
    ...(diagnosis.resolvers.length === 0 ? [] : [`accounts come from: ${describeResolvers(diagnosis.resolvers)}`]),
    ...renderWarning(diagnosis),
    ...renderHealthz(diagnosis),
    ...diagnosis.versions.flatMap(renderVersion),
  ];
}

function renderLayer({ title, verdict, evidence }: Layer): readonly string[] {
  const worse = evidence.filter(({ health }) => health !== "healthy");
  const line = `${paint(verdict, `${MARKS[verdict]} ${verdict.padEnd(8)}`)} ${title}`;
  // Of a healthy layer one line is enough; of any other, all that makes it so.
  const [first] = evidence;
  if (worse.length > 0) return [line, ...worse.map(renderEvidence)];
  const more = evidence.length > 1 ? ` (and ${evidence.length - 1} more)` : "";
  return [first === undefined ? line : `${line}: ${colors.dim(`${lineOf(first)}${more}`)}`];
}

const lineOf = ({ about, message }: Evidence): string => (about === undefined ? message : `${about}: ${message}`);

const renderEvidence = (evidence: Evidence): string =>
  `    ${paint(evidence.health, MARKS[evidence.health])} ${lineOf(evidence)}`;

function renderWarning({
  doNotRestart,
  noServerWouldStart,
  notStored,
  emptied,
  versions,
}: Diagnosis): readonly string[] {
  if (doNotRestart.length === 0) return [];
  return [
    "",
    colors.red(colors.bold("DO NOT RESTART ANY SERVER NOW")),
    ...noServerWouldStart.flatMap((name) => [
      `  ${name}: the claims of the system account have JetStream, and no server starts with them.`,
      `  Take it away first: relight jetstream limits ${name} --memory 0 --storage 0`,
    ]),
    ...notStored.flatMap((name) => [
      `  ${name}: the resolver lacks its JWT, and a server that starts now refuses its clients.`,
      `  Push it again first: relight heal ${name}`,
    ]),
    ...emptied.flatMap((name) => [
      `  ${name}: a server that starts again empties its streams (nats-server #6753).`,
      `  Which, and what helps: relight verify ${name}`,
    ]),
    ...renderExpired(
      doNotRestart.filter((name) => ![...noServerWouldStart, ...notStored, ...emptied].includes(name)),
      versions,
    ),
  ];
}

function renderExpired(expired: readonly string[], versions: Diagnosis["versions"]): readonly string[] {
  const [first] = expired;
  if (first === undefined) return [];
  const names = expired.join(", ");
  return [
    `  ${names}: expired, and has streams or may have some. A server of a cluster that starts meanwhile does not`,
    "  take them up, and they stay broken after the renewal, on the newest versions too.",
    ...versions
      .filter(panicsAtElection)
      .map(
        ({ version, servers }) =>
          `  And those of ${version} (${servers.join(", ")}) then panic at each election of the meta leader.`,
      ),
    `  Renew first, restart second: relight heal ${first}`,
  ];
}

const panicsAtElection = ({ defects }: VersionDefects): boolean =>
  defects.some(({ issue }) => issue === PANICS_AT_ELECTION);

function renderHealthz({ healthz }: Diagnosis): readonly string[] {
  if (healthz.length === 0) return [];
  return [
    "",
    `${colors.yellow("!")} the full /healthz fails; a liveness or startup probe that asks it restarts the server:`,
    ...healthz.map(({ where, message }) => `    ${where}: ${message}`),
    "  Let those probes ask /healthz?js-enabled-only=true (relight doctor --manifest FILE checks them)",
  ];
}

function renderVersion({ version, servers, defects }: VersionDefects): readonly string[] {
  if (defects.length === 0) return ["", `nats-server ${version}: no defect is known that Relight has to do with`];
  return [
    "",
    `${colors.yellow("!")} nats-server ${version} (${servers.join(", ")}) carries known defects; upgrade:`,
    ...defects.map(({ issue, title, fixedIn }) => `    ${issue} ${title} (fixed in ${fixedIn.join(" and ")})`),
  ];
}

function renderManifest({ file, containers }: ManifestReport): readonly string[] {
  return ["", `${colors.bold(file === "-" ? "standard input" : file)}`, ...containers.flatMap(renderContainer)];
}

function renderContainer({ workload, container, image, version, findings }: NatsContainer): readonly string[] {
  const tag = version === undefined ? "version unknown" : `version ${version}`;
  const head = `  ${workload}, container ${container} (${image}, ${tag})`;
  if (findings.length === 0) return [head, `    ${colors.green("✓")} its probes are as they should be`];
  return [head, ...findings.flatMap(renderFinding)];
}

function renderFinding({ severity, about, message, fix }: ManifestFinding): readonly string[] {
  return [
    `    ${SEVERITIES[severity]} ${about} ${message}`,
    ...fix.map((line, index) => `      ${colors.cyan(index === 0 ? "fix" : "   ")} ${line}`),
  ];
}
