import type { MetricDescription } from "./forms.ts";

/**
 * Every metric that Relight has. docs/observability.md is generated from this, and alarms, alerts and dashboards use only
 * these metrics; tests enforce both.
 */
export const METRICS = {
  SweepFinished: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: { name: "relight_sweeps_total", type: "counter", labels: [], help: "Sweeps that saw all accounts." },
    when: "1 at the end of each sweep that saw all accounts; nothing if it failed.",
    advice:
      "Missing for 15 minutes: sweeps fail or hang, and no renewal happens. See the errors in the log of `sweep`.",
  },
  AccountsSeen: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_sweep_accounts",
      type: "gauge",
      labels: [],
      help: "Accounts that the last sweep saw.",
    },
    when: "At the end of a sweep: the number of accounts, whether or not a job was due.",
    advice: "An unexpected drop: `relight status` names the accounts that the resolver lost.",
  },
  JobsQueued: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_sweep_jobs_queued_total",
      type: "counter",
      labels: [],
      help: "Jobs that sweeps queued.",
    },
    when: "At the end of a sweep: the number of accounts for which it queued a job.",
    advice:
      "As high as `AccountsSeen`, sweep after sweep, although `sweep.verifyEvery` is longer than `5m`: no account stays healthy. The log line `a job began` says why each was due.",
  },
  JobsPostponed: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_sweep_jobs_postponed",
      type: "gauge",
      labels: [],
      help: "Due jobs that the last sweep left to the next one.",
    },
    when: "At the end of a sweep: the number of due jobs left to the next sweep because the queue is full.",
    advice:
      "Above 0 for an hour: jobs arrive faster than they finish. See `QueueAgeSeconds`, and raise `maximumConcurrency`.",
  },
  AccountsPastPage: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_accounts_past_page",
      type: "gauge",
      labels: [],
      help: "Accounts past the page threshold of their policy, at the last sweep.",
    },
    when: "At the end of a sweep: the number of accounts past the page threshold of their policy.",
    advice:
      "1 or more: an account has expired or is about to. `relight status` names it; `relight renew ACCOUNT` renews it.",
  },
  OldestUnverifiedSeconds: {
    cloudWatch: { unit: "Seconds", dimensions: [], total: true },
    prometheus: {
      name: "relight_oldest_verification_timestamp_seconds",
      type: "gauge",
      labels: [],
      help: "When the account that waits longest was last verified; 0 if none was.",
    },
    when: "At the end of a sweep: the age of the oldest verification. Accounts that were never verified do not count.",
    advice:
      "Above `sweep.verifyEvery` by more than two sweeps: jobs do not finish. See the dead letters and `QueueAgeSeconds`.",
  },
  SecondsUntilExpiry: {
    cloudWatch: { unit: "Seconds", dimensions: ["Account"], total: true },
    prometheus: {
      name: "relight_soonest_expiration_timestamp_seconds",
      type: "gauge",
      labels: [],
      help: "When the first of all accounts expires; absent if none does.",
    },
    when: "At the end of a sweep, with `service` alone: the soonest expiry of all accounts. At the end of a job, with `Account`: the account's expiry, for critical accounts in high resolution; `metrics.perAccount` selects the accounts. Negative after the expiry.",
    advice: "Low: `relight plan ACCOUNT` says why the account was not renewed.",
  },
  JobsFinished: {
    cloudWatch: { unit: "Count", dimensions: ["Outcome"], total: true },
    prometheus: { name: "relight_jobs_total", type: "counter", labels: ["outcome"], help: "Jobs that ended." },
    when: "1 at the end of each job. `Outcome` is the job's outcome, `again` after an error that a retry may fix, or `failed` after any other error.",
    advice:
      "`failed`, `refused` or `escalated`: a person was paged. `unhealed`: nobody could be. Many `again`: the cluster or AWS is hard to reach.",
  },
  Verdicts: {
    cloudWatch: { unit: "Count", dimensions: ["Verdict"], total: false },
    prometheus: {
      name: "relight_verdicts_total",
      type: "counter",
      labels: ["verdict"],
      help: "Jobs by their last verdict.",
    },
    when: "1 at the end of each job that reached a verdict, with its last verdict.",
    advice: "`dead`: see the page. Many `unknown`: checks fail (`relight doctor`).",
  },
  RungsUsed: {
    cloudWatch: { unit: "Count", dimensions: ["Rung"], total: false },
    prometheus: {
      name: "relight_rungs_total",
      type: "counter",
      labels: ["rung"],
      help: "Remedies that were carried out.",
    },
    when: "At the end of a job: 1 for each remedy that was carried out, whether or not it helped. Refused and failed remedies do not count.",
    advice:
      "Often, except `renew`: something kills JetStream repeatedly. docs/recoveries.md says what each rung is for.",
  },
  Renewals: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_renewals_total",
      type: "counter",
      labels: [],
      help: "Renewals that were proved in force.",
    },
    when: "1 at the end of a job that renewed its account's claims and proved them in force.",
    advice: "Many at once: `relight plan --until 90d` shows the storm; a longer `renewBefore` spreads it.",
  },
  TimeToRecoverSeconds: {
    cloudWatch: { unit: "Seconds", dimensions: [], total: true },
    prometheus: {
      name: "relight_time_to_recover_seconds",
      type: "histogram",
      labels: [],
      buckets: [5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 21_600],
      help: "From the first verdict of an outage to the healthy one.",
    },
    when: "At the end of a job that healed: the time from the first verdict of the outage to the healthy verdict. The time before Relight noticed the outage is not included.",
    advice:
      "High: the log of the slowest recovery (a query is above) says which rung took long, or that a person had to act.",
  },
  QueueAgeSeconds: {
    cloudWatch: { unit: "Seconds", dimensions: [], total: true },
    prometheus: {
      name: "relight_queue_wait_seconds",
      type: "histogram",
      labels: [],
      buckets: [0.1, 1, 5, 15, 60, 300, 900],
      help: "How long jobs waited in the queue.",
    },
    when: "At the start of each job from the queue: the age of its message.",
    advice: "Above 300: jobs arrive faster than they finish. See `JobsPostponed`, and how long jobs take.",
  },
  IncidentsOpened: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_incidents_opened_total",
      type: "counter",
      labels: [],
      help: "Incidents that were opened.",
    },
    when: "1 when an incident is opened. Repeated pages do not count.",
    advice: "See the pages.",
  },
  IncidentsResolved: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_incidents_resolved_total",
      type: "counter",
      labels: [],
      help: "Incidents whose resolution was delivered.",
    },
    when: "1 when the resolution of an incident was delivered.",
    advice: "Fewer than `IncidentsOpened`: something stays broken (`relight status`).",
  },
  EscalationUndeliverable: {
    cloudWatch: { unit: "Count", dimensions: [], total: true },
    prometheus: {
      name: "relight_escalations_undelivered_total",
      type: "counter",
      labels: [],
      help: "Pages that no channel accepted.",
    },
    when: "1 whenever no channel accepted a page.",
    advice:
      "1 or more: nobody was paged. The log line `escalation channel failed` says why; `relight status` shows what is wrong.",
  },
  LastSweep: {
    prometheus: {
      name: "relight_last_sweep_timestamp_seconds",
      type: "gauge",
      labels: [],
      help: "When the last sweep that saw all accounts ended; 0 before the first.",
    },
    when: "At the end of each sweep that saw all accounts.",
    advice: "More than 15 minutes ago: sweeps fail or hang, and no renewal happens. See the errors in the log.",
  },
  AccountExpiration: {
    prometheus: {
      name: "relight_account_expiration_timestamp_seconds",
      type: "gauge",
      labels: ["account", "name"],
      help: "When the account's claims expire.",
    },
    when: "From each sweep and the account's jobs. `metrics.perAccount` selects the accounts; at most 1,000 are shown, those that expire first.",
    advice: "Soon: `relight plan ACCOUNT` says why the account was not renewed.",
  },
  AccountRenewal: {
    prometheus: {
      name: "relight_account_renewal_timestamp_seconds",
      type: "gauge",
      labels: ["account", "name"],
      help: "When Relight will renew the account.",
    },
    when: "As `relight_account_expiration_timestamp_seconds`; absent if a person renews the account.",
    advice: "Hours ago: the renewal fails. `relight plan ACCOUNT` says why.",
  },
  AccountsOmitted: {
    prometheus: {
      name: "relight_accounts_omitted",
      type: "gauge",
      labels: [],
      help: "Accounts that metrics.perAccount selects and the limit leaves out.",
    },
    when: "Whenever metrics are read.",
    advice:
      "Above 0: other accounts than the first 1,000 to expire have no series of their own. Set `metrics.perAccount: critical`.",
  },
  AccountsByVerdict: {
    prometheus: {
      name: "relight_accounts",
      type: "gauge",
      labels: ["verdict"],
      help: "Accounts by the verdict of their newest job.",
    },
    when: "From each sweep and each job. `unknown` counts accounts without a verdict, too.",
    advice: "`dead` above 0: see the page. `unknown` for long: checks fail (`relight doctor`).",
  },
  QueuedJobs: {
    prometheus: { name: "relight_queue_jobs", type: "gauge", labels: [], help: "Jobs that wait in memory." },
    when: "Whenever metrics are read. Jobs in SQS are not counted.",
    advice: "Growing: jobs arrive faster than they finish.",
  },
  OldestQueuedJob: {
    prometheus: {
      name: "relight_queue_oldest_job_age_seconds",
      type: "gauge",
      labels: [],
      help: "How long the oldest of these jobs has waited; 0 if none waits.",
    },
    when: "Whenever metrics are read.",
    advice: "Above 300: jobs arrive faster than they finish, or hang. See how long jobs take in the log (`tookMs`).",
  },
  BuildInfo: {
    prometheus: {
      name: "relight_build_info",
      type: "gauge",
      labels: ["version"],
      help: "1, with the version of Relight.",
    },
    when: "Always.",
    advice: "Absent: nothing is scraped.",
  },
} as const satisfies Readonly<Record<string, MetricDescription>>;

type Catalogue = typeof METRICS;
export type MetricName = keyof Catalogue;
/** The metrics that are emitted. */
export type EmittedName = { [N in MetricName]: Catalogue[N] extends { cloudWatch: object } ? N : never }[MetricName];
