/**
 * Restarts one server of the lab, as a service manager would: `node lab/restart-server.ts NAME FOLDER…`. It is the
 * one whose configuration has that `server_name`; it ends when the server that took its place is ready.
 * That one is not the child of whoever started the first: end it with {@link endServer}.
 */
import { spawn } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "./alive.ts";
import { PANICS } from "./nats-server.ts";
import { waitFor } from "./wait.ts";

/** As lab/nats-server.ts writes it: who started the server, and the server's own process id. */
interface Owner {
  readonly owner: number;
  readonly server: number;
}

const ownerOf = async (folder: string): Promise<Owner> =>
  JSON.parse(await readFile(join(folder, "owner.json"), "utf8")) as Owner;

/** The process id of the server that now runs in this folder, whoever started it. */
export const processIdOf = async (folder: string): Promise<number> => (await ownerOf(folder)).server;

/** Ends the server that now runs in this folder, whoever started it. */
export async function endServer(folder: string): Promise<void> {
  const pid = await processIdOf(folder);
  if (!isAlive(pid)) return;
  process.kill(pid, "SIGTERM");
  await waitFor("the server to end", () => !isAlive(pid));
}

async function restart(folder: string): Promise<void> {
  const { owner, server } = await ownerOf(folder);
  const [binary = "", ...args] = (await readFile(`/proc/${server}/cmdline`, "utf8"))
    .split("\0")
    .filter(Boolean);
  await endServer(folder);
  const log = (): Promise<string> => readFile(join(folder, "server.log"), "utf8");
  const seen = (await log()).length;
  const errors = await open(join(folder, PANICS), "a");
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", errors.fd], detached: true });
  await errors.close();
  child.unref();
  await writeFile(join(folder, "owner.json"), JSON.stringify({ owner, server: child.pid }));
  await waitFor("nats-server to listen", async () => (await log()).slice(seen).includes("Server is ready"));
}

async function folderOf(name: string, folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    const config = await readFile(join(folder, "server.conf"), "utf8");
    if (config.split("\n").includes(`server_name: ${name}`)) return folder;
  }
  throw new Error(`none of the folders is of the server ${name}`);
}

if (process.argv[1] === import.meta.filename) {
  const [name = "", ...folders] = process.argv.slice(2);
  await restart(await folderOf(name, folders));
}
