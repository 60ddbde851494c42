import { beforeEach, describe, expect, test } from "@jest/globals";
import { prometheusMetrics } from "../../lib/adapters/local/prometheus-metrics.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { METRICS } from "../../lib/domain/metrics/catalogue.ts";
import { LABEL_VALUES, type MetricDescription } from "../../lib/domain/metrics/forms.ts";
import {
  type Measurement,
  measuresOfFailedJob,
  measuresOfJob,
  measuresOfMessage,
  measuresOfPage,
  measuresOfSweep,
  type PerAccount,
} from "../../lib/domain/metrics/measures.ts";
import { epochMillis, isoTime, millis } from "../../lib/domain/time/time.ts";
import type { AccountState } from "../../lib/ports/observers.ts";
import type { Outcome } from "../../lib/usecases/remediate/remediation.ts";
import { type FakeClock, fakeClock } from "../support/fakes/clock.ts";
import { fakeLog } from "../support/fakes/log.ts";

const NOW = epochMillis(Date.UTC(2030, 0, 1));
const SECONDS = NOW / 1_000;
const ACCOUNT = `A${"A".repeat(55)}` as AccountId;
let clock: FakeClock;

beforeEach(() => {
  clock = fakeClock(NOW);
});

function opened(perAccount: PerAccount = "all", mostAccounts = 3) {
  const log = fakeLog();
  const metrics = prometheusMetrics({ perAccount, mostAccounts, version: "1.2.3", clock, log });
  /** The lines with values, without zeros unless they are asked for. */
  const lines = async (pattern: RegExp, zeros = false): Promise<string[]> =>
    (await metrics.text({ accounts: true }))
      .split("\n")
      .filter((line) => !line.startsWith("#") && pattern.test(line) && (zeros || !/ 0$/.test(line)));
  return { ...metrics, log, lines };
}

const state = (number: number, more: Partial<AccountState> = {}): AccountState => {
  const account = `A${String(number).padStart(55, "A")}` as AccountId;
  return { account, name: `acc-${number}`, at: NOW, expiresAt: epochMillis(NOW + number * 1_000), ...more };
};

describe("what is emitted", () => {
  const job = measuresOfJob(
    {
      account: ACCOUNT,
      outcome: "healed",
      rungs: [{ rung: "renew", result: "helped" }],
      verdict: { health: "healthy", observedAt: isoTime(NOW) },
      unwellSince: isoTime(epochMillis(NOW - 45_000)),
    },
    NOW,
  );

  test.each<[string, readonly Measurement[], string[]]>([
    [
      "a job",
      [...job, ...job],
      [
        ...['relight_jobs_total{outcome="healed"} 2', 'relight_verdicts_total{verdict="healthy"} 2'],
        ...['relight_rungs_total{rung="renew"} 2', "relight_renewals_total 2"],
        ...["relight_time_to_recover_seconds_sum 90", "relight_time_to_recover_seconds_count 2"],
      ],
    ],
    ["a failed job", measuresOfFailedJob({ retryable: true }), ['relight_jobs_total{outcome="again"} 1']],
    [
      "a sweep",
      measuresOfSweep({ seen: 9, queued: 3, postponed: 2, pastPage: 1, oldestUnverified: millis(1) }, NOW),
      [
        ...["relight_sweeps_total 1", "relight_sweep_accounts 9", "relight_sweep_jobs_queued_total 3"],
        ...["relight_sweep_jobs_postponed 2", "relight_accounts_past_page 1"],
        `relight_last_sweep_timestamp_seconds ${SECONDS}`,
      ],
    ],
    ["a queued job", measuresOfMessage(epochMillis(NOW - 7_000), NOW), ["relight_queue_wait_seconds_sum 7"]],
    [
      "a page to nobody",
      measuresOfPage({ status: "open", first: true }, "undeliverable"),
      ["relight_incidents_opened_total 1", "relight_escalations_undelivered_total 1"],
    ],
    ["a resolution", measuresOfPage({ status: "resolved" }, "delivered"), ["relight_incidents_resolved_total 1"]],
  ])("%s is counted", async (_what, measurements, expected) => {
    const { emit, lines } = opened();
    emit(measurements);
    const told = await lines(/^(?!relight_build_info|.*_bucket)/);
    expect(told).toEqual(expect.arrayContaining(expected));
  });

  test("an unknown word becomes `other`, so that no number of words makes more series", async () => {
    const { emit, lines } = opened();
    for (const Outcome of ["revived", "x".repeat(9_999), "healed"])
      emit([{ name: "JobsFinished", value: 1, dimensions: { Outcome } }]);
    expect(await lines(/^relight_jobs_total/)).toEqual([
      ...['relight_jobs_total{outcome="healed"} 1', 'relight_jobs_total{outcome="other"} 2'],
    ]);
  });

  test("a value that can't be counted is only a warning", () => {
    const { emit, log } = opened();
    emit([{ name: "Renewals", value: -1 }]);
    expect(log.lines).toMatchObject([{ level: "warn", message: "metrics could not be counted" }]);
  });
});

test("every word of a label begins at 0, so its first event is an increase", async () => {
  const { lines } = opened();
  for (const [label, values] of Object.entries(LABEL_VALUES))
    for (const value of values) expect(await lines(new RegExp(`{${label}="${value}"} 0$`), true)).not.toEqual([]);
});

test("the labels have every outcome of a job", () => {
  const all: Readonly<Record<Outcome, true>> = {
    ...{ healthy: true, healed: true, escalated: true, unhealed: true, refused: true, verified: true },
    ...{ renewed: true, pushed: true, looked: true },
  };
  expect(LABEL_VALUES["outcome"]).toEqual(expect.arrayContaining(Object.keys(all)));
});

describe("what is known of accounts", () => {
  test("comes from sweeps and jobs; a sweep forgets accounts that are gone", async () => {
    const { live, lines } = opened();
    live.accounts([state(1, { verdict: "dead", renewAt: epochMillis(NOW - 5_000) }), state(2)], "all");
    expect(await lines(/^relight_account_/)).toEqual([
      `relight_account_expiration_timestamp_seconds{account="${state(1).account}",name="acc-1"} ${SECONDS + 1}`,
      `relight_account_expiration_timestamp_seconds{account="${state(2).account}",name="acc-2"} ${SECONDS + 2}`,
      `relight_account_renewal_timestamp_seconds{account="${state(1).account}",name="acc-1"} ${SECONDS - 5}`,
    ]);
    expect(await lines(/^relight_accounts{/)).toEqual([
      ...['relight_accounts{verdict="dead"} 1', 'relight_accounts{verdict="unknown"} 1'],
    ]);
    live.accounts([state(1, { verdict: "healthy", expiresAt: epochMillis(NOW + 60_000) })], "some");
    expect(await lines(/^relight_(accounts{|soonest)/)).toEqual([
      `relight_soonest_expiration_timestamp_seconds ${SECONDS + 2}`,
      ...['relight_accounts{verdict="healthy"} 1', 'relight_accounts{verdict="unknown"} 1'],
    ]);
    live.accounts([state(2)], "all");
    expect(await lines(/^relight_accounts{/)).toEqual(['relight_accounts{verdict="unknown"} 1']);
  });

  test("a sweep that read the journal before a job ended does not take back what the job knows", async () => {
    const { live, lines } = opened();
    live.accounts([state(1, { verdict: "healthy", at: epochMillis(NOW + 1) })], "some");
    live.accounts([state(1, { verdict: "dead" }), state(2, { verdict: "dead" })], "all");
    expect(await lines(/^relight_accounts{/)).toEqual([
      ...['relight_accounts{verdict="healthy"} 1', 'relight_accounts{verdict="dead"} 1'],
    ]);
  });

  test("a job that does not know the name leaves it", async () => {
    const { live, lines } = opened();
    live.accounts([state(1)], "all");
    const { name: _name, ...nameless } = state(1, { at: epochMillis(NOW + 1) });
    live.accounts([nameless], "some");
    expect(await lines(/^relight_account_exp/)).toEqual([expect.stringContaining('name="acc-1"')]);
  });

  test("only so many have their own series: those that expire first; the others are counted", async () => {
    const { live, lines } = opened("all", 2);
    live.accounts(
      [3, 1, 2].map((number) => state(number)),
      "all",
    );
    const shown = await lines(/^relight_account_exp/);
    expect(shown.map((line) => /name="(.*?)"/.exec(line)?.[1])).toEqual(["acc-1", "acc-2"]);
    expect(await lines(/^relight_accounts_omitted/)).toEqual(["relight_accounts_omitted 1"]);
    // The totals still count all of them.
    expect(await lines(/^relight_accounts{/)).toEqual(['relight_accounts{verdict="unknown"} 3']);
  });

  test.each<[PerAccount, string[]]>([
    ["critical", ["acc-2"]],
    ["all", ["acc-1", "acc-2"]],
    ["none", []],
  ])("metrics.perAccount: %s", async (perAccount, names) => {
    const { live, lines } = opened(perAccount);
    live.accounts([state(1), state(2, { critical: true })], "all");
    const shown = await lines(/^relight_account_exp/);
    expect(shown.map((line) => /name="(.*?)"/.exec(line)?.[1])).toEqual(names);
    expect(await lines(/^relight_accounts_omitted/)).toEqual([]);
  });

  test("a name can't break the format", async () => {
    const { live, text } = opened();
    const name = `"} 1\nrelight_jobs_total{outcome="healed"} 9 \\ ${"x".repeat(500)}`;
    live.accounts([state(1, { name })], "all");
    const lines = (await text({ accounts: true })).split("\n");
    expect(lines.filter((line) => line.startsWith("relight_jobs_total{") && !line.endsWith(" 0"))).toEqual([]);
    expect(lines.every((line) => line.length < 400)).toBe(true);
  });

  test.each<[string, readonly AccountState[] | undefined]>([
    ["before the first sweep", undefined],
    ["without accounts", []],
    ["with accounts that never expire", [{ account: ACCOUNT, at: NOW, name: "A", verdict: "healthy" }]],
  ])("%s, a metric that has nothing to say is absent", async (_when, known) => {
    const { live, lines } = opened();
    if (known !== undefined) live.accounts(known, "all");
    const absent = Object.values<MetricDescription>(METRICS).flatMap(({ prometheus: { name, help }, when }) =>
      /absent/.test(help + when) ? [name] : [],
    );
    expect(absent).toContain("relight_soonest_expiration_timestamp_seconds");
    for (const name of absent) expect(await lines(new RegExp(`^${name}`), true)).toEqual([]);
  });

  test("once no account expires any more, the soonest expiry is absent again", async () => {
    const { live, lines } = opened();
    live.accounts([state(1)], "all");
    expect(await lines(/^relight_soonest/)).toHaveLength(1);
    const { expiresAt: _never, ...endless } = state(1, { at: epochMillis(NOW + 1) });
    live.accounts([endless], "all");
    expect(await lines(/^relight_(soonest|account_exp)/, true)).toEqual([]);
  });

  test("the account that was verified longest ago is the oldest", async () => {
    const { live, lines } = opened();
    const verified = (ago: number) => ({ verifiedAt: epochMillis(NOW - ago * 1_000) });
    live.accounts([state(1, verified(60)), state(2, verified(90)), state(3)], "all");
    expect(await lines(/^relight_oldest/)).toEqual([`relight_oldest_verification_timestamp_seconds ${SECONDS - 90}`]);
  });

  test("a hundred thousand accounts are read at once", async () => {
    const { live, text } = opened("all", 1_000);
    live.accounts(
      Array.from({ length: 100_000 }, (_, number) => state(number)),
      "all",
    );
    expect(
      (await text({ accounts: true })).split("\n").filter((line) => line.startsWith("relight_account_exp")),
    ).toHaveLength(1_000);
  });
});

test("without accounts, all other metrics are the same", async () => {
  const { live, text } = opened();
  live.accounts([state(1)], "all");
  const lines = async (accounts: boolean) => (await text({ accounts })).split("\n");
  const others = (await lines(true)).filter((line) => !line.includes("relight_account_"));
  expect((await lines(false)).filter((line) => line !== "")).toEqual(others.filter((line) => line !== ""));
  expect((await lines(false)).join()).not.toContain("acc-1");
});

test("the queue's depth and the age of its oldest job, while they wait", async () => {
  const { live, lines } = opened();
  const [first, second] = [live.waits(NOW), live.waits(epochMillis(NOW + 1_000))];
  clock.advance(millis(10_000));
  const queue = /^relight_queue_(jobs|oldest)/;
  expect(await lines(queue)).toEqual(["relight_queue_jobs 2", "relight_queue_oldest_job_age_seconds 10"]);
  first();
  expect(await lines(queue)).toEqual(["relight_queue_jobs 1", "relight_queue_oldest_job_age_seconds 9"]);
  second();
  expect(await lines(queue)).toEqual([]);
});

test("the names follow Prometheus' conventions, and the help is one sentence", async () => {
  for (const { prometheus } of Object.values<MetricDescription>(METRICS)) {
    const { name, type, help, buckets } = prometheus;
    expect(name).toMatch(/^relight_[a-z_]+$/);
    expect(name.endsWith("_total")).toBe(type === "counter");
    expect(buckets !== undefined).toBe(type === "histogram");
    if (type === "histogram") expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/^[A-Z1].*\.$/);
  }
  expect(await opened().lines(/build_info/)).toEqual(['relight_build_info{version="1.2.3"} 1']);
});
