import { writeFile } from "node:fs/promises";
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { emfSummary, isEmf } from "../support/emf.ts";
import { describeAws, startMoto } from "../support/moto.ts";
import { relight } from "../support/relight.ts";

/** A person's command is a job like any other: its end is announced on the bus, and counted. */
const { path: binary } = await serverBinary("2.10.27");
const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

describeAws(moto, "a job that a person runs, with an event bus and a namespace for metrics", (aws) => {
  const [events, sqs] = [new EventBridgeClient(aws), new SQSClient(aws)];
  const environment = { ...process.env };
  let world: World;
  let queue: string;

  beforeAll(async () => {
    world = await createWorld({ binary, lives: 90 * 86_400, yaml: "events: eventbridge:relight\n" });
    await fill(world, { messages: 3 });
    await events.send(new CreateEventBusCommand({ Name: "relight" }));
    const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName: "ends" }));
    queue = QueueUrl;
    const rule = { Name: "ends", EventBusName: "relight" };
    const EventPattern = '{"source":["relight"],"detail-type":["Job Finished"]}';
    await events.send(new PutRuleCommand({ ...rule, EventPattern }));
    const Targets = [{ Id: "1", Arn: `arn:aws:sqs:${aws.region}:123456789012:ends` }];
    await events.send(new PutTargetsCommand({ Rule: "ends", EventBusName: "relight", Targets }));
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_REGION: aws.region,
      AWS_ACCESS_KEY_ID: aws.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: aws.credentials.secretAccessKey,
      POWERTOOLS_METRICS_NAMESPACE: "Relight",
      POWERTOOLS_SERVICE_NAME: "relight-test",
    });
  });
  beforeEach(async () => void (await announced()));
  afterAll(async () => {
    process.env = environment;
    for (const client of [events, sqs]) client.destroy();
    await world?.[Symbol.asyncDispose]();
  });

  /** The ends of jobs announced since the last call. */
  async function announced(): Promise<readonly unknown[]> {
    const heard: unknown[] = [];
    for (;;) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: queue, MaxNumberOfMessages: 10 }));
      if (Messages.length === 0) return heard;
      for (const { Body = "", ReceiptHandle } of Messages as Message[]) {
        heard.push(JSON.parse(Body).detail);
        await sqs.send(new DeleteMessageCommand({ QueueUrl: queue, ReceiptHandle }));
      }
    }
  }

  /** Runs a command, and returns what was announced, and the counted ends of jobs. */
  async function run(...args: string[]) {
    const { json, exit, stderr } = await relight(world, ...args, "--json");
    const counted = emfSummary(stderr.split("\n").filter(isEmf));
    return {
      json,
      exit,
      heard: await announced(),
      counted: counted.filter((each) => each.startsWith("JobsFinished{")),
    };
  }

  const end = (action: string, outcome: string, more: object = {}) => ({
    account: world.accountId,
    action,
    outcome,
    trigger: "manual",
    correlation: expect.any(String),
    ...more,
  });
  const healthy = { verdict: "healthy" };

  test("verify changes nothing: it is counted, but not announced", async () => {
    const { heard, counted } = await run("verify", "APP");
    expect(heard).toEqual([]);
    expect(counted).toEqual(["JobsFinished{Outcome=verified}=1"]);
  });

  test("heal of a dead account", async () => {
    await expire(world);
    await renewByHand(world, 90 * 86_400);
    const dry = await run("heal", "APP", "--dry-run");
    expect(dry).toMatchObject({ json: { outcome: "looked" }, heard: [], counted: [] });
    const { json, heard, counted } = await run("heal", "APP");
    expect(json).toMatchObject({ outcome: "healed" });
    expect(heard).toEqual([end("heal", "healed", { ...healthy, correlation: json.correlation })]);
    expect(counted).toEqual(["JobsFinished{Outcome=healed}=1"]);
  });

  test("heal of a healthy account is not announced", async () => {
    const { heard, counted } = await run("heal", "APP");
    expect(heard).toEqual([]);
    expect(counted).toEqual(["JobsFinished{Outcome=healthy}=1"]);
  });

  test("renew", async () => {
    const { heard, counted } = await run("renew", "APP");
    expect(heard).toEqual([end("renew", "renewed", healthy)]);
    expect(counted).toEqual(["JobsFinished{Outcome=renewed}=1"]);
  });

  test("push, and a push that the gate refuses", async () => {
    const claims = world.claims({ exp: nowSeconds() + 100 * 86_400, iat: nowSeconds() + 1 });
    await writeFile(`${world.home}/new.jwt`, world.sign(claims));
    const pushed = await run("push", "new.jwt");
    expect(pushed.heard).toEqual([end("push", "pushed", healthy)]);
    expect(pushed.counted).toEqual(["JobsFinished{Outcome=pushed}=1"]);
    await writeFile(`${world.home}/new.jwt`, world.sign({ ...claims, name: "OTHER" }));
    const refused = await run("push", "new.jwt");
    expect(refused.heard).toEqual([end("push", "failed", { error: "gate.refused" })]);
    expect(refused.counted).toEqual(["JobsFinished{Outcome=failed}=1"]);
  });

  test("jetstream limits", async () => {
    const { heard, counted } = await run("jetstream", "limits", "APP", "--streams", "50", "--yes");
    expect(heard).toEqual([end("push", "pushed", healthy)]);
    expect(counted).toEqual(["JobsFinished{Outcome=pushed}=1"]);
  });

  test("run, for each account that it changed", async () => {
    await expire(world);
    await renewByHand(world, 90 * 86_400);
    const { heard, counted } = await run("run");
    expect(heard).toEqual([end("remediate", "healed", healthy)]);
    expect(counted.toSorted()).toEqual(["JobsFinished{Outcome=healed}=1", "JobsFinished{Outcome=healthy}=1"]);
  });
});
