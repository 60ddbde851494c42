/** Installs moto, the AWS emulator of the tests, into its own folder: `node lab/moto.ts`. Does nothing if it is installed. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { isAlive } from "./alive.ts";
import { waitFor } from "./wait.ts";

export const MOTO_VERSION = "5.2.5";
/**
 * Pinned, because newer versions report other problems of the template. Installations are identified by moto's version
 * only, so raise both together.
 */
const CFN_LINT_VERSION = "1.58.0";

const CACHE = join(import.meta.dirname, "..", ".cache");
const FOLDER = join(CACHE, "moto-venv");
/** Written last, so an incomplete folder never counts as installed. */
const DONE = join(FOLDER, "relight-moto-version");
const LOCK = join(CACHE, "moto-venv.lock");
const PYTHON = process.platform === "win32" ? join(FOLDER, "Scripts", "python.exe") : join(FOLDER, "bin", "python");

/** The folder with patches for moto. */
const PATCHES = join(import.meta.dirname, "..", "scripts");

/** In milliseconds; installing over a slow connection takes minutes. */
const INSTALL_TIMEOUT = 300_000;

const run = promisify(execFile);

export type MotoInstall =
  | { readonly ok: true; readonly python: string }
  | { readonly ok: false; readonly missing: string };

/** Moto's Python, installed if necessary, or what is missing. Safe to call from several processes. */
export async function installMoto(): Promise<MotoInstall> {
  if (await isInstalled()) return { ok: true, python: PYTHON };
  try {
    await withLock(install);
    return { ok: true, python: PYTHON };
  } catch (cause) {
    return { ok: false, missing: whatIsMissing(cause) };
  }
}

async function isInstalled(): Promise<boolean> {
  const version = await readFile(DONE, "utf8").catch(() => undefined);
  return version === MOTO_VERSION;
}

async function install(): Promise<void> {
  if (await isInstalled()) return;
  const options = { timeout: INSTALL_TIMEOUT };
  await rm(FOLDER, { recursive: true, force: true });
  await run("python3", ["-m", "venv", FOLDER], options);
  const packages = [`moto[server]==${MOTO_VERSION}`, `cfn-lint==${CFN_LINT_VERSION}`];
  await run(PYTHON, ["-m", "pip", "install", "--quiet", ...packages], options);
  await writeFile(DONE, MOTO_VERSION);
}

/** One process installs, the others wait for it. */
async function withLock(work: () => Promise<void>): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  await waitFor(`the lock ${LOCK}`, takeLock, { interval: 250, timeout: INSTALL_TIMEOUT });
  try {
    await work();
  } finally {
    await rm(LOCK, { force: true });
  }
}

async function takeLock(): Promise<boolean> {
  try {
    await writeFile(LOCK, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    const holder = Number(await readFile(LOCK, "utf8").catch(() => ""));
    // A killed process can't release its lock.
    if (holder > 0 && !isAlive(holder)) await rm(LOCK, { force: true });
    return false;
  }
}

function whatIsMissing(cause: unknown): string {
  const { code, message, stderr = "" } = cause as { code?: unknown; message: string; stderr?: string };
  if (code === "ENOENT") return "python3 is not installed";
  const lastLine = stderr.trim().split("\n").at(-1);
  return `moto ${MOTO_VERSION} can't be installed: ${lastLine || message}`;
}

/**
 * Moto ends when its standard input closes, so it does not outlive a killed test process. With port 0 the system chooses a
 * free port, which moto prints. The patches are applied before it starts.
 */
const SERVE = `
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import moto_atomic, moto_ed25519, moto_rotation
moto_atomic.install()
moto_ed25519.install()
moto_rotation.install()
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
`;

/** Starts the server. It prints its address to standard error once it listens. */
export function spawnMoto(python: string): ChildProcess {
  const env = { PATH: process.env["PATH"] ?? "", PYTHONUNBUFFERED: "1" };
  return spawn(python, ["-c", SERVE, PATCHES], { env, stdio: ["pipe", "ignore", "pipe"] });
}

if (process.argv[1] === import.meta.filename) {
  const installed = await installMoto();
  console.log(installed.ok ? `moto ${MOTO_VERSION} is installed` : installed.missing);
  process.exitCode = installed.ok ? 0 : 1;
}
