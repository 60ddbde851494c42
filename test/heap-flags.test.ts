import { spawnSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { HEAP_FLAGS } from "../lib/adapters/nats/jwt/listing.ts";

/** V8's flags come and go with its versions. */
test("this Node.js knows the flags that keep the heap small, so they print nothing", () => {
  const script = `for (const flag of ${JSON.stringify(HEAP_FLAGS)}) require("node:v8").setFlagsFromString(flag);`;
  const { status, stderr } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
