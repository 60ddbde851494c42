/**
 * Loaded into a function's process by `node --import`: tells on its last line of standard error what the process
 * used, all in all and up to the end of its imports.
 */
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { IMPORTED } from "./runtime-channel.ts";

/** What the process used so far: CPU time of all threads and wall time, in milliseconds. */
export interface Used {
  readonly cpu: number;
  readonly wall: number;
}

/** One line; `memory` is the most that was resident, in megabytes. */
export interface ProbeLine {
  readonly probe: { readonly imported: Used; readonly end: Used; readonly memory: number };
}

function used(): Used {
  const { user, system } = process.cpuUsage();
  return { cpu: (user + system) / 1000, wall: performance.now() };
}

let imported = used();
subscribe(IMPORTED, () => {
  imported = used();
});
process.once("exit", () => {
  const memory = process.resourceUsage().maxRSS / 1024;
  const line: ProbeLine = { probe: { imported, end: used(), memory } };
  // Nothing asynchronous is done after this.
  writeSync(2, `${JSON.stringify(line)}\n`);
});
