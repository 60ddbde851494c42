import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { expire, fill, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { axeFaults, describeBrowser, LOOKS, openBrowser, openPage, SOME_LOOKS } from "../support/chromium.ts";
import { relight, startRelight } from "../support/relight.ts";

/** Orders from the click to the healed account, with the built command and a real server. */

/** `relight console`, and its address. */
async function startConsole(world: World, command = ["console"]) {
  const child = startRelight(world, ...command, "--json", "--verbose");
  let out = "";
  let log = "";
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (log += chunk));
  await waitFor("the console to listen", () => out.includes("\n"));
  const { url: told } = JSON.parse(out.split("\n")[0] ?? "") as { readonly url: string };
  const url = told.replace(/\/?$/, "/");
  const ended = new Promise<number | null>((done) => child.once("close", done));
  return {
    url,
    log: () => log,
    /** Ends it like Ctrl-C. */
    stop: async () => {
      child.kill("SIGINT");
      return ended;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGINT");
      await ended;
    },
  };
}

describeBrowser("an order", () => {
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path });
    await fill(world);
    await expire(world);
    await renewByHand(world);
    await relight(world, "verify", "APP");
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    await world?.[Symbol.asyncDispose]();
  });

  const outcome = async (page: Page): Promise<string> => {
    const heading = page.locator("section h2");
    await page.getByRole("link", { name: "Back to the account" }).waitFor({ timeout: 120_000 });
    return ((await heading.textContent()) ?? "").replace(/\s+/g, " ");
  };

  test("shows the plan, asks why, runs with live progress, and heals the account; the journal has who and why", async () => {
    await using console = await startConsole(world);
    await using opened = await openPage(browser, LOOKS.light);
    const { page, problems } = opened;
    await page.goto(console.url);
    // Nobody checked the system account yet; the cluster has it.
    expect(await page.locator(".row.unknown", { hasText: "never checked" }).count()).toBe(1);
    await page.getByRole("link", { name: "APP" }).click();
    await page.waitForURL(/account/);
    expect(await page.locator(".facts").textContent()).toContain("dead");
    await page.getByRole("link", { name: "Heal" }).click();
    await page.waitForURL(/order\?do=heal/);
    expect(await page.locator(".plan").textContent()).toContain("toggle-jetstream");
    expect(await axeFaults(page)).toEqual([]);
    await page.getByLabel("Reason").fill("paged at 3 a.m.");
    await page.getByRole("button", { name: "Heal" }).click();
    await page.waitForURL(/order\/[\w-]+$/);
    // The stream shows the remedy under way before the page is read again.
    await page.locator(".steps", { hasText: "toggle-jetstream" }).waitFor({ timeout: 120_000 });
    expect(await outcome(page)).toMatch(/^healed after/);
    expect(await page.locator(".steps").textContent()).toMatch(
      /ordered.*paged at 3 a\.m\..*tried.*toggle-jetstream: helped/s,
    );
    expect(await axeFaults(page)).toEqual([]);
    await page.getByRole("link", { name: "Back to the account" }).click();
    await page.waitForURL(/account\/\w+$/);
    expect(await page.locator(".facts").textContent()).toContain("healthy");
    expect(await page.locator(".outage").first().textContent()).toMatch(
      /dead.*tried.*toggle-jetstream.*proved.*healed/s,
    );
    expect(problems).toEqual([]);
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
    const journal = await relight(world, "journal", "APP", "--json");
    const ordered = journal.json.entries.filter(({ kind }: { kind: string }) => kind === "job.requested");
    expect(ordered).toMatchObject([
      { data: { action: "heal", reason: "paged at 3 a.m.", actor: expect.stringMatching(/./) } },
    ]);
    expect(await console.stop()).toBe(0);
  });

  test("looks right in every way of looking, with its plan and its form", async () => {
    await using console = await startConsole(world);
    for (const look of SOME_LOOKS) {
      await using opened = await openPage(browser, look);
      for (const path of ["plan", "order?do=renew"]) {
        await opened.page.goto(`${console.url}account/${world.accountId}/${path}`);
        expect({ path, faults: await axeFaults(opened.page) }).toEqual({ path, faults: [] });
        expect(await opened.page.evaluate<number>("document.documentElement.scrollWidth")).toBe(look.viewport.width);
      }
    }
  });

  test("works without script: the page reads itself again", async () => {
    await using console = await startConsole(world);
    await using opened = await openPage(browser, { ...LOOKS.phone, javaScriptEnabled: false });
    const { page } = opened;
    await page.goto(`${console.url}account/${world.accountId}/order?do=verify`);
    await page.getByLabel("Reason").fill("no script");
    await page.getByRole("button", { name: "Verify" }).click();
    expect(await outcome(page)).toMatch(/^verified/);
  });

  test("without a cluster says why there is no plan, and why the order failed", async () => {
    const file = `${world.home}/relight.yaml`;
    const yaml = await readFile(file, "utf8");
    await writeFile(file, yaml.replace(/servers: .*/, 'servers: ["nats://127.0.0.1:1"]'));
    try {
      await using console = await startConsole(world);
      await using opened = await openPage(browser, LOOKS.light);
      const { page } = opened;
      await page.goto(`${console.url}account/${world.accountId}/order?do=verify`);
      expect(await page.locator(".error").textContent()).toContain("No plan");
      await page.getByLabel("Reason").fill("is it there?");
      await page.getByRole("button", { name: "Verify" }).click();
      expect(await outcome(page)).toMatch(/^failed/);
      expect(await page.locator(".error").textContent()).toContain("127.0.0.1:1");
    } finally {
      await writeFile(file, yaml);
    }
  });

  test("may be given to relight serve, which has the same pages", async () => {
    await using console = await startConsole(world, ["serve", "--listen", "127.0.0.1:0"]);
    await using opened = await openPage(browser, LOOKS.dark);
    const { page } = opened;
    await page.goto(`${console.url}account/${world.accountId}/order?do=verify`);
    await page.getByLabel("Reason").fill("through serve");
    await page.getByRole("button", { name: "Verify" }).click();
    expect(await outcome(page)).toMatch(/^verified/);
    expect(await (await fetch(`${console.url}livez`)).json()).toEqual({ live: true });
    expect((await fetch(`${console.url}accounts/nobody`)).headers.get("content-type")).toContain("json");
  });

  test("is let in by a token beyond this machine: the pages of serve, the API and the console; without one, none listens", async () => {
    const file = `${world.home}/relight.yaml`;
    const yaml = await readFile(file, "utf8");
    const refused = await relight(world, "console", "--listen", "0.0.0.0:0", "--json");
    expect(refused).toMatchObject({
      exit: 3,
      json: { error: { code: "config.invalid", message: expect.stringContaining("write serve.access") } },
    });
    const [token, viewer] = ["an-operator-token-1234567", "a-viewer-token-1234567"];
    await writeFile(`${world.home}/token`, `${token}\n`);
    await writeFile(`${world.home}/viewer`, `${viewer}\n`);
    await writeFile(file, `${yaml}\nserve: { access: { token: { operator: "file:token", viewer: "file:viewer" } } }\n`);
    try {
      for (const command of ["console", "serve"]) {
        await using console = await startConsole(world, [command, "--listen", "0.0.0.0:0"]);
        const url = console.url.replace("0.0.0.0", "127.0.0.1");
        const get = (path: string, authorization?: string) =>
          fetch(url + path, { redirect: "manual", headers: authorization === undefined ? {} : { authorization } });
        expect((await get("")).status).toBe(303);
        expect((await get("", `Bearer ${token}`)).status).toBe(200);
        if (command === "console") continue;
        expect((await get("livez")).status).toBe(200);
        expect((await get("accounts")).status).toBe(403);
        expect((await get("accounts", `Bearer ${viewer}`)).status).toBe(200);
        const order = (bearer: string) =>
          fetch(`${url}accounts/${world.accountId}/jobs`, {
            method: "POST",
            headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
            body: JSON.stringify({ action: "verify", reason: "by token" }),
          });
        expect((await order(viewer)).status).toBe(403);
        expect((await order(token)).status).toBe(202);
        expect(console.log()).not.toMatch(/operator-token|viewer-token/);
      }
      const { json } = await relight(world, "journal", "APP", "--json");
      const ordered = json.entries.filter(({ kind }: { kind: string }) => kind === "job.requested");
      expect(ordered.at(-1)).toMatchObject({ data: { actor: "the operator token" } });
    } finally {
      await writeFile(file, yaml);
    }
  });

  test("needs a reason of 3 to 500 characters on one line", async () => {
    await using console = await startConsole(world);
    await using opened = await openPage(browser, LOOKS.light);
    const { page } = opened;
    await page.goto(`${console.url}account/${world.accountId}/order?do=verify`);
    await page.locator("form.order").evaluate((form) => form.setAttribute("novalidate", ""));
    await page.getByLabel("Reason").fill("  x ");
    await page.getByRole("button", { name: "Verify" }).click();
    await page.locator("#wrong").waitFor();
    expect(await page.locator("#wrong").textContent()).toContain("at least 3 characters");
    expect(await axeFaults(page)).toEqual([]);
  });

  test("is refused without the form's token, from another site, and for an order that does not exist", async () => {
    await using console = await startConsole(world);
    const url = `${console.url}account/${world.accountId}/order?do=verify`;
    const page = await fetch(url);
    const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(page.headers.get("set-cookie")).toMatch(/HttpOnly; SameSite=Strict/);
    const html = await page.text();
    const [csrf, once] = ["csrf", "once"].map(
      (name) => new RegExp(`name="${name}" value="([^"]+)"`).exec(html)?.[1] ?? "",
    ) as [string, string];
    const origin = new URL(console.url).origin;
    const post = (headers: Record<string, string>, form: Record<string, string>, to = url) => {
      const body = new URLSearchParams({ reason: "a test", once, ...form });
      return fetch(to, { method: "POST", redirect: "manual", headers, body });
    };
    const send = async (...request: Parameters<typeof post>) => (await post(...request)).status;
    expect(await send({ origin, cookie }, {})).toBe(403);
    expect(await send({ origin, cookie }, { csrf: `${csrf}x` })).toBe(403);
    expect(await send({ origin }, { csrf })).toBe(403);
    expect(await send({ cookie }, { csrf })).toBe(403);
    expect(await send({ origin: "https://evil.example", cookie }, { csrf })).toBe(403);
    expect(await send({ origin, cookie, "sec-fetch-site": "cross-site" }, { csrf })).toBe(403);
    expect(await send({ origin, cookie }, { csrf }, url.replace("verify", "push"))).toBe(400);
    expect(await send({ origin, cookie }, { csrf, reason: "x".repeat(20_000) })).toBe(400);
    expect(console.log()).toContain("from another site");
    expect(console.log()).not.toContain(csrf);
    expect(await send({ origin, cookie }, { csrf, once: "" })).toBe(403);
    expect(await send({ origin, cookie }, { csrf }, url.replace("verify", "heal"))).toBe(403);
    // Whoever sends it twice gets to the first order.
    const sent = await Promise.all([1, 2, 3].map(() => post({ origin, cookie }, { csrf })));
    const places = new Set(sent.map((answer) => `${answer.status} ${answer.headers.get("location")}`));
    expect([...places]).toEqual([expect.stringMatching(/^303 \/account\/\w+\/order\/[\w-]+$/)]);
    const { json } = await relight(world, "journal", "APP", "--json");
    const given = json.entries.filter(
      ({ kind, data }: { kind: string; data: { reason: string } }) =>
        kind === "job.requested" && data.reason === "a test",
    );
    expect(given).toHaveLength(1);
  });
});
