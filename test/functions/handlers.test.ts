import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { createAccount, createOperator } from "@nats-io/nkeys";
import type { Context as LambdaContext } from "aws-lambda";
import { Webhook } from "standardwebhooks";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import type { EntryKind } from "../../lib/domain/journal/journal.ts";
import { relight } from "../support/relight.ts";

/**
 * Every handler on every event in events/, on a real server. The results require its middleware: no app without
 * `relight()`, no batchItemFailures without the queue's.
 */
const { path: binary } = await serverBinary("2.10.27");
const PLACEHOLDER = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const secret = (text: string): string => `whsec_${Buffer.from(text).toString("base64")}`;
const stranger = createAccount().getPublicKey();
const SECRETS = { current: secret("the issuer's current secret"), old: secret("the issuer's last secret") };

// biome-ignore lint/suspicious/noExplicitAny: an event is whatever AWS sends
type Event = any;
const context = {
  awsRequestId: "test-request",
  functionName: "test",
  getRemainingTimeInMillis: () => 180_000,
} as LambdaContext;
/** One whose function has used half of its time when the handler is called. */
const lateContext = (): LambdaContext => {
  const remaining = jest.fn(() => 180_000).mockReturnValueOnce(0);
  return { ...context, getRemainingTimeInMillis: remaining };
};

let world: World;
/** For tests that change nothing. */
let untouched: World | undefined;
const environment = { ...process.env };

beforeEach(() => {
  Object.assign(process.env, {
    ISSUER_CURRENT: SECRETS.current,
    ISSUER_OLD: SECRETS.old,
    RELIGHT_LOG_LEVEL: "silent",
  });
});
afterEach(async () => {
  if (world !== untouched) await world?.[Symbol.asyncDispose]();
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
});

afterAll(async () => await untouched?.[Symbol.asyncDispose]());

/** The world of all tests that change nothing in it. */
async function openUntouched(): Promise<void> {
  if (untouched === undefined) {
    await openWorld({ dead: false });
    untouched = world;
  }
  world = untouched;
  process.env["RELIGHT_CONFIG"] = `${world.home}/relight.yaml`;
}

async function openWorld({ dead }: { dead: boolean }): Promise<void> {
  world = await createWorld({
    binary,
    lives: 90 * 86_400,
    yaml: 'issuerWebhook:\n  secrets: ["env:ISSUER_CURRENT", "env:ISSUER_OLD"]\n',
  });
  await fill(world, { messages: 3 });
  if (dead) await expire(world);
  if (dead) await renewByHand(world, 90 * 86_400);
  process.env["RELIGHT_CONFIG"] = `${world.home}/relight.yaml`;
}

/** An event from events/, with the world's account instead of the placeholder. */
async function eventOf(name: string): Promise<Event> {
  const text = await readFile(new URL(`../../events/${name}.json`, import.meta.url), "utf8");
  const fill = (part: string): string => part.replaceAll(PLACEHOLDER, world.accountId);
  const event = JSON.parse(fill(text));
  if (event.isBase64Encoded)
    event.body = Buffer.from(fill(Buffer.from(event.body, "base64").toString())).toString("base64");
  return event;
}

async function run(name: string, event: Event, inContext: LambdaContext = context): Promise<Event> {
  const { handler } = await import(`../../functions/${name}.ts`);
  return handler(event, { ...inContext });
}

const works = async (): Promise<boolean> => (await symptoms(world)).publish === "ok";

/** The journal's entries of these kinds, as a person reads them. */
async function journal(...kinds: EntryKind[]): Promise<Event[]> {
  const { json } = await relight(world, "journal", "APP", "--json");
  return json.entries.filter(({ kind }: { kind: EntryKind }) => kinds.includes(kind));
}

/** The claims that the resolver holds. */
async function inForce(): Promise<unknown> {
  const system = await world.connectAs("system");
  const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`);
  await system.close();
  return JSON.parse(Buffer.from(reply.string().split(".")[1] ?? "", "base64url").toString());
}

describe("sweep", () => {
  test("on a schedule: queues every account, and with the in-process queue heals dead ones", async () => {
    await openWorld({ dead: true });
    const answer = await run("sweep", await eventOf("sweep.schedule"));
    expect(answer).toMatchObject({ queued: 2, unreadable: [], failures: [] });
    expect(answer.outcomes).toContainEqual({ account: world.accountId, outcome: "healed" });
    expect(await works()).toBe(true);
  });

  test("fails if the cluster is unreachable, so the function's error metric counts it", async () => {
    await openWorld({ dead: false });
    await world.server.stop();
    await expect(run("sweep", await eventOf("sweep.schedule"))).rejects.toMatchObject({
      code: "nats.unreachable",
    });
  });
});

describe("remediate", () => {
  test("heals the account of the message", async () => {
    await openWorld({ dead: true });
    expect(await run("remediate", await eventOf("remediate.sqs"))).toEqual({ batchItemFailures: [] });
    expect(await works()).toBe(true);
  });

  test("returns invalid jobs, and later jobs of the same account, and does the rest", async () => {
    await openWorld({ dead: false });
    const event = await eventOf("remediate.sqs-batch");
    expect(await run("remediate", event)).toEqual({
      batchItemFailures: [event.Records[0], event.Records[2]].map(({ messageId }) => ({
        itemIdentifier: messageId,
      })),
    });
    expect(await journal("job.finished")).toMatchObject([{ data: { outcome: "verified" } }]);
  });

  test("starts no rung in the second half of its time, and returns the message", async () => {
    await openWorld({ dead: true });
    const before = await inForce();
    const event = await eventOf("remediate.sqs");
    const [{ messageId }] = event.Records;
    expect(await run("remediate", event, lateContext())).toEqual({
      batchItemFailures: [{ itemIdentifier: messageId }],
    });
    expect(await inForce()).toEqual(before);
    expect(await journal("rung.started")).toEqual([]);
    expect(await run("remediate", event)).toEqual({ batchItemFailures: [] });
    expect(await works()).toBe(true);
  });

  test("an account that needs a person is escalated, and its message is done", async () => {
    await openWorld({ dead: false });
    const event = await eventOf("remediate.sqs");
    const job = JSON.parse(event.Records[0].body);
    const token = world.sign(world.claims({ exp: nowSeconds() + 3_600 }), createOperator());
    event.Records[0].body = JSON.stringify({ ...job, action: "push", token });
    expect(await run("remediate", event)).toEqual({ batchItemFailures: [] });
    expect(await journal("incident.opened")).toMatchObject([{ data: { failureClass: "push_refused" } }]);
  });

  test("returns everything if the cluster is unreachable", async () => {
    await openWorld({ dead: false });
    await world.server.stop();
    const event = await eventOf("remediate.sqs");
    const [{ messageId }] = event.Records;
    expect(await run("remediate", event)).toEqual({ batchItemFailures: [{ itemIdentifier: messageId }] });
  });
});

describe("manual", () => {
  test("heal, verify and renew, by the account's name", async () => {
    await openWorld({ dead: true });
    expect(await run("manual", await eventOf("manual.verify"))).toMatchObject({
      outcome: "verified",
      verdict: "dead",
    });
    expect(await run("manual", await eventOf("manual.heal"))).toMatchObject({
      outcome: "healed",
      verdict: "healthy",
    });
    expect(await run("manual", await eventOf("manual.renew"))).toMatchObject({
      outcome: "renewed",
      verdict: "healthy",
    });
  });

  test.each([
    ["without a reason", { account: "APP", action: "heal" }],
    ["with an action that there is not", { account: "APP", action: "restart", reason: "because" }],
    ["with something unknown", { account: "APP", action: "heal", reason: "because", force: true }],
  ])("%s is a usage error", async (_what, event) => {
    await openUntouched();
    await expect(run("manual", event)).rejects.toMatchObject({ code: "usage" });
  });
});

describe("issuer-webhook", () => {
  interface Signing {
    readonly secret?: string;
    readonly id?: string;
    readonly at?: Date;
  }

  function sign(
    event: Event,
    { secret: key = SECRETS.current, id = crypto.randomUUID(), at = new Date() }: Signing = {},
  ): Event {
    const body = event.isBase64Encoded ? Buffer.from(event.body, "base64").toString() : event.body;
    const signature = new Webhook(key).sign(id, at, body);
    // Header names as a proxy may send them.
    const headers = {
      "Webhook-Id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": signature,
    };
    return { ...event, headers };
  }

  async function delivery(jwt: string): Promise<Event> {
    const event = await eventOf("issuer-webhook.jwt");
    return sign({ ...event, body: event.body.replace("filled-in-by-the-caller", jwt) });
  }

  const later = (): { exp: number; iat: number } => ({
    exp: nowSeconds() + 100 * 86_400,
    iat: nowSeconds() + 5,
  });

  test.each(["issuer-webhook.notice", "issuer-webhook.base64"])("%s starts the job, once", async (name) => {
    await openWorld({ dead: true });
    const event = sign(await eventOf(name));
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 202 });
    expect(await works()).toBe(true);
    const repeated = await run("issuer-webhook", event);
    expect(repeated).toMatchObject({ statusCode: 200 });
    expect(JSON.parse(repeated.body)).toEqual({ outcome: "repeated", account: world.accountId });
    expect(await journal("job.started")).toHaveLength(1);
  });

  test("a delivered renewal is pushed and in force; a redelivery pushes nothing", async () => {
    await openWorld({ dead: false });
    const claims = world.claims(later());
    const event = await delivery(world.sign(claims));
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 202 });
    expect(await inForce()).toMatchObject({ exp: claims["exp"] });
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 200 });
    expect(await journal("push.started")).toHaveLength(1);
  });

  test("a delivery that can't be queued is requested again, and then accepted", async () => {
    await openWorld({ dead: false });
    const event = sign(await eventOf("issuer-webhook.notice"));
    const nowhere = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "none", AWS_SECRET_ACCESS_KEY: "none" };
    const queue = "sqs:http://127.0.0.1:1/123456789012/jobs.fifo";
    Object.assign(process.env, nowhere, { AWS_ENDPOINT_URL: "http://127.0.0.1:1", RELIGHT_QUEUE: queue });
    const answer = await run("issuer-webhook", event);
    expect(answer).toMatchObject({ statusCode: 503 });
    expect(JSON.parse(answer.body).error).toMatchObject({ code: "queue.unavailable" });
    delete process.env["RELIGHT_QUEUE"];
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 202 });
  });

  test("a delivery whose job fails in this process is not accepted, and can be repeated", async () => {
    await openWorld({ dead: false });
    const event = sign(await eventOf("issuer-webhook.notice"));
    await world.server.stop();
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 503 });
    await world.server.start();
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 202 });
  });

  test("internal errors show only their code", async () => {
    await openUntouched();
    const event = sign(await eventOf("issuer-webhook.notice"));
    process.env["RELIGHT_CONFIG"] = `${world.home}/none.yaml`;
    const answer = await run("issuer-webhook", event);
    expect(answer).toMatchObject({ statusCode: 500, body: '{"error":{"code":"config.not_found"}}' });
  });

  test.each<[string, () => string, number]>([
    ["of an untrusted operator", () => world.sign(world.claims(later()), createOperator()), 422],
    ["of another account", () => world.sign({ ...world.claims(later()), sub: stranger }), 422],
    ["that has expired", () => world.sign(world.claims({ exp: nowSeconds() - 1 })), 422],
    ["that is not a JWT", () => "hello", 422],
  ])("a JWT %s never reaches the resolver", async (_what, make, status) => {
    await openUntouched();
    const before = await inForce();
    expect(await run("issuer-webhook", await delivery(make()))).toMatchObject({ statusCode: status });
    expect(await inForce()).toEqual(before);
    expect(await journal("job.started")).toEqual([]);
  });

  test("a JWT that lowers a limit never reaches the resolver, and a person is paged", async () => {
    await openWorld({ dead: false });
    const before = await inForce();
    // Only the claims in force show that a limit is lowered, so the job's gate refuses it.
    const lowered = world.claims({ ...later(), limits: { conn: 1 } });
    expect(await run("issuer-webhook", await delivery(world.sign(lowered)))).toMatchObject({
      statusCode: 202,
    });
    expect(await inForce()).toEqual(before);
    expect(await journal("gate.refused")).toMatchObject([
      { data: { refusals: expect.arrayContaining([expect.objectContaining({ code: "limit_lowered" })]) } },
    ]);
    expect(await journal("incident.opened")).toMatchObject([{ data: { failureClass: "push_refused" } }]);
  });

  test("the previous secret is still accepted during a rotation", async () => {
    await openWorld({ dead: false });
    const event = sign(await eventOf("issuer-webhook.notice"), { secret: SECRETS.old });
    expect(await run("issuer-webhook", event)).toMatchObject({ statusCode: 202 });
  });

  test.each<[string, (event: Event) => Event, number]>([
    ["signed by a stranger", (event) => sign(event, { secret: secret("a stranger's secret") }), 401],
    ["replayed after six minutes", (event) => sign(event, { at: new Date(Date.now() - 360_000) }), 401],
    ["from six minutes ahead", (event) => sign(event, { at: new Date(Date.now() + 360_000) }), 401],
    ["without a signature", (event) => ({ ...event, headers: {} }), 401],
    ["changed in transit", (event) => ({ ...sign(event), body: event.body.replace("updated", "deleted") }), 401],
    ["that is not JSON", (event) => sign({ ...event, body: "hello" }), 400],
    ["without an account", (event) => sign({ ...event, body: '{"type":"x","data":{}}' }), 400],
  ])("a request %s is refused", async (_what, change, status) => {
    await openUntouched();
    const answer = await run("issuer-webhook", change(await eventOf("issuer-webhook.notice")));
    expect(answer).toMatchObject({ statusCode: status, headers: { "content-type": "application/json" } });
    expect(JSON.parse(answer.body).error).toMatchObject({ code: expect.stringMatching(/^webhook\./) });
  });
});
