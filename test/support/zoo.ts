import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { endServer } from "../../lab/restart-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { fillZoo, type ZooOptions } from "../../lab/zoo.ts";
import { relight } from "./relight.ts";

/** A cluster that has one of everything, and what the tests of its recoveries check. */
export async function zoo(version: string, options: ZooOptions = {}): Promise<World> {
  const world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
  await fillZoo(world, options);
  // Relight sees it while it is healthy, as in the field, and records its memory assets.
  const buckets = options.bucketReplicas === 1 ? 2 : 4;
  const copies = options.copies === false ? 0 : 3;
  const [streams, consumers] = [6 + buckets + copies, options.ephemeral === false ? 5 : 6];
  const { json } = await relight(world, "verify", "APP", "--json");
  expect(json).toMatchObject({ verdict: "healthy", findings: [], streams, consumers });
  return world;
}

/** Lets Relight restart servers, as a service manager would. */
export async function allowRestarts({ home, servers }: World): Promise<AsyncDisposable> {
  const script = join(import.meta.dirname, "..", "..", "lab", "restart-server.ts");
  const folders = servers.map(({ folder }) => folder);
  const command = JSON.stringify([process.execPath, script, "{name}", ...folders]);
  await appendFile(`${home}/relight.yaml`, `restart:\n  command: ${command}\n`);
  // A restarted server is no longer the lab's child.
  return { [Symbol.asyncDispose]: async () => void (await Promise.all(folders.map(endServer))) };
}

export async function assertNoPanic({ servers }: World): Promise<void> {
  for (const server of servers) expect(await server.panics()).toBe("");
}

/** What the restart itself lost, before Relight came: memory assets. Copies of them do not count. */
export function withoutMemory(state: Record<string, unknown>): Record<string, unknown> {
  const { MEM, MEM3, ...rest } = state;
  return rest;
}
