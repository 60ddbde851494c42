import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";

/**
 * The bundles, started by `npm run invoke` as a user does it. A process that ends by itself proves that the function
 * left nothing open; its log lines prove that `relight()` ran around it.
 */
const ROOT = join(import.meta.dirname, "..", "..");
const SECRET = `whsec_${Buffer.from("the issuer's secret").toString("base64")}`;

const NOBODY = expect.stringMatching(/^no escalation is configured: nobody will be called/);

interface Run {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function invoke(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "invoke.ts"), ...args], {
    cwd: ROOT,
    env: { ...process.env, RELIGHT_LOG_LEVEL: "info", ISSUER: SECRET, ...env },
    stdio: ["ignore", "pipe", "pipe"] as const,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  return new Promise((done) => child.once("close", (exit) => done({ exit, stdout, stderr })));
}

describe("on a real server", () => {
  let world: World;
  let config: string[];

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, yaml: 'issuerWebhook:\n  secrets: ["env:ISSUER"]\n' });
    config = ["--config", `${world.home}/relight.yaml`, "--account", world.accountId];
    await fill(world, { messages: 3 });
  });
  afterAll(async () => world[Symbol.asyncDispose]());

  test("a run is logged from start to finish under the request's id, and ends by itself", async () => {
    const { exit, stdout, stderr } = await invoke(["manual", "events/manual.verify.json", ...config]);
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: "verified", verdict: "healthy" });
    const lines = linesOf(stderr);
    expect(lines.map(({ msg }) => msg)).toEqual(["started", NOBODY, "a job began", "a job ended", "finished"]);
    expect(lines[3]).toMatchObject({ outcome: "verified", action: "verify", tookMs: expect.any(Number) });
    // The request is the trigger.
    expect(lines.slice(2, 4).map(({ correlation }) => correlation)).toEqual([lines[0].request, lines[0].request]);
    expect(new Set(lines.map(({ request }) => request)).size).toBe(1);
    for (const line of lines) expect(line).toMatchObject({ request: expect.any(String), function: "manual" });
  });

  test("RELIGHT_LOG_LEVEL=silent leaves standard error empty", async () => {
    const args = ["manual", "events/manual.verify.json", ...config];
    expect(await invoke(args, { RELIGHT_LOG_LEVEL: "silent" })).toMatchObject({ exit: 0, stderr: "" });
  });

  test("an error is logged once, with its code, and answered as Lambda does", async () => {
    const order = join(world.home, "order.json");
    await writeFile(order, '{"account": "NOBODY", "action": "heal", "reason": "because"}');
    const { exit, stdout, stderr } = await invoke(["manual", order, ...config]);
    expect(exit).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      errorType: "RelightError",
      errorMessage: expect.stringContaining("NOBODY"),
    });
    expect(linesOf(stderr).map(({ msg }) => msg)).toEqual(["started", NOBODY, "failed"]);
    expect(linesOf(stderr)[2]).toMatchObject({ function: "manual", error: { code: "account.unknown" } });
  });

  test("no log line has a secret, although the event has a JWT and a signature", async () => {
    const file = join(world.home, "delivery.json");
    const token = world.sign(world.claims({ exp: 1 }));
    const body = JSON.stringify({ type: "account.updated", data: { account: world.accountId, jwt: token } });
    await writeFile(file, JSON.stringify({ headers: {}, body, isBase64Encoded: false }));
    const { stdout, stderr } = await invoke(["issuer-webhook", file, "--secret-env", "ISSUER", ...config]);
    expect(JSON.parse(stdout)).toMatchObject({ statusCode: 422 });
    expect(linesOf(stderr).at(-1)).toMatchObject({ msg: "failed", error: { code: "gate.refused" } });
    expect(stdout + stderr).not.toMatch(/eyJ[\w-]+\.|whsec_|\bS[AOU][A-Z2-7]{56}|v1,/);
  });

  test("api lists the accounts, and escalate accepts a page, from their bundles", async () => {
    const listed = await invoke(["api", "events/api.accounts.json", ...config]);
    expect(listed.exit).toBe(0);
    expect(JSON.parse(JSON.parse(listed.stdout).body).accounts).toMatchObject([{ name: "APP" }]);
    const told = await invoke(["escalate", "events/escalate.incident-opened.json", ...config]);
    expect(JSON.parse(told.stdout)).toEqual({ batchItemFailures: [] });
    expect(linesOf(told.stderr).map(({ msg }) => msg)).toContain("incident opened");
  });

  test.each([
    ["sweep", "sweep.schedule", { queued: 2, failures: [] }],
    ["remediate", "remediate.sqs", { batchItemFailures: [] }],
    ["manual", "manual.heal", { outcome: "healed" }],
    ["issuer-webhook", "issuer-webhook.notice", { statusCode: 202 }],
    ["issuer-webhook", "issuer-webhook.base64", { statusCode: 202 }],
  ])("%s on %s heals a dead account", async (name, event, answer) => {
    await expire(world);
    await renewByHand(world, 90 * 86_400);
    expect((await symptoms(world)).publish).not.toBe("ok");
    const signing = name === "issuer-webhook" ? ["--secret-env", "ISSUER"] : [];
    const { exit, stdout } = await invoke([name, `events/${event}.json`, ...config, ...signing]);
    expect(JSON.parse(stdout)).toMatchObject(answer);
    expect(exit).toBe(0);
    expect((await symptoms(world)).publish).toBe("ok");
  });
});

test("a missing configuration is an error of the function", async () => {
  const { exit, stdout, stderr } = await invoke(["sweep", "events/sweep.schedule.json", "-c", "none.yaml"]);
  expect(exit).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ errorType: "RelightError" });
  expect(linesOf(stderr)).toMatchObject([{ msg: "failed", error: { code: "config.not_found" } }]);
});

test.each<[string, string[], RegExp]>([
  ["a missing function", ["reboot", "events/manual.heal.json"], /Allowed choices are sweep,/],
  ["a missing event", ["sweep", "events/none.json"], /cannot read the event: ENOENT.*none\.json/],
  ["an event that is not JSON", ["sweep", "events/README.md"], /README\.md is not JSON/],
  [
    "a secret that is not set",
    ["issuer-webhook", "events/issuer-webhook.notice.json", "--secret-env", "NOT_SET"],
    /NOT_SET is not set/,
  ],
  [
    "a signature for an event without one",
    ["manual", "events/manual.heal.json", "--secret-env", "ISSUER"],
    /--secret-env works only with issuer-webhook/,
  ],
])("%s is refused in one line", async (_what, args, message) => {
  const { exit, stdout, stderr } = await invoke(args);
  expect({ exit, stdout }).toEqual({ exit: 1, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

test("--help shows the usage", async () => {
  const { exit, stdout } = await invoke(["--help"]);
  expect(exit).toBe(0);
  for (const part of ["--config", "--account", "--secret-env", "issuer-webhook"]) expect(stdout).toContain(part);
});

function linesOf(stderr: string) {
  return stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
