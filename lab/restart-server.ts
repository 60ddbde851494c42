/**
 * Restarts the lab's server with this `server_name`, as a service manager would: `node lab/restart-server.ts NAME
 * FOLDER…`. Exits when the new server is ready. The new server is not a child of the first one's starter: stop it with
 * {@link endServer}.
 */
import { spawn } from "node:child_process";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "./alive.ts";
import { PANICS } from "./nats-server.ts";
import { waitFor } from "./wait.ts";

/** The file of lab/nats-server.ts: the starter's and the server's process id. */
interface Owner {
  readonly owner: number;
  readonly server: number;
}

const ownerOf = async (folder: string): Promise<Owner> =>
  JSON.parse(await readFile(join(folder, "owner.json"), "utf8")) as Owner;

/** The process id of the server that runs in this folder. */
export const processIdOf = async (folder: string): Promise<number> => (await ownerOf(folder)).server;

/** Stops the server that runs in this folder. */
export async function endServer(folder: string): Promise<void> {
  const pid = await processIdOf(folder);
  if (!isAlive(pid)) return;
  process.kill(pid, "SIGTERM");
  await waitFor("the server to end", () => !isAlive(pid));
}

async function restart(folder: string): Promise<void> {
  const { owner, server } = await ownerOf(folder);
  const [binary = "", ...args] = (await readFile(`/proc/${server}/cmdline`, "utf8")).split("\0").filter(Boolean);
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
  throw new Error(`no folder belongs to the server ${name}`);
}

if (process.argv[1] === import.meta.filename) {
  const [name = "", ...folders] = process.argv.slice(2);
  await restart(await folderOf(name, folders));
}
