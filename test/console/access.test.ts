import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Browser, Page } from "playwright-core";
import { openConsole } from "../../console/open.ts";
import { type App, openApp } from "../../lib/compose/compose.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { AccessSettings } from "../../lib/http/access.ts";
import { createLog } from "../../lib/log.ts";
import { type Listening, listen } from "../../serve/listen.ts";
import { axeFaults, describeBrowser, LOOKS, openBrowser, openPage, SOME_LOOKS } from "../support/chromium.ts";
import { seedFleet } from "../support/console-journal.ts";
import { type FakeLog, fakeLog } from "../support/fakes/log.ts";
import { CLIENT, type OidcProvider, startOidcProvider } from "../support/oidc-provider.ts";

/** Signing in with a browser: tokens, a proxy, a provider; roles, and locks. */

const OPERATOR = "operator-token-0123456789";
const VIEWER = "viewer-token-0123456789";
const TOKENS = [
  { role: "operator", token: OPERATOR },
  { role: "viewer", token: VIEWER },
] as const;

describeBrowser("signing in", () => {
  let folder: string;
  let app: App;
  let browser: Browser;
  let shop: AccountId;
  let provider: OidcProvider;
  let log: FakeLog;
  const servers: Listening[] = [];

  /** A console beyond loopback, as it would be behind an address of its own. */
  async function consoleWith(settings: (url: string) => AccessSettings): Promise<string> {
    let url = "";
    const as = { ...app, listen: { host: "0.0.0.0", port: 0 }, access: async () => settings(url) };
    const withApp = () => Promise.reject(new Error("there is no cluster"));
    // The provider must know where to send people back to, so the port is taken first.
    const first = await listen(
      (await openConsole({ app, withApp, log, person: "x", signsInOnLoopback: false })).pages,
      { host: "127.0.0.1", port: 0 },
    );
    first.end();
    await first.close();
    url = first.url;
    const { pages } = await openConsole({ app: as, withApp, log, person: "x", signsInOnLoopback: true });
    servers.push(await listen(pages, { host: "127.0.0.1", port: Number(new URL(url).port) }));
    return `${url}/`;
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "relight-console-"));
    const configFile = join(folder, "relight.yaml");
    await writeFile(configFile, CONFIG);
    app = await openApp({ configFile, log: createLog({ level: "silent" }) });
    ({ shop } = await seedFleet(app.journal, app.clock.now()));
    browser = await openBrowser();
    provider = await startOidcProvider();
  });
  beforeEach(() => {
    log = fakeLog();
    Object.assign(provider, { claims: { email: "ada@example.com", groups: ["sre"] }, lies: {} });
  });
  afterAll(async () => {
    await browser?.close();
    for (const server of servers) {
      server.end();
      await server.close();
    }
    await provider?.[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function signIn(page: Page, token: string, name = "ada"): Promise<void> {
    await page.getByLabel("Your name").fill(name);
    await page.getByLabel("Token").fill(token);
    await Promise.all([page.waitForEvent("load"), page.getByRole("button", { name: "Sign in" }).click()]);
  }

  test("with a token: an operator may act, and sign out", async () => {
    const url = await consoleWith(() => ({ tokens: TOKENS }));
    for (const look of SOME_LOOKS) {
      await using opened = await openPage(browser, look);
      const { page } = opened;
      await page.goto(`${url}account/${shop}`);
      expect(new URL(page.url()).pathname).toBe("/sign-in");
      expect(await axeFaults(page)).toEqual([]);
      await signIn(page, OPERATOR);
      expect(new URL(page.url()).pathname).toBe(`/account/${shop}`);
      expect(await page.locator(".who").first().textContent()).toContain("ada (operator)");
      const [session] = (await page.context().cookies()).filter(({ name }) => name === "relight_session");
      expect(session).toMatchObject({ httpOnly: true, sameSite: "Strict" });
      expect(JSON.stringify(session)).not.toContain(OPERATOR);
      await page.goto(`${url}account/${shop}/order?do=heal`);
      expect(await page.getByRole("button", { name: "Heal" }).count()).toBe(1);
      await Promise.all([page.waitForURL(/sign-in/), page.getByRole("button", { name: "Sign out" }).click()]);
      await page.goto(url);
      expect(new URL(page.url()).pathname).toBe("/sign-in");
    }
  });

  test("with a token: a viewer sees everything and orders nothing", async () => {
    const url = await consoleWith(() => ({ tokens: TOKENS }));
    await using opened = await openPage(browser, LOOKS.light);
    const { page } = opened;
    await page.goto(url);
    await signIn(page, VIEWER);
    await page.goto(`${url}account/${shop}`);
    expect(await page.getByRole("link", { name: "Heal" }).count()).toBe(0);
    const csrf = (await page.locator('input[name="csrf"]').first().getAttribute("value")) ?? "";
    expect((await page.goto(`${url}account/${shop}/order?do=heal`))?.status()).toBe(403);
    expect(await page.locator("main").textContent()).toContain("ada may look, but not act");
    const status = await page.evaluate(
      async ({ to, token }) =>
        (await fetch(to, { method: "POST", body: new URLSearchParams({ csrf: token, reason: "because" }) })).status,
      { to: `/account/${shop}/order?do=heal`, token: csrf },
    );
    expect(status).toBe(403);
    expect(await app.journal.read({ account: shop, kinds: ["job.requested"] })).toEqual([]);
  });

  test("a wrong token is refused and logged without itself, and locks the address after five", async () => {
    const url = await consoleWith(() => ({ tokens: TOKENS }));
    await using opened = await openPage(browser, LOOKS.phone);
    const { page } = opened;
    await page.goto(url);
    for (let tries = 0; tries < 5; tries++) {
      await signIn(page, "a-wrong-token-987654");
      expect(await page.locator(".error").textContent()).toBe("The token is wrong.");
    }
    await signIn(page, OPERATOR);
    expect(await page.locator("h1").textContent()).toBe("Locked for a while");
    const refused = log.lines.filter(({ message }) => message === "a request was refused");
    expect(refused.length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(log.lines)).not.toMatch(/a-wrong-token|operator-token/);
  });

  test("a forged or foreign session signs nobody in", async () => {
    const [url, other] = [await consoleWith(() => ({ tokens: TOKENS })), await consoleWith(() => ({ tokens: TOKENS }))];
    const content = Buffer.from(JSON.stringify({ name: "eve", role: "operator", way: "token", until: 1e15 })).toString(
      "base64url",
    );
    for (const cookie of [
      `relight_session=${content}.x`,
      `relight_session=${content}`,
      "relight_session=.",
      "relight_session",
    ])
      expect((await fetch(url, { headers: { cookie }, redirect: "manual" })).status).toBe(303);
    await using opened = await openPage(browser, LOOKS.light);
    await opened.page.goto(url);
    await signIn(opened.page, OPERATOR);
    const [session] = (await opened.page.context().cookies()).filter(({ name }) => name === "relight_session");
    const cookie = `relight_session=${session?.value}`;
    expect((await fetch(url, { headers: { cookie }, redirect: "manual" })).status).toBe(200);
    expect((await fetch(other, { headers: { cookie }, redirect: "manual" })).status).toBe(303);
  });

  test("behind a trusted proxy its header says who it is; from elsewhere it says nothing", async () => {
    const proxy = { user: "X-User", operators: ["ada"], viewers: ["bob"] };
    const url = await consoleWith(() => ({ tokens: [], trustedProxy: { ...proxy, addresses: ["127.0.0.1"] } }));
    const as = (name: string, at = url) => fetch(at, { headers: { "x-user": name }, redirect: "manual" });
    expect(await (await as("ada")).text()).toContain("(operator)");
    expect(await (await as("bob")).text()).toContain("(viewer)");
    expect((await as("eve")).status).toBe(403);
    expect((await fetch(url, { redirect: "manual" })).status).toBe(303);
    expect(await (await fetch(`${url}sign-in`)).text()).toContain("The proxy did not say who you are");
    const away = await consoleWith(() => ({ tokens: [], trustedProxy: { ...proxy, addresses: ["10.0.0.1"] } }));
    expect((await as("ada", away)).status).toBe(303);
  });

  const oidc = (url: string): AccessSettings => ({
    url,
    tokens: [],
    oidc: {
      ...CLIENT,
      issuer: provider.issuer,
      name: "email",
      claim: "groups",
      scopes: ["email"],
      operators: ["sre"],
      viewers: ["dev"],
    },
  });

  test("at a provider: the claim decides the role", async () => {
    const url = await consoleWith(oidc);
    for (const [group, role] of [
      ["sre", "operator"],
      ["dev", "viewer"],
    ] as const) {
      provider.claims = { email: "ada@example.com", groups: ["all", group] };
      await using opened = await openPage(browser, LOOKS.light);
      const { page } = opened;
      await page.goto(`${url}account/${shop}?entries=600`);
      expect(await axeFaults(page)).toEqual([]);
      await page.getByRole("link", { name: "Sign in with your organization" }).click();
      await page.waitForURL(`${url}account/${shop}?entries=600`);
      expect(await page.locator(".who").first().textContent()).toContain(`ada@example.com (${role})`);
      expect(opened.problems).toEqual([]);
    }
  });

  test.each<[string, object, RegExp]>([
    ["no role", { claims: { email: "ada@example.com", groups: ["others"] } }, /neither an operator nor a viewer/],
    ["another nonce", { lies: { nonce: "another" } }, /answer was refused/],
    ["another audience", { lies: { aud: "somebody" } }, /answer was refused/],
    ["another issuer", { lies: { iss: "https://evil.example" } }, /answer was refused/],
    ["an expired token", { lies: { exp: 1 } }, /answer was refused/],
  ])("at a provider: %s lets nobody in", async (_what, changes, why) => {
    Object.assign(provider, changes);
    const url = await consoleWith(oidc);
    await using opened = await openPage(browser, LOOKS.light);
    const { page } = opened;
    await page.goto(`${url}sign-in/oidc`);
    expect(await page.locator("main").textContent()).toMatch(why);
    await page.goto(url);
    expect(new URL(page.url()).pathname).toBe("/sign-in");
    expect(log.lines).toContainEqual(expect.objectContaining({ message: "a request was refused" }));
  });

  test("at a provider: an answer that nobody asked for is refused, and an absent provider is named", async () => {
    const url = await consoleWith(oidc);
    expect((await fetch(`${url}sign-in/callback?code=x&state=y`)).status).toBe(403);
    const absent = await consoleWith((at) => {
      const { oidc: given, ...rest } = oidc(at);
      return { ...rest, ...(given ? { oidc: { ...given, issuer: "http://127.0.0.1:1" } } : {}) };
    });
    const answer = await fetch(`${absent}sign-in/oidc`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).toContain("oidc.unavailable");
  });
});

const CONFIG = `cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:missing.creds" }
operator: { jwt: "file:missing.jwt", signingKey: "file:missing.nk" }
`;
