import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parse } from "yaml";
import { expire, fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import { METRICS } from "../../lib/domain/metrics/catalogue.ts";
import { describePrometheus, promtool, startPrometheus } from "../support/prometheus.ts";
import { startServe } from "../support/serve.ts";

/** The alert rules and the dashboard, against a real Prometheus that scrapes a real `relight serve`. */

const deploy = join(import.meta.dirname, "..", "..", "deploy");
const read = (file: string): string => readFileSync(join(deploy, file), "utf8");

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}
interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const ALERTS = (parse(read("prometheus/relight.rules.yml")) as Rules).groups.flatMap(({ rules }) => rules);
const PANELS = (JSON.parse(read("grafana/relight.json")) as Dashboard).panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr: expr.replaceAll(/"\$(job|instance)"/g, '".*"') })),
);
const NAMES = Object.values(METRICS).map(({ prometheus }) => prometheus.name as string);

/** The series that an expression reads, each with what it asks of the labels. */
const selectorsIn = (expression: string): readonly string[] =>
  expression.match(/relight_\w+(\{[^}]*\})?|\bup\{[^}]*\}/g) ?? [];

/** These series are there only after a histogram's first value, or if the label says so: it is enough that they parse. */
const isConditional = (expression: string): boolean => /\) > 0$|and relight_oldest/.test(expression);

test("alerts and dashboard read only metrics of the catalogue, and the dashboard shows all of them", () => {
  const inAlerts = ALERTS.flatMap(({ expr }) => selectorsIn(expr));
  const inPanels = PANELS.flatMap(({ expr }) => selectorsIn(expr));
  const nameOf = (selector: string): string => selector.replace(/\{.*/, "").replace(/_bucket$/, "");
  const used = new Set([...inAlerts, ...inPanels].map(nameOf).filter((name) => name !== "up"));
  expect([...used].filter((name) => !NAMES.includes(name))).toEqual([]);
  expect(NAMES.filter((name) => !inPanels.map(nameOf).includes(name))).toEqual([]);
});

describePrometheus("with Prometheus", () => {
  test("promtool accepts the alert rules, and each fires when it should and at no other time", () => {
    expect(promtool(["check", "rules", join(deploy, "prometheus", "relight.rules.yml")])).toContain("SUCCESS");
    const tests = join(deploy, "prometheus", "relight.test.yml");
    expect(promtool(["test", "rules", tests])).toContain("SUCCESS");
    for (const { alert } of ALERTS) {
      const times = read("prometheus/relight.test.yml").split(`alertname: ${alert}\n`).length - 1;
      expect({ alert, fires: times > 0 }).toEqual({ alert, fires: true });
    }
  });

  test("every query of every alert and panel works on what `relight serve` tells", async () => {
    const { path: binary } = await serverBinary("2.10.27");
    await using world = await createWorld({ binary, yaml: "metrics: { perAccount: all }\n" });
    await fill(world, { messages: 5 });
    await using serve = await startServe(world);
    await serve.until("the first sweep", ({ what }) => what === "sweep");
    await using prometheus = await startPrometheus(new URL(serve.url).host);
    await expire(world);
    await serve.until("the renewal", ({ what, pushed }) => what === "job" && pushed, 60_000);

    const { text } = await serve.get("/metrics");
    expect(promtool(["check", "metrics"], { input: text })).toBe("");
    const renewed = () => prometheus.query("increase(relight_renewals_total[1m]) > 0").then(({ length }) => length > 0);
    await waitFor("the renewal to be scraped", renewed, { timeout: 60_000 });

    for (const { alert, expr } of ALERTS) {
      const fires = await prometheus.query(expr);
      // Only the job that ended with a failure, if any, may say so; the account works.
      expect({ alert, fires: fires.length }).toEqual({ alert, fires: 0 });
      for (const selector of selectorsIn(expr)) {
        const series = await prometheus.query(selector);
        expect({ alert, selector, series: series.length > 0 }).toEqual({ alert, selector, series: true });
      }
    }
    for (const { title, expr } of PANELS) {
      const shown = await prometheus.query(expr);
      if (isConditional(expr)) continue;
      expect({ title, expr, shown: shown.length > 0 }).toEqual({ title, expr, shown: true });
    }
    // What the page says is true.
    const value = async (expr: string): Promise<number> => Number((await prometheus.query(expr))[0]?.value[1]);
    expect(await value('sum(relight_accounts{verdict="healthy"})')).toBe(2);
    expect(await value("relight_time_to_recover_seconds_count")).toBeGreaterThan(0);
    expect(await value("relight_soonest_expiration_timestamp_seconds - time()")).toBeGreaterThan(80 * 86_400);
  });
});
