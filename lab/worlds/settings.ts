import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { World } from "../world.ts";
import type { WorldPlan } from "./plan.ts";

const RESTART = join(import.meta.dirname, "..", "restart-server.ts");

/** Sets what Relight knows and may do, in its configuration. */
export async function settle({ home, servers }: World, plan: WorldPlan): Promise<void> {
  const file = join(home, "relight.yaml");
  let text = await readFile(file, "utf8");
  if (!plan.hasAccountKey) text = text.replace("    signingKey: file:app.nk\n", "");
  if (plan.allowsMemoryLoss) text = text.replace("policy:\n", "policy:\n  allowMemoryLoss: true\n");
  await writeFile(file, text);
  if (plan.canRestart) await allowRestarts({ home, servers });
}

/** Configures a way to restart servers. */
export async function allowRestarts({ home, servers }: Pick<World, "home" | "servers">): Promise<void> {
  const command = [process.execPath, RESTART, "{name}", ...servers.map(({ folder }) => folder)];
  const file = join(home, "relight.yaml");
  await appendFile(file, `restart:\n  command: ${JSON.stringify(command)}\n  timeout: 1m\n`);
}
