import { existsSync } from "node:fs";
import { systemClock } from "../adapters/local/clock.ts";
import { sqliteJournal } from "../adapters/local/sqlite-journal.ts";
import { loadConfig } from "../config/config.ts";
import { contextNames } from "../config/nats-context.ts";
import { resolvePath } from "../files/paths.ts";
import type { Environment } from "./adapters-of.ts";

export { contextNames };

/**
 * The names of accounts in the configuration and in a journal on this machine; of accounts without a name the ids.
 * Connects to nothing and creates nothing. Empty if there is no usable configuration.
 */
export async function knownNames(configFile: string, env: Environment): Promise<readonly string[]> {
  const config = await loadConfig(configFile, { ...env }).catch(() => undefined);
  if (config === undefined) return [];
  const names = new Map<string, string>(config.accounts.map(({ id, name }) => [id, name ?? ""]));
  const path = resolvePath(config.baseDir, config.journal.replace(/^sqlite:/, ""));
  if (config.journal.startsWith("sqlite:") && existsSync(path)) {
    await using journal = await sqliteJournal({ path, clock: systemClock, scrub: (entry) => entry });
    for await (const { account, name } of journal.accounts())
      if (account !== "-" && !names.get(account)) names.set(account, name);
  }
  return [...new Set([...names].map(([id, name]) => name || id))].toSorted();
}
