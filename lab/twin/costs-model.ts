import { costOf } from "./costs-prices.ts";
import type { Start, Usage } from "./costs-record.ts";

/** The rows of the measurements: one run of each kind; a sweep has a fixed part and a part per account. */
export const STEPS = ["sweep", "account", "look", "renewal", "heal", "page", "told", "webhook"] as const;
export type Step = (typeof STEPS)[number];

export interface Measured {
  readonly steps: Readonly<Record<Step, Usage & Start>>;
  /** Series of custom metrics; CloudWatch charges for each. */
  readonly metrics: number;
  readonly alarms: number;
}

/** A team's settings and its number of accounts. */
export interface Setting {
  readonly accounts: number;
  /** `sweep.verifyEvery`, in minutes. */
  readonly verifyEvery: number;
}

export interface Bill {
  readonly setting: Setting;
  /** US dollars a month by service. */
  readonly lines: Readonly<Record<string, number>>;
  readonly total: number;
  readonly looksAMonth: number;
  /** The average number of concurrent jobs; `jobsAtOnce` must be higher. */
  readonly atOnce: number;
  /** The duration of a sweep in seconds. */
  readonly sweepTakes: number;
}

/** Assumptions that can't be measured here; the document lists them. */
export const ASSUMED = {
  /** Minutes. */
  month: 30 * 24 * 60,
  sweepEvery: 5,
  /** `policy.lifetime` less `policy.renewBefore`, in days. */
  renewedEvery: 60,
  /** Of all accounts in a month. */
  healed: 0.01,
  /** Per month: for each thousand accounts, but at least ten. */
  pages: { fixed: 10, perThousand: 10 },
  /** `journalKeeps`, in months; and how long logs are kept. */
  keeps: 3,
  /** The share of cold starts; sweeps are always cold. */
  coldStarts: 0.02,
  secrets: 6,
  /** How long a process keeps what a check reads, in minutes (lib/compose/secrets.ts). */
  secretsKept: 5,
  /** Messages that a sweep sends in one request. */
  batch: 10,
  /** Milliseconds until AWS answers a call; the emulator's time is not representative. */
  call: 10,
  /** Lambda polls a queue with five concurrent requests of 20 s, even if it is empty. */
  pollsAMonth: (5 * 30 * 24 * 3600) / 20,
  /** Lambda's own lines for each run (START, END, REPORT), in bytes. */
  linesOfLambda: 450,
  /** Logs are kept compressed. */
  compressed: 0.15,
} as const;

/** `memorySize` in serverless.yml, in MB. */
const MEMORY = { sweep: 1769, remediate: 512, escalate: 256, webhook: 256 } as const;
/** The memory with which Lambda gives a function one CPU, in MB ("Configure Lambda function memory"). */
const ONE_CPU = 1769;
const GB = 1e9;

/** The duration of a run in seconds: computing with its share of a CPU, waiting for the cluster as here, and for AWS. */
export function secondsOf({ cpu, waited, calls }: Usage, memory: number): number {
  return ((cpu * ONE_CPU) / memory + waited + calls * ASSUMED.call) / 1000;
}

/**
 * How often an account is checked per month. Accounts are spread over the last quarter of the interval, and an account that
 * would be late at the next sweep is due at this one (lib/domain/sweep/due.ts).
 */
export function looksOf({ verifyEvery }: Setting): number {
  const { month, sweepEvery } = ASSUMED;
  const shares = Array.from({ length: 100 }, (_, index) => index / 100);
  const looks = shares.map((share) => {
    const interval = Math.max(0, verifyEvery - sweepEvery) * (1 - 0.25 * share);
    return month / (Math.max(1, Math.ceil(interval / sweepEvery)) * sweepEvery);
  });
  return looks.reduce((sum, each) => sum + each, 0) / looks.length;
}

/** What `remediate` does. */
const JOBS: readonly Step[] = ["look", "renewal", "heal"];

interface Runs {
  readonly step: Step;
  readonly count: number;
  readonly memory: number;
  readonly cold: number;
}

export function billOf(measured: Measured, setting: Setting): Bill {
  const { accounts } = setting;
  const { month, sweepEvery, renewedEvery, healed, pages, coldStarts: cold } = ASSUMED;
  const { steps } = measured;
  const looksAMonth = looksOf(setting) * accounts;
  const sweeps = month / sweepEvery;
  const renewals = (accounts * 30) / renewedEvery;
  const pagesSent = pages.fixed + (accounts / 1000) * pages.perThousand;
  const sweepUsage = plus(steps.sweep, steps.account, accounts);
  const runs: readonly Runs[] = [
    { step: "sweep", count: sweeps, memory: MEMORY.sweep, cold: 1 },
    { step: "look", count: looksAMonth, memory: MEMORY.remediate, cold },
    { step: "renewal", count: renewals, memory: MEMORY.remediate, cold },
    { step: "heal", count: accounts * healed, memory: MEMORY.remediate, cold },
    { step: "told", count: pagesSent, memory: MEMORY.escalate, cold: 1 },
    { step: "webhook", count: renewals, memory: MEMORY.webhook, cold: 1 },
  ];
  const usageOf = (step: Step): Usage => (step === "sweep" ? sweepUsage : steps[step]);
  const sum = (value: (usage: Usage) => number): number =>
    runs.reduce((all, { step, count }) => all + count * value(usageOf(step)), 0);
  const all = runs.reduce((total, { count }) => total + count, 0);
  const gbSeconds = runs.reduce((total, { step, count, memory, cold: share }) => {
    // Imports are charged too, with a whole CPU.
    const seconds = secondsOf(usageOf(step), memory) + (share * steps[step].imports) / 1000;
    return total + (count * seconds * memory) / 1024;
  }, 0);
  const jobs = looksAMonth + renewals + accounts * healed;
  const atOnce = (jobs / (month * 60)) * secondsOf(steps.look, MEMORY.remediate);
  // A new process reads what checks need, and then whenever it was kept long enough. What else a job reads it always reads.
  const runsOfProcess = (jobs / month) * (ASSUMED.secretsKept / Math.max(1, Math.ceil(atOnce)));
  const reading = Math.min(1, cold + 1 / Math.max(1, runsOfProcess));
  const jobsKeep = (step: Step): number => (JOBS.includes(step) ? steps.look.secrets * (1 - reading) : 0);
  const perSecond = all / (month * 60);
  const traces = perSecond <= 1 ? all : (1 + 0.05 * (perSecond - 1)) * month * 60;
  const logGb = (sum(({ logs }) => logs) + all * ASSUMED.linesOfLambda) / GB;
  const storedGb = (sum(({ stored }) => stored) * ASSUMED.keeps) / GB;
  const lines = {
    Lambda: costOf("lambdaRequest", all) + costOf("lambdaGbSecond", gbSeconds),
    // For each job: its share of a sent batch, receiving and deleting.
    SQS:
      costOf("sqsFifo", jobs * (1 / ASSUMED.batch + 2) + sweeps * steps.sweep.sqs + ASSUMED.pollsAMonth) +
      costOf("sqsStandard", pagesSent * 3 + ASSUMED.pollsAMonth),
    "DynamoDB writes": costOf(
      "dynamoWrite",
      sum(({ write }) => write),
    ),
    "DynamoDB reads": costOf(
      "dynamoRead",
      sum(({ read }) => read),
    ),
    "DynamoDB storage": costOf("dynamoGb", storedGb) + costOf("dynamoRecoveryGb", storedGb),
    EventBridge: costOf("event", sum(({ events }) => events) + pagesSent),
    Scheduler: costOf("schedule", sweeps),
    "CloudWatch metrics": costOf("metric", measured.metrics),
    "CloudWatch alarms and dashboard": costOf("alarm", measured.alarms) + costOf("dashboard", 1),
    "CloudWatch logs": costOf("logGb", logGb) + costOf("logStoredGb", logGb * ASSUMED.keeps * ASSUMED.compressed),
    "Secrets Manager":
      costOf("secret", ASSUMED.secrets) +
      costOf(
        "secretCall",
        runs.reduce((total, { step, count }) => total + count * (usageOf(step).secrets - jobsKeep(step)), 0),
      ),
    // DynamoDB requests its key every five minutes for each role; three roles are active.
    KMS: costOf("kmsCall", sweeps * 3),
    "X-Ray": costOf("trace", traces),
    "API Gateway": costOf("httpRequest", renewals),
    SNS: costOf("email", pagesSent),
  };
  return {
    setting,
    lines,
    looksAMonth,
    total: Object.values(lines).reduce((total, each) => total + each, 0),
    atOnce,
    sweepTakes: secondsOf(sweepUsage, MEMORY.sweep),
  };
}

/** A sweep over this many accounts; its messages are counted with the jobs. */
function plus(fixed: Usage & Start, each: Usage, count: number): Usage {
  const add = (key: keyof Usage): number => fixed[key] + count * each[key];
  return {
    calls: add("calls"),
    read: add("read"),
    write: add("write"),
    stored: add("stored"),
    sqs: fixed.sqs,
    secrets: add("secrets"),
    events: add("events"),
    logs: add("logs"),
    cpu: add("cpu"),
    waited: add("waited"),
  };
}
