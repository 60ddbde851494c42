import { describeCheckSubject } from "../lib/domain/doctor/checks.ts";
import type { Expiring } from "../lib/domain/expiry/expiring.ts";
import { counted } from "../lib/domain/time/text.ts";
import type { Health, Verdict } from "../lib/domain/verdict/verdict.ts";
import type { ExitCode, RelightError } from "../lib/errors.ts";
import type { Survey } from "../lib/usecases/reports/survey.ts";
import { visible } from "./colors.ts";
import type { DoctorReport } from "./render-doctor.ts";
import { fitting } from "./table.ts";

/** `--nagios`: one line for monitoring plugins (monitoring-plugins.org), `RELIGHT OK - text | perfdata`. */
export interface NagiosText {
  readonly text: string;
  /** Performance data: whole numbers by their labels. */
  readonly data: Readonly<Record<string, number>>;
}

const STATES = ["OK", "WARNING", "CRITICAL", "UNKNOWN"] as const;
/** Columns of the text; monitors cut far later. */
const LONGEST = 500;
/** How many problems the line names; all are counted. */
const SHOWN = 3;

export function nagiosLine(exit: ExitCode, { text, data }: NagiosText): string {
  // A bar would begin the performance data, and plugins have one line.
  const plain = visible(text).replaceAll("|", "/").replace(/\s+/g, " ");
  const pairs = Object.entries(data).map(([label, value]) => `${label}=${value}`);
  const tail = pairs.length === 0 ? "" : ` | ${pairs.join(" ")}`;
  return `RELIGHT ${STATES[exit]} - ${fitting(plain, LONGEST)}${tail}`;
}

export const nagiosError = ({ code, message, exitCode, advice }: RelightError): string =>
  nagiosLine(exitCode, { text: `${message.split("\n").join("; ")} [${code}] ${advice}`, data: {} });

const HEALTHS: readonly Health[] = ["healthy", "degraded", "dead", "unknown"];

export function nagiosStatus(rows: readonly Survey[], expiring: readonly Expiring[]): NagiosText {
  const count = (health: Health): number => rows.filter(({ seen }) => seen.verdict.health === health).length;
  const counts = HEALTHS.map((health) => [health, count(health)] as const);
  const unwell = rows.toSorted((a, b) => urgency(b) - urgency(a)).flatMap(problemsOf);
  const problems = [...unwell, ...expiring.map(({ kind, what, message }) => `${kind} ${what}: ${message}`)];
  const left = rows.flatMap(({ window }) => (window !== undefined && "left" in window ? [window.left] : []));
  return {
    text: [
      `${counted(rows.length, "account")}: ${listOf(counts.filter(([, many]) => many > 0).map(([health, many]) => `${many} ${health}`))}`,
      ...named(problems),
    ].join("; "),
    data: {
      accounts: rows.length,
      ...Object.fromEntries(counts),
      // Seconds until the first account expires; negative once it has.
      ...(left.length === 0 ? {} : { next_expiry: Math.round(Math.min(...left) / 1000) }),
    },
  };
}

const urgency = ({ seen }: Survey): number => ["healthy", "degraded", "unknown", "dead"].indexOf(seen.verdict.health);

function problemsOf({ name, seen, decision, renewal, alarm }: Survey): readonly string[] {
  const [finding] = seen.verdict.findings;
  if (finding !== undefined) return [`${name}: ${finding.message}`];
  if (alarm !== "none") return [`${name} expires soon: ${decision.why}`];
  return renewal === undefined ? [] : [`${name}: its renewal is due`];
}

const listOf = (parts: readonly string[]): string => (parts.length === 0 ? "none" : parts.join(", "));

function named(problems: readonly string[]): readonly string[] {
  const hidden = problems.length - SHOWN;
  return [...problems.slice(0, SHOWN), ...(hidden > 0 ? [`and ${hidden} more`] : [])];
}

export function nagiosVerdict(name: string, { health, streams, consumers, findings, warnings }: Verdict): NagiosText {
  const what = `${counted(streams, "stream")}, ${counted(consumers, "consumer")}`;
  return {
    text: [`${name} is ${health}: ${what}`, ...named(findings.map(({ message }) => message))].join("; "),
    data: { streams, consumers, findings: findings.length, warnings: warnings.length },
  };
}

export function nagiosDoctor({ cluster, manifests }: DoctorReport): NagiosText {
  const faults = manifests.flatMap(({ containers }) =>
    containers.flatMap(({ container, findings }) =>
      findings.map(({ about, message }) => `${container}: ${about} ${message}`),
    ),
  );
  if (cluster === undefined)
    return { text: [`${counted(faults.length, "finding")} in manifests`, ...named(faults)].join("; "), data: {} };
  const layers = cluster.layers.filter(({ verdict }) => verdict !== "healthy");
  const evidence = layers.map(({ title, evidence: all }) => {
    const [worst] = all.filter(({ health }) => health !== "healthy");
    return worst === undefined ? title : `${title}: ${worst.message}`;
  });
  const stop =
    cluster.doNotRestart.length === 0 ? [] : [`do not restart any server: ${cluster.doNotRestart.join(", ")}`];
  const healthz = cluster.healthz.length === 0 ? [] : ["the full /healthz fails"];
  const critical = cluster.checks.filter(({ severity }) => severity === "critical");
  const checks = critical.map(({ about, message }) => `${describeCheckSubject(about)}: ${message}`);
  const problems = [...evidence, ...healthz, ...checks, ...faults];
  return {
    text: [`the cluster is ${cluster.verdict}`, ...stop, ...named(problems)].join("; "),
    data: {
      layers: cluster.layers.length,
      unhealthy_layers: layers.length,
      healthz_failures: cluster.healthz.length,
      critical_checks: critical.length,
    },
  };
}
