import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive } from "./alive.ts";
import { waitFor } from "./wait.ts";

/** A nats-server on loopback in a temporary folder. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string;
  readonly folder: string;
  pid(): number | undefined;
  log(): Promise<string>;
  /** What it wrote when it crashed; empty if it never did. */
  panics(): Promise<string>;
  /** Stops it with SIGTERM, then SIGKILL. The folder stays until disposal. */
  stop(): Promise<void>;
  /** Kills it at once, like a crash. */
  kill(): Promise<void>;
  /** Starts it again with the same port and store. */
  start(): Promise<void>;
}

export interface ServerOptions {
  readonly binary: string;
  /** The configuration, given the server's folder. */
  readonly config: (folder: string) => string;
  /** The client port; by default a free one. */
  readonly port?: number | undefined;
}

const PREFIX = "relight-lab-";
/** The file in a server's folder with its starter's and its own process id, for {@link reapServers}. */
const OWNER = "owner.json";

/** The file in a server's folder with its standard error. */
export const PANICS = "server.err";

const children = new Set<ChildProcess>();
// Kill all servers when this process ends, unless it ends by SIGKILL.
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** Stops servers whose starter was killed, and removes their folders. Returns their number. */
export async function reapServers(): Promise<number> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(PREFIX));
  const reaped = await Promise.all(names.map((name) => reap(join(tmpdir(), name))));
  return reaped.filter(Boolean).length;
}

async function reap(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, OWNER), "utf8").catch(() => undefined);
  // Empty while it is being written.
  if (text === undefined || text === "") return false;
  const { owner, server } = JSON.parse(text) as { owner: number; server: number };
  if (isAlive(owner)) return false;
  // The id may belong to another program now; only one that runs this folder is ours.
  const command = await readFile(`/proc/${server}/cmdline`, "utf8").catch(() => folder);
  if (isAlive(server) && command.includes(folder)) process.kill(server, "SIGKILL");
  await rm(folder, { recursive: true, force: true });
  return true;
}

/** @throws Error with the end of the server's log if it does not listen within ten seconds. */
export async function startServer({ binary, config, port: wanted }: ServerOptions): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  const port = wanted ?? (await freePorts(1))[0];
  const file = join(folder, "server.conf");
  const logFile = join(folder, "server.log");
  await writeFile(file, `listen: "127.0.0.1:${port}"\nlog_file: "${logFile}"\n${config(folder)}`);
  const log = (): Promise<string> => readFile(logFile, "utf8").catch(() => "");
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const seen = (await log()).length;
    // A panic goes to standard error, not to the log.
    const errors = await open(join(folder, PANICS), "a");
    const started = spawn(binary, ["-c", file], { stdio: ["ignore", "ignore", errors.fd] });
    await errors.close();
    children.add(started);
    child = started;
    await writeFile(join(folder, OWNER), JSON.stringify({ owner: process.pid, server: started.pid }));
    const isReady = async (): Promise<boolean> => {
      if (started.exitCode !== null) throw new Error(`nats-server ended at once:\n${(await log()).slice(-2000)}`);
      return (await log()).slice(seen).includes("Server is ready");
    };
    await waitFor("nats-server to listen", isReady);
  }

  async function end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const ending = child;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    ending.kill(signal);
    const hasEnded = (): boolean => ending.exitCode !== null || ending.signalCode !== null;
    await waitFor("nats-server to end", hasEnded).catch(() => ending.kill("SIGKILL"));
    children.delete(ending);
  }

  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    folder,
    log,
    start,
    panics: () => readFile(join(folder, PANICS), "utf8").catch(() => ""),
    pid: () => (child?.exitCode === null && child.signalCode === null ? child.pid : undefined),
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    [Symbol.asyncDispose]: async () => {
      // The folder is removed anyway, so the server need not shut down properly.
      await end("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/** Distinct free ports. Holds all of them before releasing any, because otherwise the same port could be returned twice. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const probes = await Promise.all(Array.from({ length: count }, () => holdPort()));
  const ports = probes.map(({ port }) => port);
  await Promise.all(probes.map(({ release }) => release()));
  return ports;
}

function holdPort(): Promise<{ readonly port: number; readonly release: () => Promise<void> }> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      resolve({ port, release: () => new Promise((released) => probe.close(() => released())) });
    });
  });
}
