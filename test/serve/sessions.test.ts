import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Hono } from "hono";
import { sessionsOf } from "../../console/access/sessions.ts";
import { newKey } from "../../console/guard.ts";
import { openConsole } from "../../console/open.ts";
import { type App, openApp } from "../../lib/compose/compose.ts";
import { epochMillis } from "../../lib/domain/time/time.ts";
import { ownPath } from "../../lib/http/own-path.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** Who is signed in to the console, where people go after signing in, and when a session is over. */

const TOKEN = "operator-token-0123456789";
const HERE = "http://relight.example";
let folder: string;
let app: App;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-sessions-"));
  const configFile = join(folder, "relight.yaml");
  await writeFile(
    configFile,
    'cluster: { servers: ["nats://127.0.0.1:1"], systemCredentials: "file:x" }\noperator: { jwt: "file:x" }\n',
  );
  app = await openApp({ configFile, log: fakeLog() });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** A console beyond loopback, and a browser that keeps cookies as far as these tests need it. */
async function signInPage() {
  const log = fakeLog();
  const access = async () => ({ url: HERE, tokens: [{ role: "operator", token: TOKEN }] as const });
  const as = { ...app, listen: { host: "0.0.0.0", port: 0 }, access };
  const withApp = () => Promise.reject(new Error("there is no cluster"));
  const { pages } = await openConsole({ app: as, withApp, log, person: "x", signsInOnLoopback: true });
  const cookies = new Map<string, string>();
  const ask = async (path: string, form?: Record<string, string>, cookie = headerOf(cookies)) => {
    const init = form && { method: "POST", body: new URLSearchParams(form) };
    const headers = { host: "relight.example", origin: HERE, cookie };
    const answer = await pages.request(`${HERE}${path}`, { ...init, headers });
    for (const each of answer.headers.getSetCookie()) {
      const [pair = "", ...rest] = each.split(";");
      const [name = "", value = ""] = pair.split(/=(.*)/);
      if (rest.some((part) => part.trim() === "Max-Age=0")) cookies.delete(name);
      else cookies.set(name, value);
    }
    return { status: answer.status, to: answer.headers.get("location"), text: await answer.text() };
  };
  const csrf = async (path: string): Promise<string> =>
    /name="csrf" value="([^"]+)"/.exec((await ask(path)).text)?.[1] ?? "";
  const signIn = async (more: Record<string, string> = {}) =>
    ask("/sign-in", { csrf: await csrf("/sign-in"), name: "ada", token: TOKEN, ...more });
  return { ask, csrf, signIn, cookies, log };
}

const headerOf = (cookies: ReadonlyMap<string, string>): string =>
  [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");

test("signing out ends the session for every copy of its cookie; other sessions go on", async () => {
  const { ask, csrf, signIn, cookies } = await signInPage();
  expect(await signIn()).toMatchObject({ status: 303, to: "/" });
  const copy = headerOf(cookies);
  const token = await csrf("/");
  expect((await ask("/", undefined, copy)).status).toBe(200);
  await signIn();
  const other = headerOf(cookies);
  expect(await ask("/sign-out", { csrf: token }, copy)).toMatchObject({ status: 303, to: "/sign-in" });
  expect(await ask("/", undefined, copy)).toMatchObject({ status: 303, to: "/sign-in" });
  expect((await ask("/account/A/order?do=heal", { csrf: token, reason: "because" }, copy)).status).toBe(403);
  expect((await ask("/", undefined, other)).status).toBe(200);
});

test("ended sessions stay ended however many there are; then everybody signs in again", async () => {
  const sessions = sessionsOf({ key: newKey(), isSecure: false }, 3);
  const hono = new Hono();
  let now = epochMillis(1_000);
  hono.get("/in", (context) => {
    sessions.begin(context, { name: "ada", role: "viewer", way: "token" }, now);
    return context.text("");
  });
  hono.get("/who", (context) => context.text(sessions.personOf(context, now)?.name ?? "nobody"));
  hono.get("/out", (context) => {
    sessions.end(context, now);
    return context.text("");
  });
  const begin = async () => (await hono.request("/in")).headers.get("set-cookie")?.split(";")[0] ?? "";
  const who = async (cookie: string) => (await hono.request("/who", { headers: { cookie } })).text();
  const end = (cookie: string) => hono.request("/out", { headers: { cookie } });
  const all = await Promise.all([1, 2, 3, 4, 5].map(begin));
  for (const cookie of all.slice(0, 3)) await end(cookie);
  expect(await Promise.all(all.map(who))).toEqual(["nobody", "nobody", "nobody", "ada", "ada"]);
  await end(all[3] ?? "");
  expect(await Promise.all(all.map(who))).toEqual(Array.from({ length: 5 }, () => "nobody"));
  const next = await begin();
  expect(await who(next)).toBe("ada");
  now = epochMillis(now + 12 * 3_600_000 + 1);
  expect(await who(next)).toBe("nobody");
});

describe("after signing in", () => {
  test("people get to the page that they wanted, with its query", async () => {
    const { ask, signIn } = await signInPage();
    const { to } = await ask("/account/APP?entries=900");
    expect(to).toBe("/sign-in?to=%2Faccount%2FAPP%3Fentries%3D900");
    const page = (await ask(to ?? "")).text;
    const [, wanted = ""] = /name="to" value="([^"]+)"/.exec(page) ?? [];
    expect(await signIn({ to: wanted, token: "a-wrong-token-987654" })).toMatchObject({
      status: 401,
      text: expect.stringContaining(`name="to" value="/account/APP?entries=900"`),
    });
    expect(await signIn({ to: wanted })).toMatchObject({ status: 303, to: "/account/APP?entries=900" });
  });

  test.each(["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example"])(
    "nobody is sent to %j",
    async (to) => {
      const { ask, signIn } = await signInPage();
      expect((await ask(`/sign-in?to=${encodeURIComponent(to)}`)).text).toContain('name="to" value="/"');
      expect(await signIn({ to })).toMatchObject({ status: 303, to: "/" });
    },
  );

  test.each<[string | undefined, string | undefined]>([
    ["/", "/"],
    ["/account/A?x=1&y=%2F", "/account/A?x=1&y=%2F"],
    ["/account/A#part", "/account/A"],
    ["/.//evil.example", undefined],
    ["/a/..//evil.example", undefined],
    ["///evil.example", undefined],
    ["account", undefined],
    ["", undefined],
    [`/${"x".repeat(2_000)}`, undefined],
    [undefined, undefined],
  ])("the path %j is %j", (text, path) => expect(ownPath(text)).toBe(path));
});

test.each([
  ["", "Write your name"],
  ["ad\u200ba", "The name has control characters or invisible ones."],
  ["x".repeat(5_000), "The name has 5000 characters; at most 200 are kept."],
])("the name %j is refused with the reason", async (name, why) => {
  expect(await (await signInPage()).signIn({ name })).toMatchObject({
    status: 401,
    text: expect.stringContaining(why),
  });
});
