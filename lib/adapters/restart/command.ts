import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatDuration, type Millis, millis } from "../../domain/time/time.ts";
import type { Restarter } from "../../ports/remedies.ts";
import { assertHarmless, type RedactText, restartFailed, type Server } from "./server.ts";

export interface CommandSettings {
  /** The program and its arguments; `{name}` and `{id}` are replaced by the server's. No shell is involved. */
  readonly command: readonly string[];
  /** How long it may run. Then it gets SIGTERM, and after {@link grace} SIGKILL. */
  readonly timeout: Millis;
  /** Relight's environment, of which it gets {@link PASSED_ON} and `passes`. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Further variables that it needs. */
  readonly passes?: readonly string[];
  readonly redactText: RedactText;
  readonly grace?: Millis;
  /** The folder for the file with its standard error; by default the system's temporary folder. */
  readonly folder?: string;
}

/**
 * What programs need to run and to find their own login. Other variables may be Relight's secrets, which a program that
 * restarts servers has no business with.
 */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|TEMP|TMP|XDG_\w+|SSH_AUTH_SOCK|DBUS_SESSION_BUS_ADDRESS|DOCKER_HOST|KUBECONFIG|KUBERNETES_\w+|SystemRoot|ComSpec|PATHEXT|USERPROFILE|APPDATA)$/i;

function environmentOf({ env, passes = [] }: CommandSettings, server: Server): NodeJS.ProcessEnv {
  const passed = Object.entries(env).filter(([name]) => PASSED_ON.test(name) || passes.includes(name));
  return { ...Object.fromEntries(passed), RELIGHT_SERVER_NAME: server.name, RELIGHT_SERVER_ID: server.id };
}

/** How much of the end of the command's standard error goes into an error. */
const TAIL = { bytes: 4_096, lines: 5 };

/**
 * Restarts servers with a command. Exit code 0 means success. Its standard output is dropped; the last lines of its
 * standard error explain a failure.
 */
export function commandRestarter(settings: CommandSettings): Restarter {
  return {
    restart: async (server) => {
      assertHarmless(server);
      const errors = await errorsFile(settings, server);
      try {
        await run(settings, server, errors);
      } finally {
        await errors.close();
      }
    },
  };
}

/**
 * An unlinked file for the command's standard error. Not a pipe, because a closed pipe would kill a server that the
 * command leaves running (SIGPIPE).
 * @throws RelightError `restart.failed` if the file can't be created, for instance on a full or read-only disk.
 */
async function errorsFile({ folder = tmpdir() }: CommandSettings, server: Server): Promise<FileHandle> {
  try {
    const own = await mkdtemp(join(folder, "relight-restart-"));
    const file = await open(join(own, "stderr"), "w+");
    await rm(own, { recursive: true, force: true }).catch(() => undefined);
    return file;
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    const why = `can't create a file in ${folder} (${code}); set TMPDIR to another folder`;
    throw restartFailed(server, why, { begun: false, reason: code });
  }
}

async function run(settings: CommandSettings, server: Server, errors: FileHandle): Promise<void> {
  const { timeout, grace = millis(5_000), redactText } = settings;
  const child = await started(settings, server, errors);
  const ended = endOf(child);
  if (!(await within(timeout, ended))) {
    await end(child, ended, grace);
    throw restartFailed(server, `the command did not end within ${formatDuration(timeout)} and was stopped`, {
      begun: true,
      timeout,
    });
  }
  const { exitCode, signalCode } = child;
  if (exitCode === 0) return;
  const how = exitCode === null ? `was killed by ${signalCode}` : `ended with exit code ${exitCode}`;
  const stderr = redactText(await tail(errors));
  throw restartFailed(server, `the command ${how}${stderr === "" ? "" : `: ${stderr}`}`, {
    begun: true,
    exitCode,
    signal: signalCode,
    stderr,
  });
}

/** @throws RelightError `restart.failed` if the program does not exist or can't be started. */
async function started(settings: CommandSettings, server: Server, errors: FileHandle): Promise<ChildProcess> {
  const [program = "", ...args] = settings.command.map((argument) => filled(argument, server));
  const child = spawn(program, args, {
    stdio: ["ignore", "ignore", errors.fd],
    env: environmentOf(settings, server),
    // In its own process group: Ctrl-C must not stop a restart halfway, and the time limit must stop all its processes.
    detached: true,
  });
  try {
    await once(child, "spawn");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "was not found" : `could not be started (${code})`;
    throw restartFailed(server, `the command "${settings.redactText(program)}" ${why}`, {
      begun: false,
      reason: code ?? null,
    });
  }
  return child;
}

function filled(argument: string, { id, name }: Server): string {
  return argument.replaceAll(/\{(name|id)\}/g, (_, which) => (which === "id" ? id : name));
}

function endOf(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null ? once(child, "exit") : Promise.resolve();
}

async function within(limit: Millis, ended: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), limit);
  });
  try {
    return await Promise.race([ended.then(() => true), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends the command and everything in its process group. */
async function end(child: ChildProcess, ended: Promise<unknown>, grace: Millis): Promise<void> {
  signal(child, "SIGTERM");
  await within(grace, ended);
  // Even if the command has ended, its children may still run.
  signal(child, "SIGKILL");
  await ended;
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // The group does not exist, or the system has no groups (Windows).
    child.kill(name);
  }
}

/** The last lines of the file. */
async function tail(file: FileHandle): Promise<string> {
  const { size } = await file.stat();
  const length = Math.min(size, TAIL.bytes);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return buffer.toString().trim().split("\n").slice(-TAIL.lines).join("\n");
}
