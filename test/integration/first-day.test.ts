import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import type { Browser } from "playwright-core";
import { push } from "../../lab/pushes.ts";
import { expire, fill, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { describeBrowser, LOOKS, openBrowser, openPage } from "../support/chromium.ts";
import { addNscOperator } from "../support/nsc-store.ts";
import { COMMAND, environment } from "../support/relight.ts";
import { startServe } from "../support/serve.ts";
import { atTerminal } from "../support/terminal.ts";

jest.setTimeout(300_000);

/** What a new user does on the first day: init, serve, the page, and an account that expires and is healed. */
describeBrowser("the first day", () => {
  let world: World;
  let browser: Browser;
  let home: string;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
    home = join(world.home, "user");
    mkdirSync(home);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  /** An nsc store with what the cluster has, as after `nsc push -A`. */
  async function nscStore(): Promise<NodeJS.ProcessEnv> {
    const [, url = ""] = /"(nats:\/\/[^"]+)"/.exec(readFileSync(join(world.home, "relight.yaml"), "utf8")) ?? [];
    const data = join(home, "data", "nats", "nsc");
    const { operator, operatorSigningKey, systemAccount, account, accountSigningKey } = world;
    const keys = { operator, operatorSigningKey, systemAccount, account, accountSigningKey };
    const { folder } = addNscOperator(data, { keys, serviceUrls: [url] });
    for (const name of ["SYS", "APP"] as const) {
      const accountId = name === "APP" ? world.accountId : systemAccount.getPublicKey();
      await push({ ...world, accountId }, readFileSync(join(folder, "accounts", name, `${name}.jwt`), "utf8"));
    }
    return { ...environment(), XDG_DATA_HOME: join(home, "data"), XDG_CONFIG_HOME: join(home, "config") };
  }

  test("from an nsc store to an outage that is healed, on the page and in the journal", async () => {
    const env = await nscStore();
    await fill(world);
    const init = await atTerminal(`"${process.execPath}" "${COMMAND}" init --yes`, { cwd: home, env });
    expect(init).toMatchObject({ exit: 0, shown: expect.stringContaining("2 accounts: 2 healthy") });

    await using serve = await startServe({ home });
    await using opened = await openPage(browser, LOOKS.light);
    const { page, problems } = opened;
    const shown = async (): Promise<string> => {
      await page.goto(serve.url);
      return (await page.locator("main").textContent()) ?? "";
    };
    await waitFor("a healthy account on the page", async () => /APP[\s\S]*healthy/.test(await shown()), {
      timeout: 60_000,
    });

    await expire(world);
    await page.getByRole("link", { name: "APP" }).click();
    await page.waitForURL(/account/);
    const story = page.locator(".outage").first();
    await waitFor(
      "the outage's story",
      async () => {
        await page.reload();
        return (await story.count()) > 0 && /dead.*tried.*proved.*healed/s.test((await story.textContent()) ?? "");
      },
      { timeout: 120_000, interval: 1_000 },
    );
    expect(await shown()).toMatch(/APP[\s\S]*healthy/);
    expect(problems).toEqual([]);
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });
});
