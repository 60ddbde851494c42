import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "@jest/globals";
import { freePorts } from "../../lab/nats-server.ts";
import { waitFor } from "../../lab/wait.ts";

const FOLDER = process.env["RELIGHT_PROMETHEUS"] ?? "/usr/bin";
const [SERVER, TOOL] = [join(FOLDER, "prometheus"), join(FOLDER, "promtool")] as const;

/** A suite that needs Prometheus and promtool; without them it is skipped, and says so loudly. */
export function describePrometheus(name: string, suite: () => void): void {
  if (existsSync(SERVER) && existsSync(TOOL)) {
    describe(name, suite);
    return;
  }
  console.warn(`SKIPPED, NOT TESTED: "${name}" needs prometheus and promtool, and ${FOLDER} lacks them`);
  describe.skip(name, suite);
}

/** Runs promtool in `cwd`. @throws Error with its output */
export function promtool(args: readonly string[], options: { readonly input?: string; readonly cwd?: string } = {}) {
  return execFileSync(TOOL, args, { ...options, encoding: "utf8", stdio: "pipe" });
}

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

export interface Prometheus extends AsyncDisposable {
  /** The result of a query now. @throws Error if Prometheus refuses it */
  query(expression: string): Promise<readonly Sample[]>;
}

/** Starts a Prometheus that scrapes `target` (HOST:PORT) once a second as the job `relight`. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), "relight-prometheus-"));
  const [port] = await freePorts(1);
  const scrape = { job_name: "relight", static_configs: [{ targets: [target] }] };
  const config = { global: { scrape_interval: "1s", scrape_timeout: "1s" }, scrape_configs: [scrape] };
  await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
  const flags = [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`];
  const child = spawn(SERVER, [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" });
  const query: Prometheus["query"] = async (expression) => {
    const body = new URLSearchParams({ query: expression });
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query`, { method: "POST", body });
    const answer = (await response.json()) as { error?: string; data?: { result: readonly Sample[] } };
    if (answer.data === undefined) throw new Error(`${expression}: ${answer.error}`);
    return answer.data.result;
  };
  const prometheus = { query, [Symbol.asyncDispose]: () => stop(child, folder) };
  try {
    await waitFor(
      "a scrape",
      () =>
        query("up == 1").then(
          ({ length }) => length > 0,
          () => false,
        ),
      { timeout: 60_000 },
    );
    return prometheus;
  } catch (error) {
    await prometheus[Symbol.asyncDispose]();
    throw error;
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}
