import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { BENCHMARKS } from "../lab/bench/benchmarks.ts";
import { type Compared, type Contestant, compare, summaryOf } from "../lab/bench/frame.ts";
import { timed } from "../lab/bench/processes.ts";
import { replaying } from "../lab/bench/replay.ts";
import { section, table, withSection } from "../lab/bench/report.ts";
import { waitFor } from "../lab/wait.ts";

/** The frame of the benchmarks. No test measures anything. */

test.each([
  [[], undefined],
  [[3], { median: 3, least: 3, most: 3 }],
  [[9, 1, 4], { median: 4, least: 1, most: 9 }],
  [[4, 1, 9, 2], { median: 3, least: 1, most: 9 }],
])("the summary of %j", (values, summary) => {
  expect(summaryOf(values)).toEqual(summary);
});

describe("a comparison", () => {
  const signal = new AbortController().signal;
  const taking = (name: string, seconds: readonly number[], done: string[], rounds?: number): Contestant => ({
    name,
    run: async (round) => {
      done.push(`${name} ${round}`);
      return { seconds: seconds[round - 1] ?? 0 };
    },
    ...(rounds === undefined ? {} : { rounds }),
  });

  test("runs everybody in turn, and compares each round with the baseline's in the same round", async () => {
    const done: string[] = [];
    const others = [
      taking("Relight", [2, 8], done),
      taking("slow", [100], done, 1),
      { name: "nsc", missing: "no nsc" },
    ];
    const baseline = taking("bare", [1, 2], done);
    const { rows } = await compare({ work: "w", baseline, others }, { rounds: 2, say: () => undefined, signal });
    expect(done).toEqual(["bare 1", "Relight 1", "slow 1", "bare 2", "Relight 2"]);
    expect(rows.map(({ name, ratios, missing }) => [name, ratios, missing])).toEqual([
      ["bare", [], undefined],
      ["Relight", [2, 4], undefined],
      ["slow", [100], undefined],
      ["nsc", [], "no nsc"],
    ]);
  });

  test("ends between two runs when it is stopped", async () => {
    const stopped = new AbortController();
    const run = async () => {
      stopped.abort();
      return { seconds: 1 };
    };
    const baseline = { name: "bare", run };
    const others = [{ name: "Relight", run: () => Promise.reject(new Error("it ran")) }];
    const running = compare(
      { work: "w", baseline, others },
      { rounds: 1, say: () => undefined, signal: stopped.signal },
    );
    await expect(running).rejects.toThrow(/abort/);
  });
});

describe("the document", () => {
  const compared: Compared = {
    work: "1,000 accounts",
    rows: [
      { name: "a bare client", samples: [{ seconds: 0.5 }, { seconds: 0.25 }, { seconds: 1 }], ratios: [] },
      {
        name: "`relight run`",
        aim: { times: 8, megabytes: 150 },
        samples: [{ seconds: 3, megabytes: 120.4 }],
        ratios: [6],
      },
      { name: "`relight --help`", aim: { seconds: 0.1 }, samples: [{ seconds: 0.17 }], ratios: [0.34] },
      { name: "`nsc`", samples: [], ratios: [], missing: "not on the PATH" },
    ],
  };
  const benchmark = { name: "some", title: "Some", about: "About it.", run: async () => undefined };

  test("a table has medians, spread, ratios and the aim of each row, names missing programs, and leaves out empty columns", () => {
    expect(table([compared]).split("\n")).toEqual([
      "| work | by | time | of the baseline | aim | memory |",
      "|---|---|---|---|---|---|",
      "| 1,000 accounts | a bare client | 500 ms (250 ms – 1.00 s) | 1 |  |  |",
      "|  | `relight run` | 3.00 s | 6.0 × | 8.0 ×, 150 MB: met | 120 MB |",
      "|  | `relight --help` | 170 ms | 0.3 × | 100 ms: missed |  |",
      "|  | `nsc`: not on the PATH |  |  |  |  |",
    ]);
  });

  test("a benchmark's section replaces its last one, and leaves the others", () => {
    const at = (day: string) => section(benchmark, [compared], { rounds: 3, day });
    const first = withSection("# Head\n", "some", at("2030-01-01"));
    const both = withSection(
      first,
      "other",
      section({ ...benchmark, name: "other" }, [], { rounds: 1, day: "2030-01-02" }),
    );
    expect(withSection(both, "some", at("2031-01-01"))).toBe(both.replace("2030-01-01", "2031-01-01"));
  });
});

test("every benchmark has its own name", () => {
  expect(new Set(BENCHMARKS.map(({ name }) => name)).size).toBe(BENCHMARKS.length);
});

test("a program that is measured ends with Ctrl-C", async () => {
  const stopped = new AbortController();
  const script = "console.log('began'); setInterval(() => {}, 1_000)";
  const running = timed({ signal: stopped.signal }, process.execPath, ["-e", script], { cwd: import.meta.dirname });
  stopped.abort();
  await expect(running).rejects.toThrow(/abort/);
});

test("a recorded list stands for the server's own, and all else is the server's", async () => {
  const folder = await mkdtemp(join(tmpdir(), "relight-replay-"));
  await writeFile(join(folder, "answers"), "A1|one\nA2|two\nA3|three\n");
  const server = createServer((socket) => {
    socket.write("INFO {}\r\n");
    socket.on("data", (sent) => socket.write(`MSG heard 1 ${sent.length}\r\n${sent}\r\n`)).on("error", () => undefined);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using replay = await replaying(url, { file: join(folder, "answers"), count: 2, perSecond: 1_000 });
    const client = connect(Number(new URL(replay.url).port), "127.0.0.1");
    let text = "";
    client.on("data", (chunk) => (text += chunk));
    // In two parts, as the network may cut them.
    client.write("SUB in.* 7\r\nPUB $SYS.REQ.CLAIMS.PACK in.1 0\r");
    await waitFor("the first part to arrive", () => text.includes("SUB"));
    client.write("\n\r\nPING\r\n");
    await waitFor("all to arrive", () => text.endsWith("PING\r\n\r\n"));
    const list = "MSG in.1 7 6\r\nA1|one\r\nMSG in.1 7 6\r\nA2|two\r\nMSG in.1 7 0\r\n\r\n";
    expect(text).toContain(list);
    expect(text.replace(list, "")).toBe("INFO {}\r\nMSG heard 1 12\r\nSUB in.* 7\r\n\r\nMSG heard 1 6\r\nPING\r\n\r\n");
    client.destroy();
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("--help and a wrong name", async () => {
  const main = join(import.meta.dirname, "..", "lab", "bench", "main.ts");
  const run = (...args: string[]): Promise<readonly [number | null, string]> =>
    new Promise((resolve) => {
      const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
      let text = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
      child.once("close", (code) => resolve([code, text]));
    });
  expect(await run("--help")).toEqual([0, expect.stringContaining(BENCHMARKS[0]?.title ?? "")]);
  expect(await run("nothing")).toEqual([3, expect.stringContaining("no benchmark is called nothing")]);
});
