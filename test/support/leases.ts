import { DatabaseSync } from "node:sqlite";
import type { World } from "../../lab/world.ts";

/** Lets every lease expire: a killed job can't release its own, and it lasts for half a minute. */
export function endLeases({ home }: Pick<World, "home">): void {
  const database = new DatabaseSync(`${home}/relight.sqlite`, { timeout: 5_000 });
  try {
    database.exec("UPDATE leases SET until = 0");
  } finally {
    database.close();
  }
}
