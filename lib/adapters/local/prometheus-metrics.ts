import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type MetricName } from "../../domain/metrics/catalogue.ts";
import { LABEL_VALUES, type MetricDescription } from "../../domain/metrics/forms.ts";
import type { Measurement, PerAccount } from "../../domain/metrics/measures.ts";
import { defined } from "../../domain/time/defined.ts";
import { printable } from "../../domain/time/printable.ts";
import type { EpochMillis } from "../../domain/time/time.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Log } from "../../ports/log.ts";
import type { AccountState, LiveMetrics, Metrics } from "../../ports/observers.ts";

export interface PrometheusSettings {
  readonly perAccount: PerAccount;
  readonly version: string;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  /** How many accounts have series of their own at most. */
  readonly mostAccounts?: number;
}

export interface PrometheusMetrics extends Metrics {
  readonly live: LiveMetrics;
  readonly contentType: string;
  /** The metrics in Prometheus' text format. @param shows whether it names accounts */
  text(shows: { readonly accounts: boolean }): Promise<string>;
}

/** A Prometheus keeps a few thousand series of one process without effort. */
const MOST_ACCOUNTS = 1_000;
/** Of an account's name; characters. */
const LONGEST_NAME = 128;

/** The metrics that name no account. */
const NAMELESS = Object.values<MetricDescription>(METRICS).flatMap(({ prometheus: { name, labels } }) =>
  labels.includes("account") ? [] : [name],
);

/** A value with its labels. */
type Shown = readonly [labels: Readonly<Record<string, string>>, value: number];

/** Counts what is emitted, and remembers what is known of each account, for a server that Prometheus scrapes. */
export function prometheusMetrics(settings: PrometheusSettings): PrometheusMetrics {
  const { clock, log, version } = settings;
  const registry = new Registry();
  const accounts = new Map<string, AccountState>();
  const waiting = new Set<{ readonly since: EpochMillis }>();

  const oldestAge = (): number => {
    // A set keeps the order of insertion.
    const [first] = waiting;
    return first === undefined ? 0 : Math.max(0, clock.now() - first.since) / 1_000;
  };
  const shown = (): readonly AccountState[] => shownOf([...accounts.values()], settings);
  /** What is known when somebody asks. */
  const states: Partial<Record<MetricName, () => readonly Shown[]>> = {
    OldestUnverifiedSeconds: () => [[{}, soonest([...accounts.values()], "verifiedAt") ?? 0]],
    SecondsUntilExpiry: () => optional(soonest([...accounts.values()], "expiresAt")),
    AccountExpiration: () => shown().flatMap((state) => timeOf(state, state.expiresAt)),
    AccountRenewal: () => shown().flatMap((state) => timeOf(state, state.renewAt)),
    AccountsOmitted: () => [[{}, wanted([...accounts.values()], settings).length - shown().length]],
    AccountsByVerdict: () => byVerdict([...accounts.values()]),
    QueuedJobs: () => [[{}, waiting.size]],
    OldestQueuedJob: () => [[{}, oldestAge()]],
    BuildInfo: () => [[{ version }, 1]],
  };

  const record = Object.fromEntries(
    Object.entries(METRICS).map(([name, metric]) => [name, recorder(registry, metric, states[name as MetricName])]),
  ) as Record<MetricName, Recorder>;

  return {
    contentType: registry.contentType,
    text: async ({ accounts: isWhole }) => {
      if (isWhole) return registry.metrics();
      const texts = await Promise.all(NAMELESS.map((name) => registry.getSingleMetricAsString(name)));
      return `${texts.join("\n\n")}\n`;
    },
    emit: (measurements) => {
      try {
        for (const { name, value, dimensions = {} } of measurements) {
          record[name](value, dimensions);
          if (name === "SweepFinished") record.LastSweep(clock.now() / 1_000, {});
        }
      } catch (thrown) {
        log.warn("metrics could not be counted", { error: thrown });
      }
    },
    live: {
      accounts: (known, which) => {
        const before = new Map(accounts);
        if (which === "all") accounts.clear();
        for (const state of known) accounts.set(state.account, newer(before.get(state.account), state));
      },
      waits: (since) => {
        const entry = { since };
        waiting.add(entry);
        return () => void waiting.delete(entry);
      },
    },
  };
}

/** A job may have ended since a sweep read the journal. */
function newer(before: AccountState | undefined, state: AccountState): AccountState {
  if (before === undefined) return state;
  return before.at > state.at ? before : { ...defined({ name: before.name }), ...state };
}

type Recorder = (value: number, dimensions: NonNullable<Measurement["dimensions"]>) => void;

/** Registers a metric, and returns what to call with each value. One that shows a state takes no values. */
function recorder(
  registry: Registry,
  { prometheus: { name, type, labels, help, buckets } }: MetricDescription,
  state: (() => readonly Shown[]) | undefined,
): Recorder {
  const common = { name, help, labelNames: [...labels], registers: [registry] };
  if (state !== undefined) {
    new Gauge({
      ...common,
      collect() {
        this.reset();
        // Else one without labels says 0 where it has nothing to say.
        if (labels.length === 0) this.remove();
        for (const [values, value] of state()) this.set(values, value);
      },
    });
    return () => undefined;
  }
  if (type === "histogram") {
    const histogram = new Histogram({ ...common, buckets: [...(buckets ?? [])] });
    return (value) => histogram.observe(value);
  }
  if (type === "gauge") {
    const gauge = new Gauge(common);
    return (value) => gauge.set(value);
  }
  const counter = new Counter(common);
  // Without a first 0, the first event would be no increase.
  for (const label of labels) for (const value of LABEL_VALUES[label] ?? []) counter.inc({ [label]: value }, 0);
  return (value, dimensions) => counter.inc(labelsOf(labels, dimensions), value);
}

/** `Outcome` is the label `outcome`. */
function labelsOf(labels: readonly string[], dimensions: Readonly<Record<string, string>>): Record<string, string> {
  const given = Object.fromEntries(Object.entries(dimensions).map(([key, value]) => [key.toLowerCase(), value]));
  return Object.fromEntries(
    labels.map((label) => [label, LABEL_VALUES[label]?.includes(given[label] ?? "") ? given[label] : "other"]),
  ) as Record<string, string>;
}

function wanted(all: readonly AccountState[], { perAccount }: PrometheusSettings): readonly AccountState[] {
  if (perAccount === "none") return [];
  return all.filter(({ expiresAt, critical }) => expiresAt !== undefined && (perAccount === "all" || critical));
}

/** Those that expire first. */
function shownOf(all: readonly AccountState[], settings: PrometheusSettings): readonly AccountState[] {
  const { mostAccounts = MOST_ACCOUNTS } = settings;
  const list = wanted(all, settings);
  if (list.length <= mostAccounts) return list;
  return list.toSorted((one, other) => (one.expiresAt ?? 0) - (other.expiresAt ?? 0)).slice(0, mostAccounts);
}

function soonest(all: readonly AccountState[], field: "expiresAt" | "verifiedAt"): number | undefined {
  const least = all.reduce((min, state) => Math.min(min, state[field] ?? min), Number.POSITIVE_INFINITY);
  return Number.isFinite(least) ? least / 1_000 : undefined;
}

const optional = (value: number | undefined): readonly Shown[] => (value === undefined ? [] : [[{}, value]]);

function timeOf({ account, name = account }: AccountState, at: EpochMillis | undefined): readonly Shown[] {
  return at === undefined ? [] : [[{ account, name: printable(name).slice(0, LONGEST_NAME) }, at / 1_000]];
}

function byVerdict(all: readonly AccountState[]): readonly Shown[] {
  const counts = new Map((LABEL_VALUES["verdict"] ?? []).map((verdict) => [verdict, 0]));
  for (const { verdict = "unknown" } of all) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  return [...counts].map(([verdict, count]) => [{ verdict }, count]);
}
