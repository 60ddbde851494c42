import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Browser, Locator } from "playwright-core";
import { createConsole } from "../../console/app.ts";
import type { Guard } from "../../console/guard.ts";

import { loopbackGuard } from "../../console/loopback.ts";

import type { ConsoleSettings } from "../../console/settings.ts";
import { type App, openApp } from "../../lib/compose/compose.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { isPrintable } from "../../lib/domain/time/printable.ts";
import type { Role } from "../../lib/http/person.ts";
import { createLog } from "../../lib/log.ts";
import { type Listening, listen } from "../../serve/listen.ts";
import {
  axeFaults,
  describeBrowser,
  LOOKS,
  OTHER_LOOKS,
  openBrowser,
  openPage,
  SOME_LOOKS,
} from "../support/chromium.ts";
import { DAY, HOSTILE, seedFleet } from "../support/console-journal.ts";

/** The pages in a real browser, over a real journal, without a cluster. */

const log = createLog({ level: "silent" });

const none = () => Promise.reject(new Error("these pages need no cluster"));
/** A cluster with no account that the journal lacks. */
const withApp: ConsoleSettings["withApp"] = (work) => work({ context: none, order: none, inventory: async () => [] });

describeBrowser("the console's pages", () => {
  let folder: string;
  let app: App;
  let browser: Browser;
  let ids: { shop: AccountId; healed: AccountId; hostile: AccountId };
  const servers: Listening[] = [];

  async function consoleFor(role: Role): Promise<{ url: string }> {
    const guard = loopbackGuard("ada");
    const as: Guard = { ...guard, personOf: () => ({ name: "ada", role, way: "loopback" }) };
    const at = await listen(createConsole({ app, withApp, guard: as, log }), { host: "127.0.0.1", port: 0 });
    servers.push(at);
    return { url: `${at.url}/` };
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "relight-console-"));
    const configFile = join(folder, "relight.yaml");
    await writeFile(configFile, CONFIG);
    app = await openApp({ configFile, log });
    const { seed, shop, healed } = await seedFleet(app.journal, app.clock.now());
    const hostile: AccountId[] = [];
    for (const name of HOSTILE) hostile.push(await seed.account({ name, health: "dead", expiresIn: 5 * DAY }));
    ids = { shop, healed, hostile: hostile[0] as AccountId };
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) {
      server.end();
      await server.close();
    }
    await app[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const paths = () => ["", `account/${ids.shop}`, `account/${ids.healed}`, `account/${ids.hostile}`];

  test.each([
    ["viewer", SOME_LOOKS],
    ["operator", OTHER_LOOKS],
  ] as const)("look right to a %s: no fault of axe, no side scroll, no complaint", async (role, looks) => {
    const { url } = await consoleFor(role);
    for (const look of looks) {
      await using opened = await openPage(browser, look);
      for (const path of paths()) {
        await opened.page.goto(url + path);
        expect({ path, faults: await axeFaults(opened.page) }).toEqual({ path, faults: [] });
        const width = await opened.page.evaluate<number>("document.documentElement.scrollWidth");
        expect({ path, width }).toEqual({ path, width: look.viewport.width });
      }
      expect(opened.problems).toEqual([]);
      expect([...opened.asked]).toEqual([new URL(url).origin]);
    }
  });

  describe("fit a screen of", () => {
    let url = "";
    let opened: Awaited<ReturnType<typeof openPage>>;
    beforeAll(async () => {
      ({ url } = await consoleFor("operator"));
      opened = await openPage(browser, {});
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    test.each([320, 360, 600, 640, 680, 740, 900, 1280])("%d px, with room to search", async (width) => {
      const { page } = opened;
      await page.setViewportSize({ width, height: 740 });
      for (const path of paths()) {
        await page.goto(url + path);
        const shown = await page.evaluate<number>("document.documentElement.scrollWidth");
        expect({ path, shown }).toEqual({ path, shown: width });
      }
      await page.goto(url);
      const [search, filters] = [
        await page.getByRole("searchbox").boundingBox(),
        await page.locator(".tabs").boundingBox(),
      ];
      expect(search?.width).toBeGreaterThanOrEqual(120);
      expect((search?.x ?? 0) + (search?.width ?? 0)).toBeLessThanOrEqual(width);
      if (width >= 600) expect(filters?.height).toBeLessThan(40);
      const links = await page
        .locator(".row .who a")
        .evaluateAll((all) =>
          all.map((link) => (link as { getBoundingClientRect(): { height: number } }).getBoundingClientRect().height),
        );
      expect(Math.min(...links)).toBeGreaterThanOrEqual(24);
    });
  });

  test("show every account, the most urgent first, and find them by verdict and name", async () => {
    const { url } = await consoleFor("viewer");
    await using opened = await openPage(browser, { ...LOOKS.light, javaScriptEnabled: false });
    const { page } = opened;
    await page.goto(url);
    const names = () => page.locator(".row:not(.head) .who a").allInnerTexts();
    expect((await names()).slice(5, 9)).toEqual(["shop-orders", "edge-leaf", "invoices", "metrics"]);
    expect(await textIn(page.locator(".row", { hasText: "shop-orders" }))).toContain("incident: JetStream is dead");
    await page.getByRole("link", { name: "degraded" }).click();
    await page.waitForURL(/verdict=degraded/);
    expect(await names()).toEqual(["metrics"]);
    await page.goto(url);
    await page.getByRole("searchbox").fill("PAY");
    await Promise.all([page.waitForURL(/q=PAY/), page.keyboard.press("Enter")]);
    expect(await names()).toEqual(["payments"]);
    await page.getByRole("link", { name: "payments" }).click();
    await page.waitForURL(/account/);
    expect(await textIn(page.locator("h1"))).toBe("payments");
  });

  test("tell an outage as a whole: dead since, seen by, tried, healed", async () => {
    const { url } = await consoleFor("viewer");
    await using opened = await openPage(browser, LOOKS.light);
    await opened.page.goto(`${url}account/${ids.healed}`);
    const labels = await opened.page.locator(".outage .steps b").allInnerTexts();
    expect(labels).toEqual([
      "dead since",
      "seen by",
      "dead",
      "tried",
      "tried",
      "page",
      "healthy",
      "resolved",
      "healed",
    ]);
    expect(await textIn(opened.page.locator(".outage h3"))).toMatch(/^dead since .* for 4m 30s, until/);
    expect(await textIn(opened.page.locator(".quiet"))).toMatch(/^4 checks, all healthy/);
  });

  test("show the open incident with its page, the command and the runbook, and the evidence", async () => {
    const { url } = await consoleFor("viewer");
    await using opened = await openPage(browser, LOOKS.light);
    const { page } = opened;
    await page.goto(`${url}account/${ids.shop}`);
    const incident = page.locator(".incidents");
    expect(await textIn(incident)).toContain("Publishers get 503 no responders");
    expect(await textIn(incident)).toContain("relight heal shop-orders");
    expect(await incident.getByRole("link").getAttribute("href")).toBe(
      "https://runbook.example/relight#jetstream_dead",
    );
    expect(await page.getByText("nats-server #6806").count()).toBeGreaterThan(0);
    await page.locator("summary").first().click();
    expect(await textIn(page.locator("pre").first())).toContain('"interest": 0');
  });

  test("show what is wrong with the whole cluster above the accounts", async () => {
    const { url } = await consoleFor("viewer");
    const put = (kind: "incident.opened" | "incident.resolved", data: object) =>
      app.journal.append({ at: app.clock.now(), job: "sweep", account: "-", kind, data: { key: "k", ...data } });
    await put("incident.opened", {
      ...{
        failureClass: "cluster_unreachable",
        severity: "critical",
        summary: "no server answers",
        delivery: "delivered",
      },
    });
    await using opened = await openPage(browser, LOOKS.phoneDark);
    await opened.page.goto(url);
    expect(await textIn(opened.page.locator(".incidents"))).toMatch(
      /critical: Relight can't check it.*no server answers/,
    );
    expect(await axeFaults(opened.page)).toEqual([]);
    await put("incident.resolved", {});
    await opened.page.goto(url);
    expect(await opened.page.locator(".incidents").count()).toBe(0);
  });

  test("are used with the keyboard alone, and show where it is", async () => {
    const { url } = await consoleFor("operator");
    await using opened = await openPage(browser, LOOKS.light);
    const { page } = opened;
    await page.goto(url);
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate<string>("document.activeElement.textContent");
    expect(await focused()).toBe("Skip to content");
    await page.keyboard.press("Enter");
    for (let presses = 0; presses < 30 && (await focused()) !== "shop-orders"; presses++)
      await page.keyboard.press("Tab");
    expect(await page.evaluate<string>("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await Promise.all([page.waitForURL(/account/), page.keyboard.press("Enter")]);
    for (let presses = 0; presses < 20 && (await focused()) !== "Evidence"; presses++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.locator("details[open] pre").count()).toBe(1);
  });

  test("show names as text, whatever is in them", async () => {
    const { url } = await consoleFor("viewer");
    await using opened = await openPage(browser, LOOKS.phone);
    await opened.page.goto(url);
    const text = await textIn(opened.page.locator("main"));
    expect(text).toContain("<script>alert(document.domain)</script>");
    expect(text).toContain("\\u202egnp.exe");
    expect([...text].filter((char) => char !== "\n" && !isPrintable(char))).toEqual([]);
    expect(opened.problems).toEqual([]);
  });

  test("are pictured in the documents; RELIGHT_WRITE_PICTURES=1 makes the pictures again", async () => {
    if (process.env["RELIGHT_WRITE_PICTURES"] === "1") await writePictures(browser);
    for (const name of PICTURES) {
      const { size } = await stat(pictureOf(name));
      expect(size).toBeGreaterThan(20_000);
      expect(size).toBeLessThan(200_000);
    }
  });

  test("forbid everything that is not theirs, and are kept by nobody", async () => {
    const { url } = await consoleFor("viewer");
    const { headers, status } = await fetch(url);
    expect(status).toBe(200);
    expect(headers.get("content-security-policy")).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; " +
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    const html = await (await fetch(url)).text();
    expect(html).not.toMatch(/<script>|<style| style=| on[a-z]+="/);
  });

  test("are checked by an axe that finds faults", async () => {
    await using opened = await openPage(browser, LOOKS.light);
    await opened.page.setContent(`<html lang="en"><title>x</title><main><h1>x</h1><img src="data:,"></main></html>`);
    expect(await axeFaults(opened.page)).toEqual([expect.stringMatching(/^image-alt/)]);
  });

  test("answer for what does not exist, and for a name from elsewhere", async () => {
    const { url } = await consoleFor("viewer");
    expect((await fetch(`${url}account/nobody`)).status).toBe(404);
    expect((await fetch(`${url}nothing`)).status).toBe(404);
    expect(await rawStatus(url, "evil.example")).toBe(403);
    expect(await rawStatus(url, "localhost:1")).toBe(200);
  });
});

const PICTURES = ["console-fleet", "console-account"] as const;
const pictureOf = (name: string): string => join(import.meta.dirname, "..", "..", "docs", "images", `${name}.png`);

/** A fleet without hostile names, and its account with an outage. */
async function writePictures(browser: Browser): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "relight-pictures-"));
  const configFile = join(folder, "relight.yaml");
  await writeFile(configFile, CONFIG);
  const app = await openApp({ configFile, log });
  const { healed } = await seedFleet(app.journal, app.clock.now());
  const pages = createConsole({ app, withApp, guard: loopbackGuard("ada"), log });
  const server = await listen(pages, { host: "127.0.0.1", port: 0 });
  const looks = {
    "console-fleet": [LOOKS.light, "", 720],
    "console-account": [LOOKS.dark, `account/${healed}`, 960],
  } as const;
  for (const name of PICTURES) {
    const [look, path, height] = looks[name];
    await using opened = await openPage(browser, { ...look, viewport: { width: 1_120, height } });
    await opened.page.goto(`${server.url}/${path}`);
    await opened.page.screenshot({ path: pictureOf(name) });
  }
  server.end();
  await server.close();
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
}

/** What a person reads, on one line. */
const textIn = async (place: Locator): Promise<string> =>
  ((await place.textContent()) ?? "").replace(/\s+/g, " ").trim();

/** `fetch` does not send another Host. */
async function rawStatus(url: string, host: string): Promise<number | undefined> {
  const { get } = await import("node:http");
  return new Promise((done, fail) => {
    get(url, { headers: { host } }, (answer) => {
      answer.resume();
      done(answer.statusCode);
    }).on("error", fail);
  });
}

const CONFIG = `cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:missing.creds" }
operator: { jwt: "file:missing.jwt", signingKey: "file:missing.nk" }
policy: { blackouts: [{ days: [sat, sun], from: "00:00", to: "23:59", timeZone: UTC }] }
links: { runbook: "https://runbook.example/relight#{class}" }
`;
