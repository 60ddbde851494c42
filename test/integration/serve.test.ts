import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { openWorldApp } from "../support/context.ts";
import { paused } from "../support/paused.ts";
import { relight } from "../support/relight.ts";
import { type Serve, startServe } from "../support/serve.ts";

/** The built `relight serve` beside a real server. */

const { path: binary } = await serverBinary("2.10.27");
const WORKS = { apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" };
const SECRET = `whsec_${Buffer.from("the issuer's secret").toString("base64")}`;
const SLOW = { timeout: 60_000 };

const isReady = (serve: Serve) => waitFor("readiness", async () => (await serve.get("/readyz")).status === 200, SLOW);

/** The kinds of the journal's entries, read beside the process that writes them. */
function kindsIn({ home }: World): readonly string[] {
  if (!existsSync(`${home}/relight.sqlite`)) return [];
  const database = new DatabaseSync(`${home}/relight.sqlite`, { readOnly: true, timeout: 5_000 });
  try {
    return database
      .prepare("SELECT kind FROM journal ORDER BY seq")
      .all()
      .map(({ kind }) => String(kind));
  } finally {
    database.close();
  }
}

/** The lines of its log with this message. */
const linesOf = (serve: Serve, message: string): readonly Record<string, unknown>[] =>
  serve
    .stderr()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === message);

async function brokenWorld(yaml = ""): Promise<World> {
  const world = await createWorld({ binary, yaml });
  await fill(world, { messages: 5 });
  await expire(world);
  await renewByHand(world);
  return world;
}

/** A notice of the issuer, as a sender of Standard Webhooks signs it. */
function delivery({ accountId }: World, jwt?: string, id = crypto.randomUUID()) {
  const body = JSON.stringify({ type: "account.renewed", data: { account: accountId, jwt } });
  const at = new Date();
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": new Webhook(SECRET).sign(id, at, body),
  };
  return { body, headers };
}

test("an account that expires is renewed and healed, the metrics tell it, and a signal ends it with 0", async () => {
  await using world = await createWorld({ binary, yaml: "metrics: { perAccount: all }\n" });
  await fill(world, { messages: 5 });
  await using serve = await startServe(world);
  await serve.until("the first sweep", ({ what }) => what === "sweep");
  expect(await serve.get("/readyz")).toMatchObject({ status: 200, json: { ready: true, missing: [] } });
  await expire(world);
  await serve.until("the renewal", ({ what, pushed }) => what === "job" && pushed, 60_000);
  expect(await symptoms(world)).toEqual(WORKS);
  const account = (await serve.get("/accounts/APP")).json;
  expect(account).toMatchObject({ id: world.accountId, verdict: { verdict: "healthy" } });
  const { text } = await serve.get("/metrics");
  for (const line of [
    ...[
      /^relight_sweeps_total [1-9]/m,
      /^relight_renewals_total [1-9]/m,
      /^relight_rungs_total\{rung="renew"\} [1-9]/m,
    ],
    ...[/^relight_accounts\{verdict="healthy"\} 2/m, /^relight_time_to_recover_seconds_count [1-9]/m],
    ...[/^relight_last_sweep_timestamp_seconds 1\d{9}/m, /^relight_build_info\{version="\d/m],
    new RegExp(`^relight_account_expiration_timestamp_seconds{account="${world.accountId}",name="APP"} 1\\d{9}`, "m"),
    new RegExp(`^relight_account_renewal_timestamp_seconds{account="${world.accountId}",name="APP"} 1\\d{9}`, "m"),
  ])
    expect(text).toMatch(line);
  expect(await serve.stop("SIGTERM")).toBe(0);
  expect(linesOf(serve, "a job began")).toContainEqual(
    expect.objectContaining({ level: 30, account: world.accountId }),
  );
  const ends = linesOf(serve, "a job ended");
  expect(ends).toContainEqual(
    expect.objectContaining({ tookMs: expect.any(Number), recoverSeconds: expect.any(Number) }),
  );
});

test("an account that expires between two sweeps, without a client, is dead as soon as it has expired", async () => {
  await using world = await createWorld({ binary, yaml: "mode: look\n" });
  await fill(world, { messages: 5 });
  await world.push(world.sign(world.claims({ exp: nowSeconds() + 20 })));
  await using serve = await startServe(world, "--sweep-every", "1h");
  await serve.until("the first sweep", ({ what }) => what === "sweep", 60_000);
  const { reason } = await serve.until(
    "the check",
    ({ what, verdict }) => what === "job" && verdict === "dead",
    60_000,
  );
  expect(reason).toBe("its claims have expired");
  expect((await serve.get("/accounts/APP")).json).toMatchObject({ verdict: { verdict: "dead" } });
});

test("without sweeps it leaves a broken account alone until somebody asks", async () => {
  await using world = await brokenWorld();
  await using serve = await startServe(world, "--sweep-every", "off");
  await isReady(serve);
  const broken = await symptoms(world);
  expect(broken).not.toEqual(WORKS);
  expect(await serve.stop("SIGTERM")).toBe(0);
  expect(serve.notes.filter(({ what }) => what === "sweep" || what === "job")).toEqual([]);
  expect(kindsIn(world)).toEqual([]);
  expect(await symptoms(world)).toEqual(broken);
});

test("an order is queued at once, runs, and is found by its correlation", async () => {
  await using world = await brokenWorld();
  await using serve = await startServe(world, "--sweep-every", "off");
  const ordered = await serve.post("/accounts/APP/jobs", { action: "heal", reason: "orders are stuck" });
  expect(ordered).toMatchObject({ status: 202, json: { account: world.accountId } });
  const path = `/accounts/APP/jobs/${ordered.json.correlation}`;
  const ended = await waitFor(
    "the end of the order",
    async () => {
      const { json } = await serve.get(path);
      return json.state === "finished" && json;
    },
    SLOW,
  );
  expect(ended).toMatchObject({ action: "heal", reason: "orders are stuck", end: { outcome: /heal/ } });
  expect(await symptoms(world)).toEqual(WORKS);
});

describe("the issuer's webhook", () => {
  const yaml = "issuerWebhook: { secrets: [env:HOOK] }\n".replace("env:HOOK", "file:hook.secret");

  test("a delivered JWT is in force when it is answered; a repetition changes nothing; others are refused", async () => {
    await using world = await createWorld({ binary, yaml });
    await writeFile(`${world.home}/hook.secret`, SECRET, { mode: 0o600 });
    await using serve = await startServe(world, "--sweep-every", "off");
    await isReady(serve);
    const token = world.sign(world.claims({ exp: nowSeconds() + 7_000, iat: nowSeconds() + 5 }));
    const { body, headers } = delivery(world, token);
    expect(await serve.post("/webhooks/issuer", body, headers)).toMatchObject({ status: 202 });
    expect(kindsIn(world)).toContain("push.proved");
    expect(await serve.post("/webhooks/issuer", body, headers)).toMatchObject({ status: 200 });
    const other = delivery(world, undefined, headers["webhook-id"]);
    expect(await serve.post("/webhooks/issuer", other.body, other.headers)).toMatchObject({ status: 409 });
    const unsigned = { ...headers, "webhook-signature": "v1,AAAA" };
    expect(await serve.post("/webhooks/issuer", body, unsigned)).toMatchObject({ status: 401 });
    expect(linesOf(serve, "a request was refused")).toMatchObject([
      { level: 40, path: "/webhooks/issuer", address: "127.0.0.1", status: 409, code: "webhook.conflict" },
      { level: 40, path: "/webhooks/issuer", address: "127.0.0.1", status: 401, code: "webhook.unauthorized" },
    ]);
    expect(serve.stderr()).not.toMatch(/v1,|eyJ/);
    const noted = delivery(world);
    expect(await serve.post("/webhooks/issuer", noted.body, noted.headers)).toMatchObject({ status: 202 });
  });
});

test("a cluster that can't be reached at the start: it serves, is not ready, and catches up", async () => {
  await using world = await createWorld({ binary });
  await world.server.stop();
  await using serve = await startServe(world);
  expect(await serve.get("/livez")).toMatchObject({ status: 200 });
  expect(await serve.get("/readyz")).toMatchObject({ status: 503, json: { missing: ["cluster"] } });
  await waitFor("the first failure", () => /can't be listened to; trying again/.test(serve.stderr()), SLOW);
  expect(await serve.get("/accounts/APP")).toMatchObject({ status: 200, json: { verdict: null } });
  await world.server.start();
  await isReady(serve);
  await serve.until("the first sweep", ({ what, queued }) => what === "sweep" && queued > 0, 60_000);
  // What was reached once counts as there: the probe is about this process.
  await world.server.stop();
  expect((await serve.get("/readyz")).status).toBe(200);
  expect(await serve.stop()).toBe(0);
});

test("a configuration that is broken meanwhile is named by the probe, and work goes on once it is mended", async () => {
  await using world = await createWorld({ binary });
  const file = `${world.home}/relight.yaml`;
  const text = await readFile(file, "utf8");
  await using serve = await startServe(world);
  await isReady(serve);
  await writeFile(file, `${text}nonsense: 1\n`);
  expect(await serve.get("/readyz")).toMatchObject({ status: 503, json: { missing: ["configuration"] } });
  expect((await serve.get("/accounts")).status).toBe(500);
  await writeFile(file, text);
  expect((await serve.get("/readyz")).status).toBe(200);
  expect((await serve.get("/accounts")).status).toBe(200);
});

test.each<[string, (file: string) => Promise<void>]>([
  ["moved away", (file) => rename(file, `${file}.old`)],
  ["deleted", (file) => rm(file)],
])("a journal that is %s: it is not ready, says so, and begins no other one", async (_how, lose) => {
  await using world = await createWorld({ binary });
  await using serve = await startServe(world);
  await isReady(serve);
  await serve.until("the first sweep", ({ what }) => what === "sweep", 60_000);
  const file = `${world.home}/relight.sqlite`;
  await lose(file);
  expect(await serve.get("/readyz")).toMatchObject({ status: 503, json: { missing: ["journal"] } });
  expect(serve.stderr()).toMatch(
    /since this process opened it.*the journal can't be written, so this process is not ready/,
  );
  const ordered = await serve.post("/accounts/APP/jobs", { action: "verify", reason: "is it well?" });
  expect(ordered).toMatchObject({ status: 503 });
  expect(ordered.text).toContain("journal.unavailable");
  expect(existsSync(file)).toBe(false);
  expect((await serve.get("/readyz")).status).toBe(503);
});

describe("ending", () => {
  test("in the middle of a heal: the step under way finishes, and the next start does the rest", async () => {
    await using world = await brokenWorld();
    {
      await using serve = await startServe(world);
      await waitFor("the remedy", () => kindsIn(world).includes("rung.started"), { ...SLOW, interval: 5 });
      expect(await serve.stop("SIGTERM")).toBe(0);
    }
    // JetStream is never left off for the account.
    const kinds = kindsIn(world);
    expect(kinds.filter((kind) => kind === "toggle.closed")).toHaveLength(
      kinds.filter((kind) => kind === "toggle.opened").length,
    );
    await using serve = await startServe(world);
    const isHealthy = async () => (await serve.get("/accounts/APP")).json.verdict?.verdict === "healthy";
    await waitFor("the account to be healthy", isHealthy, SLOW);
    expect(await symptoms(world)).toEqual(WORKS);
  });

  test("a step that takes longer than serve.grace is parked, and the next start finishes it", async () => {
    await using world = await brokenWorld("serve: { grace: 1ms }\n");
    {
      await using serve = await startServe(world);
      await waitFor("the remedy", () => kindsIn(world).includes("toggle.opened"), { ...SLOW, interval: 5 });
      using _unanswered = paused(world);
      expect(await serve.stop("SIGTERM")).toBe(1);
      expect(serve.stderr()).toMatch(/still under way after serve\.grace/);
    }
    expect(kindsIn(world)).not.toContain("toggle.closed");
    await using serve = await startServe(world);
    // Its lease ends by itself.
    await waitFor("the end of the remedy", () => kindsIn(world).includes("toggle.closed"), { timeout: 120_000 });
    const isHealthy = async () => (await serve.get("/accounts/APP")).json.verdict?.verdict === "healthy";
    await waitFor("the account to be healthy", isHealthy, SLOW);
    expect(await symptoms(world)).toEqual(WORKS);
  });

  test("a second signal ends it at once, a kill too; the next start finishes the remedy", async () => {
    await using world = await brokenWorld();
    {
      await using serve = await startServe(world);
      await waitFor("the remedy", () => kindsIn(world).includes("toggle.opened"), { ...SLOW, interval: 5 });
      using _unanswered = paused(world);
      serve.signal("SIGINT");
      await waitFor("the first signal's effect", () => serve.stderr().includes("finishing the current step"), SLOW);
      expect(await serve.stop("SIGTERM")).toBe(3);
    }
    await using _next = await startServe(world);
    await waitFor("the end of the remedy", () => kindsIn(world).includes("toggle.closed"), { timeout: 120_000 });
  });
});

test("an order that had not begun when the process was killed is carried out by the next one, once", async () => {
  await using world = await createWorld({ binary });
  await using first = await startServe(world, "--sweep-every", "off");
  await isReady(first);
  // Another process works on the account.
  await using app = await openWorldApp(world);
  const { leases } = await app.context();
  await leases.acquire(`account/${world.accountId}`, "somebody", millis(600_000));
  const ordered = await first.post("/accounts/APP/jobs", { action: "heal", reason: "is it well?" });
  const path = `/accounts/APP/jobs/${ordered.json.correlation}`;
  await waitFor("the first try", () => /an order is tried again/.test(first.stderr()), SLOW);
  expect((await first.get(path)).json).toMatchObject({ state: "requested" });
  await first.stop("SIGKILL");
  await leases.release(`account/${world.accountId}`, "somebody");
  await using second = await startServe(world, "--sweep-every", "off");
  await waitFor("the order's end", async () => (await second.get(path)).json.state === "finished", SLOW);
  expect((await second.get(path)).json).toMatchObject({ action: "heal", reason: "is it well?" });
});

describe("an address that can't be listened on", () => {
  test("is a clear error: another program has the port", async () => {
    await using world = await createWorld({ binary });
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    try {
      const { port } = other.address() as AddressInfo;
      const run = await relight(world, "serve", "--listen", `127.0.0.1:${port}`);
      expect(run).toMatchObject({ exit: 3, stdout: "" });
      expect(run.stderr).toMatch(`127.0.0.1:${port} can't be listened on: another program listens there`);
      expect(run.stderr).toMatch(/listen\.failed/);
    } finally {
      other.close();
    }
  });

  test("or others could reach it", async () => {
    await using world = await createWorld({ binary });
    const run = await relight(world, "serve", "--listen", "0.0.0.0:0", "--json");
    expect(run).toMatchObject({ exit: 3, json: { error: { code: "config.invalid" } } });
    expect(run.json.error.message).toMatch(/^--listen: 0\.0\.0\.0 can be reached from other machines/);
  });
});

test("requests that no client would send do not end it", async () => {
  await using world = await createWorld({ binary });
  await using serve = await startServe(world, "--sweep-every", "off");
  const { port } = new URL(serve.url);
  /** What it answers to these bytes; empty if it closes the connection. */
  const raw = (bytes: string): Promise<string> =>
    new Promise((done) => {
      const socket = connect(Number(port), "127.0.0.1", () => socket.end(bytes));
      let text = "";
      socket.on("data", (chunk) => (text += chunk));
      socket.on("close", () => done(text));
      socket.on("error", () => done(text));
    });
  const head = "Host: 127.0.0.1\r\nConnection: close\r\n";
  expect(await raw(`GET /accounts HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 403/,
  );
  expect(await raw(`GET /accounts HTTP/1.1\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 400/);
  expect(await raw(`GET /accounts HTTP/1.1\r\nHost: a@b c\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 40[03]/);
  expect(await raw(`POST /accounts/APP/jobs HTTP/1.1\r\n${head}Content-Type: application/json\r\n\r\n`)).toMatch(
    / 400/,
  );
  expect(await raw(`GET /accounts/%ff HTTP/1.1\r\n${head}\r\n`)).toMatch(/^HTTP\/1.1 4\d\d/);
  expect(await raw("nonsense\r\n\r\n")).toMatch(/^HTTP\/1.1 400|^$/);
  expect((await serve.get("/livez")).status).toBe(200);
});
