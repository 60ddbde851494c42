import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { serverBinary } from "../server-binaries.ts";
import { createWorld } from "../world.ts";
import type { Bench, Benchmark, Sample } from "./frame.ts";
import { relight, timed } from "./processes.ts";

const VERSION = "2.10.27";
const ROOT = join(import.meta.dirname, "..", "..");
const FUNCTIONS = ["sweep", "remediate", "issuer-webhook", "manual", "rotate-credentials", "escalate", "api"] as const;

export const starts: Benchmark = {
  name: "starts",
  title: "Starting",
  about: `**A cold start** imports a function's bundle in a new process; only the import is timed, not the start of Node. The baseline is
a handler that imports nothing but the NATS client, bundled in the same way. Each function also needs clients of AWS: of
DynamoDB alone they take three times as long as the NATS client. **The command** is timed from the start of the process to
its end, beside a Node that does nothing: \`relight --help\`, and \`relight status\` of one account with its connection to one
server on this machine.`,
  servers: [VERSION],
  run: async (bench) => {
    const folder = await mkdtemp(join(tmpdir(), "relight-starts-"));
    try {
      await compareFunctions(bench, await bareHandler(folder));
      await compareCommands(bench, folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function compareFunctions(bench: Bench, bare: string): Promise<void> {
  await bench.compare({
    work: "importing a function",
    baseline: { name: "a handler with the NATS client", run: () => imported(bench, bare) },
    others: FUNCTIONS.map((name) => ({
      name: `\`${name}\``,
      aim: { times: 1.5 },
      run: () => imported(bench, join(ROOT, "dist", "functions", `${name}.mjs`)),
    })),
  });
}

async function compareCommands(bench: Bench, folder: string): Promise<void> {
  const { path: binary } = await serverBinary(VERSION, bench.say);
  await using world = await createWorld({ binary });
  await bench.compare({
    work: "starting the command",
    baseline: {
      name: "`node -e 0`",
      run: async () => secondsOf(await timed(bench, process.execPath, ["-e", "0"], { cwd: folder })),
    },
    others: [
      {
        name: "`relight --help`",
        aim: { seconds: 0.1 },
        run: async () => secondsOf(await relight(bench, folder, "--help")),
      },
      {
        name: "`relight status --json`",
        aim: { seconds: 0.3 },
        run: async () => {
          const { stdout, ...sample } = await relight(bench, world.home, "status", "--json");
          const { accounts } = JSON.parse(stdout) as { accounts: readonly unknown[] };
          // The system account is one of them.
          if (accounts.length !== 2) throw new Error(`it showed ${accounts.length} accounts`);
          return secondsOf(sample);
        },
      },
    ],
  });
}

const secondsOf = ({ seconds, megabytes }: Sample): Sample => ({
  seconds,
  ...(megabytes === undefined ? {} : { megabytes }),
});

/** A handler that connects and does nothing else. */
async function bareHandler(folder: string): Promise<string> {
  const outfile = join(folder, "bare.mjs");
  const contents = `import { connect } from "@nats-io/transport-node";
export const handler = async ({ servers }) => (await connect({ servers })).close();`;
  await build({
    stdin: { contents, resolveDir: ROOT },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    minify: true,
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  return outfile;
}

/** Prints how long the import took, in milliseconds; what the module leaves open is not waited for. */
const IMPORT = `const began = performance.now();
await import(process.argv[1]);
console.log(performance.now() - began);
process.exit();`;

async function imported(bench: Bench, file: string): Promise<Sample> {
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", IMPORT];
  const { stdout, stderr } = await timed(bench, process.execPath, [...args, pathToFileURL(file).href], { cwd: ROOT });
  const seconds = Number(stdout) / 1000;
  if (!(seconds > 0)) throw new Error(`${file} can't be imported: ${stderr.slice(0, 2_000)}`);
  return { seconds };
}
