import { once } from "node:events";
import { createInterface } from "node:readline";
import { installMoto, spawnMoto } from "../moto.ts";

/** How long moto may take to start, in milliseconds; importing it takes seconds on a busy machine. */
const READY_TIMEOUT = 60_000;

/** Settings for AWS clients: moto's address and dummy credentials. */
export interface MotoSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export type Moto =
  | { readonly ok: true; readonly settings: MotoSettings; readonly stop: () => Promise<void> }
  | { readonly ok: false; readonly missing: string };

/** Starts moto as an empty AWS, or returns what is missing. */
export async function startMoto(): Promise<Moto> {
  const installed = await installMoto();
  if (!installed.ok) return installed;
  const server = spawnMoto(installed.python);
  const stop = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill();
    await once(server, "exit");
  };
  try {
    const endpoint = await addressOf(server);
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    return { ok: true, settings: { endpoint, region: "eu-central-1", credentials }, stop };
  } catch (cause) {
    await stop();
    return { ok: false, missing: `moto does not start: ${(cause as Error).message}` };
  }
}

async function addressOf(server: ReturnType<typeof spawnMoto>): Promise<string> {
  const { stderr } = server;
  if (stderr === null) throw new Error("it has no standard error");
  const lines = createInterface({ input: stderr });
  const output: string[] = [];
  const timer = setTimeout(() => lines.close(), READY_TIMEOUT);
  for await (const line of lines) {
    output.push(line);
    const [, address] = /Running on (http:\/\/127\.0\.0\.1:\d+)/.exec(line) ?? [];
    if (address === undefined) continue;
    clearTimeout(timer);
    // It logs every request; without reading, the pipe would fill up and block moto.
    stderr.resume();
    return address;
  }
  clearTimeout(timer);
  throw new Error(output.slice(-3).join(" | ") || "no output");
}
