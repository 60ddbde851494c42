import { beforeEach, describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import type { App } from "../../lib/compose/compose.ts";
import type { Part } from "../../lib/compose/open-service.ts";
import { epochMillis, millis } from "../../lib/domain/time/time.ts";
import { type ErrorCode, RelightError } from "../../lib/errors.ts";
import { type Access, accessOf } from "../../lib/http/access.ts";
import { createServe, type ServeDependencies } from "../../serve/server.ts";
import { fakeLog } from "../support/fakes/log.ts";

/** What `relight serve` answers, with requests that no browser or client would send. */

const ACCOUNT = createAccount().getPublicKey();
const ORDER = { action: "heal", reason: "orders are stuck" };
const JSON_TYPE = { "content-type": "application/json" };
const NOW = epochMillis(Date.UTC(2030, 0, 1));
let asked: unknown[];
let missing: Part[];
let fails: RelightError | undefined;

beforeEach(() => {
  [asked, missing, fails] = [[], [], undefined];
});

function serverOn(host = "127.0.0.1", access?: Access, log = fakeLog()) {
  const heard = (what: string) => async (value: unknown) => {
    asked.push([what, value]);
    if (fails !== undefined) throw fails;
    return { account: ACCOUNT, correlation: "c1", token: "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJBIn0.c2lnbmF0dXJl" };
  };
  const console = {
    accounts: heard("accounts"),
    account: heard("account"),
    order: heard("order"),
    ended: async (account: string, correlation: string) => heard("ended")([account, correlation]),
  };
  const app = {
    console,
    authenticate: async ({ headers }: { headers: Record<string, string> }) => {
      if (headers["webhook-signature"] === "v1,wrong")
        throw new RelightError("webhook.unauthorized", "the signature is wrong");
      return headers["webhook-id"] ?? "w1";
    },
    accept: async (delivery: { id: string }) => {
      asked.push(["accept", delivery]);
      return { outcome: delivery.id === "again" ? "repeated" : "queued", account: ACCOUNT };
    },
  } as unknown as App;
  const service = {
    log,
    settings: { listen: { host, port: 8080 }, grace: millis(1) },
    withApp: (work) => work(app),
    missing: async () => missing,
    metrics: { contentType: "text/plain; version=0.0.4", text: async ({ accounts }) => `accounts ${accounts}\n` },
  } satisfies ServeDependencies["service"];
  const server = createServe({ service, access });
  const call = async (method: string, path: string, headers: Record<string, string> = {}, body?: string) => {
    const init = { method, headers: { host: "127.0.0.1:8080", ...headers }, ...(body === undefined ? {} : { body }) };
    const response = await server.request(`http://127.0.0.1:8080${path}`, init);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("json");
    // biome-ignore lint/suspicious/noExplicitAny: tests look into any answer
    const told: any = isJson ? JSON.parse(text) : text;
    return { status: response.status, headers: response.headers, body: told };
  };
  const post = (headers: Record<string, string> = JSON_TYPE, body: string = JSON.stringify(ORDER)) =>
    call("POST", `/accounts/${ACCOUNT}/jobs`, headers, body);
  return { call, post, log };
}

describe("the probes", () => {
  test("/livez tells that the process serves, to anybody", async () => {
    missing = ["configuration", "journal", "cluster"];
    expect(await serverOn().call("GET", "/livez", { host: "10.0.0.7:8080" })).toMatchObject({ status: 200 });
  });

  test.each<[Part[], number]>([
    [[], 200],
    [["cluster"], 503],
    [["configuration", "journal"], 503],
  ])("/readyz names what is missing: %j", async (parts, status) => {
    missing = parts;
    const answer = await serverOn().call("GET", "/readyz");
    expect(answer).toMatchObject({ status, body: { ready: status === 200, missing: parts } });
  });
});

describe("the API", () => {
  test.each<[string, unknown]>([
    ["/accounts", ["accounts", { limit: 50 }]],
    ["/accounts?limit=2&after=A", ["accounts", { limit: 2, after: "A" }]],
    ["/accounts/BILL%20ING", ["account", "BILL ING"]],
    ["/accounts/APP/jobs/c1", ["ended", ["APP", "c1"]]],
  ])("GET %s", async (path, question) => {
    const { status, headers, body } = await serverOn().call("GET", path);
    expect({ status, asked }).toEqual({ status: 200, asked: [question] });
    expect(headers.get("content-type")).toBe("application/json");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(JSON.stringify(body)).not.toContain("eyJ");
  });

  test("an order is accepted, and says that somebody on this machine sent it", async () => {
    expect((await serverOn().post()).status).toBe(202);
    expect(asked).toEqual([["order", { ...ORDER, account: ACCOUNT, actor: "a program or person on this machine" }]]);
  });

  test.each<[string, string, number, string]>([
    ["a route that does not exist", "/accounts/APP/jobs", 404, "request.unknown"],
    ["another path", "/", 404, "request.unknown"],
    ["a page of no accounts", "/accounts?limit=0", 400, "request.invalid"],
    ["an unknown parameter", "/accounts?page=2", 400, "request.invalid"],
    ["a name with an escape", "/accounts/%1b%5b2J", 400, "request.invalid"],
    ["a name that is too long", `/accounts/${"A".repeat(257)}`, 400, "request.invalid"],
  ])("GET: %s", async (_what, path, status, code) => {
    expect(await serverOn().call("GET", path)).toMatchObject({ status, body: { error: { code } } });
    expect(asked).toEqual([]);
  });

  test.each<[string, string]>([
    ["no JSON", "heal it"],
    ["another action", JSON.stringify({ ...ORDER, action: "push" })],
    ["no reason", JSON.stringify({ action: "heal", reason: "   " })],
    ["another field", JSON.stringify({ ...ORDER, actor: "ada" })],
  ])("an order with %s is refused, and not quoted", async (_what, body) => {
    const answer = await serverOn().post(JSON_TYPE, body);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: "request.invalid" } } });
    expect(JSON.stringify(answer.body)).not.toContain("heal it");
    expect(asked).toEqual([]);
  });

  test("an order that is too long is refused, whether or not it says how long it is", async () => {
    const long = JSON.stringify({ ...ORDER, reason: "x".repeat(20_000) });
    for (const headers of [JSON_TYPE, { ...JSON_TYPE, "content-length": String(long.length) }])
      expect(await serverOn().post(headers, long)).toMatchObject({ status: 413 });
    expect(asked).toEqual([]);
  });

  test.each<[ErrorCode, string, number, object]>([
    ["account.unknown", "no such account", 404, { code: "account.unknown", message: "no such account" }],
    ["journal.unavailable", "/var/lib is full", 503, { code: "journal.unavailable" }],
    ["internal", "at line 7", 500, { code: "internal" }],
  ])("%s: what is wrong on this side is only named", async (code, message, status, body) => {
    fails = new RelightError(code, message);
    const { call, log } = serverOn();
    const answer = await call("GET", "/accounts");
    expect(answer.status).toBe(status);
    expect(answer.body.error).toMatchObject(body);
    expect(JSON.stringify(answer.body)).not.toMatch(/var\/lib|line 7/);
    expect(log.lines.some(({ level }) => level === "error")).toBe(status >= 500);
  });
});

describe("a page of another site", () => {
  test.each<[string, Record<string, string>, number, string]>([
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, 400, "request.invalid"],
    ["plain text", { "content-type": "text/plain" }, 400, "request.invalid"],
    ["no type", {}, 400, "request.invalid"],
    ["another origin", { ...JSON_TYPE, origin: "https://evil.example" }, 403, "request.unauthorized"],
    ["another port of this machine", { ...JSON_TYPE, origin: "http://127.0.0.1:3000" }, 403, "request.unauthorized"],
    ["an opaque origin", { ...JSON_TYPE, origin: "null" }, 403, "request.unauthorized"],
    ["a browser that says cross-site", { ...JSON_TYPE, "sec-fetch-site": "cross-site" }, 403, "request.unauthorized"],
    ["a browser that says same-site", { ...JSON_TYPE, "sec-fetch-site": "same-site" }, 403, "request.unauthorized"],
    ["a name that was made to point here", { ...JSON_TYPE, host: "evil.example" }, 403, "request.unauthorized"],
  ])("orders nothing: %s", async (_what, headers, status, code) => {
    const { post, log } = serverOn();
    expect(await post(headers)).toMatchObject({ status, body: { error: { code } } });
    expect(asked).toEqual([]);
    const level = status === 403 ? "warn" : "info";
    expect(log.lines).toMatchObject([{ level, message: "a request was refused", data: { method: "POST", code } }]);
  });

  test.each([
    ...["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "[::2]:8080"],
    ...["192.168.0.1", "127.0.0.1@evil.example", "0.0.0.0:8080", "localhost/x"],
  ])("reads nothing by the name %s", async (host) => {
    expect(await serverOn().call("GET", "/accounts", { host })).toMatchObject({ status: 403 });
    expect(asked).toEqual([]);
  });

  test.each(["localhost:8080", "LOCALHOST", "127.0.0.1:9", "127.8.8.8", "[::1]:8080"])(
    "programs on this machine may use the name %s",
    async (host) => expect(await serverOn().call("GET", "/accounts", { host })).toMatchObject({ status: 200 }),
  );

  test("the server's own page may order", async () => {
    const own = { ...JSON_TYPE, origin: "http://127.0.0.1:8080", "sec-fetch-site": "same-origin" };
    expect((await serverOn().post(own)).status).toBe(202);
  });

  test("no answer allows another site to read it", async () => {
    const { headers } = await serverOn().call("GET", "/accounts", { origin: "https://evil.example" });
    expect([...headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect((await serverOn().call("OPTIONS", "/accounts", { origin: "https://evil.example" })).status).not.toBe(204);
  });
});

describe("with serve.access", () => {
  const [VIEWER, OPERATOR] = ["viewer-token-of-the-test", "operator-token-of-the-test"];
  const tokens = [
    { role: "viewer", token: VIEWER },
    { role: "operator", token: OPERATOR },
  ] as const;
  const access = () => accessOf({ url: "https://relight.example.com/", tokens }, { now: () => NOW, log: fakeLog() });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

  test("the metrics need no sign-in, but name accounts only to who is let in", async () => {
    const { call } = serverOn("127.0.0.1", access());
    expect(await call("GET", "/metrics")).toMatchObject({ status: 200, body: "accounts false\n" });
    expect(await call("GET", "/metrics", bearer(VIEWER))).toMatchObject({ body: "accounts true\n" });
    expect(await call("GET", "/metrics", bearer("wrong"))).toMatchObject({ status: 403 });
    expect(await serverOn().call("GET", "/metrics")).toMatchObject({ body: "accounts true\n" });
    expect(await serverOn().call("GET", "/metrics", { host: "evil.example" })).toMatchObject({ status: 403 });
  });

  test("the API answers only who is let in; viewers order nothing", async () => {
    const { call, post } = serverOn("127.0.0.1", access());
    expect((await call("GET", "/accounts")).status).toBe(403);
    expect((await call("GET", "/accounts", bearer(VIEWER))).status).toBe(200);
    expect((await post({ ...JSON_TYPE, ...bearer(VIEWER) })).status).toBe(403);
    expect((await post({ ...JSON_TYPE, ...bearer(OPERATOR) })).status).toBe(202);
    expect(asked.at(-1)).toMatchObject(["order", { actor: "the operator token" }]);
  });

  test("a viewer's order and a wrong token are in the log, without the token", async () => {
    const { call, post, log } = serverOn("127.0.0.1", access());
    await post({ ...JSON_TYPE, ...bearer(VIEWER) });
    for (let tries = 0; tries < 5; tries++) await call("GET", "/accounts?token=in-the-query", bearer("a-wrong-token"));
    expect((await call("GET", "/accounts", bearer(OPERATOR))).status).toBe(429);
    const refused = (status: number, why: unknown) => ({
      level: "warn",
      message: "a request was refused",
      data: expect.objectContaining({ address: "unknown", status, why }),
    });
    expect(log.lines).toEqual([
      refused(403, "the viewer token may look, but not act"),
      ...Array.from({ length: 5 }, () => refused(403, "the token is wrong")),
      refused(429, expect.stringContaining("too many failures")),
    ]);
    expect(JSON.stringify(log.lines)).not.toMatch(/a-wrong-token|viewer-token|operator-token|in-the-query/);
  });

  test("a proxy on this machine may keep the name that people use, and no other", async () => {
    const { call } = serverOn("127.0.0.1", access());
    const by = (host: string) => call("GET", "/accounts", { ...bearer(VIEWER), host });
    expect((await by("relight.example.com")).status).toBe(200);
    expect((await by("evil.example")).status).toBe(403);
  });

  test("the probes need none", async () => {
    expect((await serverOn("::", access()).call("GET", "/readyz", { host: "10.0.0.7" })).status).toBe(200);
  });
});

describe("the issuer's webhook", () => {
  const notice = JSON.stringify({ type: "account.renewed", data: { account: ACCOUNT } });

  test("may come by any name, and is queued", async () => {
    const answer = await serverOn().call("POST", "/webhooks/issuer", { host: "relight.example.com" }, notice);
    expect(answer).toMatchObject({ status: 202, body: { outcome: "queued", account: ACCOUNT } });
    expect(asked).toMatchObject([["accept", { id: "w1", account: ACCOUNT, reason: "webhook account.renewed" }]]);
  });

  test("a signature that is wrong is in the log, without itself and the body", async () => {
    const { call, log } = serverOn();
    const headers = { "webhook-id": "w7", "webhook-signature": "v1,wrong" };
    expect((await call("POST", "/webhooks/issuer", headers, notice)).status).toBe(401);
    const [line, ...others] = log.lines;
    expect(line).toMatchObject({ level: "warn", data: { path: "/webhooks/issuer", status: 401, why: /signature/ } });
    expect(others).toEqual([]);
    expect(JSON.stringify(line)).not.toMatch(/v1,|renewed/);
  });

  test("a repetition is 200", async () => {
    const headers = { "webhook-id": "again" };
    expect(await serverOn().call("POST", "/webhooks/issuer", headers, notice)).toMatchObject({ status: 200 });
  });

  test.each([
    ["no JSON", "renewed", 400],
    ["an account that is none", notice.replace(ACCOUNT, "APP"), 400],
    ["a body that is too long", notice.replace("renewed", "x".repeat(1_200_000)), 413],
  ])("%s is refused", async (_what, body, status) => {
    expect(await serverOn().call("POST", "/webhooks/issuer", {}, body)).toMatchObject({ status });
    expect(asked).toEqual([]);
  });

  test("an endless body is refused before its end", async () => {
    let chunks = 0;
    const body = new ReadableStream({
      pull: (controller) => {
        chunks += 1;
        controller.enqueue(new Uint8Array(65_536));
      },
    });
    const service = { log: fakeLog(), settings: { listen: { host: "::1", port: 1 }, grace: millis(1) } };
    const metrics = { contentType: "", text: async () => fail() };
    const more = { withApp: async () => fail(), missing: async () => [], metrics };
    const server = createServe({ service: { ...service, ...more } });
    const request = new Request("http://localhost/webhooks/issuer", { method: "POST", body, duplex: "half" });
    expect((await server.request(request)).status).toBe(413);
    expect(chunks).toBeLessThan(50);
  });
});

function fail(): never {
  throw new Error("not expected");
}
