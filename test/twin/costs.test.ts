import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { routineLook, startMeasuredTwin } from "../../lab/twin/costs-measure.ts";
import { BEGIN, END, readMeasured } from "../../lab/twin/costs-table.ts";
import type { Twin } from "../../lab/twin/twin.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/** A routine check is nearly the whole bill of many accounts, so docs/deploy-aws.md must be right about it. */

/** The allowed factor between measurement and document; beyond it, run `npm run costs -- --write`. */
const FACTOR = 1.25;
const DOCUMENT = join(import.meta.dirname, "..", "..", "docs", "deploy-aws.md");

const artefacts = packageForTwin();

describeTwin("the costs that the document tells", () => {
  let world: World;
  let twin: Twin;
  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary });
    await fill(world, { messages: 10 });
    twin = await startMeasuredTwin(world, artefacts);
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  test("a routine check calls AWS, reads, writes and logs as much as documented", async () => {
    const { usage } = await routineLook(twin, world.accountId);
    const text = readFileSync(DOCUMENT, "utf8");
    const { look } = readMeasured(text.slice(text.indexOf(BEGIN), text.indexOf(END))).steps;
    for (const key of ["calls", "read", "write", "stored", "secrets", "logs"] as const) {
      const times = usage[key] / look[key];
      if (times > FACTOR || times < 1 / FACTOR)
        throw new Error(`${key}: ${usage[key]}, and docs/deploy-aws.md says ${look[key]}: npm run costs -- --write`);
    }
    expect(usage.calls).toBeGreaterThan(0);
  });
});
