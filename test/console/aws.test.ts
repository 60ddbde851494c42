import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, expect, test } from "@jest/globals";
import { openConsole } from "../../console/open.ts";
import { JOURNAL_TABLE } from "../../lib/adapters/aws/journal/dynamodb-journal.ts";
import { type App, openApp } from "../../lib/compose/compose.ts";
import { seedFleet } from "../support/console-journal.ts";
import { fakeLog } from "../support/fakes/log.ts";
import { describeAws, startMoto } from "../support/moto.ts";
import { isolatedConfig } from "../support/stack.ts";

/** The console over DynamoDB and SQS, with a person's own AWS credentials, and without NATS. */

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));
const environment = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
});

describeAws(moto, "the console on AWS", (aws) => {
  const sqs = new SQSClient(aws);
  const dynamo = new DynamoDBClient(aws);
  afterAll(() => {
    sqs.destroy();
    dynamo.destroy();
  });

  test("shows the journal, queues an order, and follows it there", async () => {
    await dynamo.send(new CreateTableCommand({ TableName: "console", ...JOURNAL_TABLE }));
    const queue = new CreateQueueCommand({ QueueName: "console.fifo", Attributes: { FifoQueue: "true" } });
    const { QueueUrl: url = "" } = await sqs.send(queue);
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_REGION: aws.region,
      ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
    });
    await using config = await isolatedConfig(`journal: dynamodb:console\nqueue: "sqs:${url}"\n`);
    const log = fakeLog();
    const open = () => openApp({ configFile: config.file, log });
    await using app = await open();
    const { shop } = await seedFleet(app.journal, app.clock.now());
    const withApp = async <T>(work: (fresh: App) => Promise<T>): Promise<T> => {
      await using fresh = await open();
      return await work(fresh);
    };
    const { pages, drain } = await openConsole({ app, withApp, log, person: "ada", signsInOnLoopback: false });
    const headers: Record<string, string> = { host: "localhost", origin: "http://localhost" };
    const get = async (path: string) => pages.request(`http://localhost${path}`, { headers });
    expect(await (await get("/")).text()).toMatch(/shop-orders.*incident: JetStream is dead.*edge-leaf/s);
    expect(await (await get(`/account/${shop}`)).text()).toContain("relight heal shop-orders");

    const form = await get(`/account/${shop}/order?do=heal`);
    const page = await form.text();
    expect(page).toContain("No plan: the cluster can't be looked at from here.");
    const hidden = (name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(page)?.[1] ?? "";
    headers["cookie"] = form.headers.get("set-cookie")?.split(";")[0] ?? "";
    const body = new URLSearchParams({
      csrf: hidden("csrf"),
      once: hidden("once"),
      reason: "from far away",
    });
    const ordered = await pages.request(`http://localhost/account/${shop}/order?do=heal`, {
      method: "POST",
      headers,
      body,
    });
    expect(ordered.status).toBe(303);
    await drain();
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url }));
    const order = { account: shop, action: "heal", trigger: "manual", reason: "from far away (requested by ada)" };
    expect(Messages.map(({ Body = "" }) => JSON.parse(Body))).toEqual([expect.objectContaining(order)]);

    const progress = ordered.headers.get("location") ?? "";
    expect(await (await get(progress)).text()).toContain("waiting for its turn");
    const correlation = progress.split("/").at(-1) ?? "";
    const put = (kind: "job.started" | "job.finished", data: object) =>
      app.journal.append({ at: app.clock.now(), job: "j", account: shop, kind, data: { correlation, ...data } });
    await put("job.started", { action: "heal", trigger: "manual", reason: "x" });
    expect(await (await get(progress)).text()).toContain("running");
    await put("job.finished", { outcome: "healed", verdict: "healthy" });
    expect(await (await get(progress)).text()).toContain("healed");
    expect(await (await get(`${progress}/events`)).text()).toMatch(/event: progress.*event: end/s);
  });
});
