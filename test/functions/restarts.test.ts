import { appendFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { openApp } from "../../lib/compose/compose.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { createLog } from "../../lib/log.ts";

test("a function with less time than a restart may take has no restarter, and says why", async () => {
  await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
  const configFile = `${world.home}/relight.yaml`;
  await appendFile(configFile, 'restart:\n  command: ["true"]\n');
  const log = createLog({ level: "silent" });
  await using short = await openApp({ configFile, log, lasts: millis(180_000) });
  const { restarter, whyNoRestart } = await short.context();
  expect(restarter).toBeUndefined();
  expect(whyNoRestart).toMatch(/longer than the 180 s that this function can run; run `relight heal`/);
  await using long = await openApp({ configFile, log });
  expect((await long.context()).restarter).toBeDefined();
});
