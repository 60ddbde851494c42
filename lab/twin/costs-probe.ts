/**
 * Loaded into a function's process by `node --import`. Writes what the process used, in total and for its imports, as the
 * last line of standard error.
 */
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";
import { IMPORTED } from "./runtime-channel.ts";

/** CPU time of all threads and wall time so far, in milliseconds. */
export interface Used {
  readonly cpu: number;
  readonly wall: number;
}

/** One line; `memory` is the peak resident memory in megabytes. */
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
  // Nothing asynchronous runs after this.
  writeSync(2, `${JSON.stringify(line)}\n`);
});
