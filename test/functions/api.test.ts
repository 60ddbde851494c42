import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { openApp } from "../../lib/compose/compose.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { EntryKind } from "../../lib/domain/journal/journal.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { epochMillis } from "../../lib/domain/time/time.ts";
import { createLog } from "../../lib/log.ts";
import { describeAws, startMoto } from "../support/moto.ts";
import { type Event, eventOf, isolatedConfig, PLACEHOLDER, run } from "../support/stack.ts";

/** A real queue (moto's), and a configuration whose NATS, operator and credentials are unreachable. */
const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const environment = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
});

const [app, billing] = [createAccount().getPublicKey(), createAccount().getPublicKey()].sort() as [
  AccountId,
  AccountId,
];
const ARN = "arn:aws:sts::123456789012:assumed-role/on-call/ada";
const AT = epochMillis(Date.UTC(2030, 0, 1));
const TOKEN = `eyJ0eXAiOiJKV1QifQ.${"x".repeat(20)}.${"y".repeat(20)}`;

describeAws(moto, "api", (aws) => {
  const sqs = new SQSClient(aws);
  afterAll(() => sqs.destroy());
  let queues = 0;

  async function stack() {
    const name = `jobs-${++queues}.fifo`;
    const { QueueUrl: url = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: name, Attributes: { FifoQueue: "true" } }),
    );
    const config = await isolatedConfig(
      `accounts: [{ id: ${app}, name: APP }, { id: ${billing}, name: "BILL ING" }]\n`,
    );
    Object.assign(process.env, {
      RELIGHT_CONFIG: config.file,
      RELIGHT_QUEUE: `sqs:${url}`,
      RELIGHT_LOG_LEVEL: "silent",
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_REGION: aws.region,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    });
    return {
      ...config,
      queued: async () => {
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }));
        return Messages.map(({ Body = "" }) => JSON.parse(Body));
      },
      /** As a job would write it. */
      journalled: async (kind: EntryKind, job: string, data: JsonObject) => {
        await using it = await openApp({ configFile: config.file, log: createLog({ level: "silent" }) });
        await it.journal.append({ at: AT, job, account: app, kind, data });
      },
    };
  }

  async function call(name: string, change: (event: Event) => void = () => undefined, account: string = app) {
    const event = await eventOf(name, (text) => text.replaceAll(PLACEHOLDER, account));
    change(event);
    const { statusCode: status, headers, body } = await run("api", event);
    expect(headers).toEqual({ "content-type": "application/json" });
    return { status, body: JSON.parse(body) };
  }

  test("lists the accounts, page by page, with the result of the newest job on each", async () => {
    await using it = await stack();
    await it.journalled("job.finished", "j1", { outcome: "healed" });
    const first = await call("api.accounts", (event) =>
      Object.assign(event, { queryStringParameters: { limit: "1" } }),
    );
    expect(first).toMatchObject({
      status: 200,
      body: {
        accounts: [
          {
            id: app,
            name: "APP",
            newestJob: { state: "finished", at: "2030-01-01T00:00:00.000Z", outcome: "healed" },
          },
        ],
        next: app,
      },
    });
    const query = { limit: "1", after: first.body.next };
    expect(await call("api.accounts", (event) => Object.assign(event, { queryStringParameters: query }))).toEqual({
      status: 200,
      body: { accounts: [{ id: billing, name: "BILL ING", newestJob: null }], next: null },
    });
  });

  test("shows an account: its verdict, its last job, what is open; no secret", async () => {
    await using it = await stack();
    await it.journalled("verdict", "j1", { verdict: "dead", findings: [{ message: `of ${TOKEN}` }] });
    await it.journalled("incident.opened", "j1", {
      key: "k",
      failureClass: "jetstream_dead",
      severity: "critical",
    });
    await it.journalled("job.finished", "j1", { outcome: "escalated" });
    const { status, body } = await call("api.account");
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: app,
      name: "APP",
      configured: true,
      claims: null,
      verdict: { at: "2030-01-01T00:00:00.000Z", verdict: "dead" },
      newestJob: { state: "finished", job: "j1", outcome: "escalated" },
      incidents: [{ key: "k", failureClass: "jetstream_dead", since: "2030-01-01T00:00:00.000Z" }],
    });
    expect(JSON.stringify(body)).not.toContain(TOKEN);
  });

  test("queues a job by id or name, in the caller's name, and reports its progress", async () => {
    await using it = await stack();
    const { status, body } = await call("api.order", (event) =>
      Object.assign(event.pathParameters, { account: "APP" }),
    );
    expect({ status, account: body.account }).toEqual({ status: 202, account: app });
    const { correlation } = body;
    const reason = `orders are stuck (requested by ${ARN})`;
    expect(await it.queued()).toEqual([
      { account: app, action: "heal", trigger: "manual", reason, correlation, id: correlation },
    ]);
    const end = () => call("api.ended", (event) => Object.assign(event.pathParameters, { correlation }));
    const wish = { account: app, correlation, action: "heal", actor: ARN, reason: "orders are stuck" };
    expect(await end()).toMatchObject({ status: 200, body: { ...wish, state: "requested" } });
    await it.journalled("job.started", "j7", { action: "heal", trigger: "manual", reason, correlation });
    expect(await end()).toMatchObject({
      body: { ...wish, state: "running", startedAt: "2030-01-01T00:00:00.000Z" },
    });
    await it.journalled("verdict", "j7", { verdict: "healthy", findings: [] });
    await it.journalled("rung.finished", "j7", { rung: "step-down-leaders", result: "helped" });
    await it.journalled("job.finished", "j7", { outcome: "healed" });
    expect(await end()).toMatchObject({
      body: {
        ...wish,
        state: "finished",
        verdict: { verdict: "healthy" },
        end: { outcome: "healed" },
        rungs: [{ rung: "step-down-leaders", result: "helped" }],
      },
    });
  });

  test.each<[string, string, (event: Event) => void, number, string]>([
    [
      "nobody's identity",
      "api.accounts",
      (event) => delete event.requestContext.authorizer,
      403,
      "request.unauthorized",
    ],
    [
      "nobody's identity",
      "api.order",
      (event) => delete event.requestContext.authorizer.iam,
      403,
      "request.unauthorized",
    ],
    [
      "an unknown path",
      "api.accounts",
      (event) => Object.assign(event.requestContext.http, { path: "/" }),
      404,
      "request.unknown",
    ],
    [
      "an unknown method",
      "api.account",
      (event) => Object.assign(event.requestContext.http, { method: "DELETE" }),
      404,
      "request.unknown",
    ],
    [
      "an unknown name",
      "api.account",
      (event) => Object.assign(event.pathParameters, { account: "NOBODY" }),
      404,
      "account.unknown",
    ],
    [
      "an unknown account",
      "api.order",
      (event) => Object.assign(event.pathParameters, { account: createAccount().getPublicKey() }),
      404,
      "account.unknown",
    ],
    ["an unknown order", "api.ended", () => undefined, 404, "request.unknown"],
    [
      "a page of nothing",
      "api.accounts",
      (event) => Object.assign(event, { queryStringParameters: { limit: "0" } }),
      400,
      "request.invalid",
    ],
    [
      "a body that is not JSON",
      "api.order",
      (event) => Object.assign(event, { body: "hello" }),
      400,
      "request.invalid",
    ],
    ["no body", "api.order", (event) => delete event.body, 400, "request.invalid"],
    ["no reason", "api.order", (event) => Object.assign(event, { body: '{"action":"heal"}' }), 400, "request.invalid"],
    [
      "a push",
      "api.order",
      (event) => Object.assign(event, { body: '{"action":"push","reason":"because"}' }),
      400,
      "request.invalid",
    ],
    [
      "an unknown parameter",
      "api.order",
      (event) => Object.assign(event, { body: '{"action":"heal","reason":"because","force":true}' }),
      400,
      "request.invalid",
    ],
  ])("a request with %s (%s) is refused, and queues nothing", async (_what, name, change, status, code) => {
    await using it = await stack();
    expect(await call(name, change)).toMatchObject({ status, body: { error: { code } } });
    expect(await it.queued()).toEqual([]);
  });

  test("a base64 body is decoded", async () => {
    await using it = await stack();
    const encode = (event: Event) =>
      Object.assign(event, { body: Buffer.from(event.body).toString("base64"), isBase64Encoded: true });
    expect(await call("api.order", encode)).toMatchObject({ status: 202 });
    expect(await it.queued()).toHaveLength(1);
  });

  test("an unreachable queue is 503, with only its code", async () => {
    await using _it = await stack();
    process.env["RELIGHT_QUEUE"] = "sqs:http://127.0.0.1:1/123456789012/jobs.fifo";
    process.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1";
    expect(await call("api.order")).toEqual({ status: 503, body: { error: { code: "queue.unavailable" } } });
  });
});
