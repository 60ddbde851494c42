import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { CreateQueueCommand, DeleteMessageCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { expire, fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createAuthority, type Pair, readPair, tlsBlock } from "../../lab/tls.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { JOURNAL_TABLE } from "../../lib/adapters/aws/journal/dynamodb-journal.ts";
import { entryKey } from "../../lib/adapters/aws/journal/dynamodb-partitions.ts";
import { openApp } from "../../lib/compose/compose.ts";
import { createLog } from "../../lib/log.ts";
import { receiver } from "../support/escalation-contract.ts";
import { describeAws, startMoto } from "../support/moto.ts";
import { recordingProxy } from "../support/recording-proxy.ts";
import { type Event, eventOf, PLACEHOLDER, run } from "../support/stack.ts";
import { WRITES } from "../support/stack-rights.ts";

/** What every connection to the servers also reads. */
const CONNECTS = ["relight/tls"];
const TLS =
  '  tls: { ca: "aws-sm://relight/tls#ca", cert: "aws-sm://relight/tls#cert", key: "aws-sm://relight/tls#key" }';

/**
 * Every secret of a stack is in Secrets Manager (moto's), and a proxy in front of it records which ones each function
 * read: its role may allow these and no more (docs/aws.md).
 */
const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));
const environment = { ...process.env };
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
});
const ISSUER = `whsec_${Buffer.from("the issuer's secret").toString("base64")}`;

describeAws(moto, "which secrets a function reads", (aws) => {
  const [sqs, events, secrets, journal] = [
    new SQSClient(aws),
    new EventBridgeClient(aws),
    new SecretsManagerClient(aws),
    new DynamoDBClient(aws),
  ];
  let world: World;
  let certificates: string;
  let channel: Awaited<ReturnType<typeof receiver>>;
  const urls: Record<string, string> = {};
  /** The entries that each function wrote. */
  const written: { readonly name: string; readonly item: Event }[] = [];

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    certificates = await mkdtemp(join(tmpdir(), "relight-tls-"));
    const authority = await createAuthority(certificates);
    const own = await authority.issue({ name: "relight" });
    const pair = await authority.issue({ name: "nats", for: ["DNS:localhost", "IP:127.0.0.1"] });
    world = await createWorld({
      binary,
      lives: 90 * 86_400,
      config: () => tlsBlock(pair, `ca_file: "${authority.ca}", verify: true`),
      tls: { caFile: authority.ca, certFile: own.cert, keyFile: own.key },
    });
    await fill(world, { messages: 3 });
    channel = await receiver(200);
    await keepSecrets({ ca: await readFile(authority.ca, "utf8"), ...(await readPair(own)) });
    for (const [name, Attributes] of [
      ["jobs.fifo", { FifoQueue: "true" }],
      ["pages", {}],
    ] as const)
      urls[name] = (await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }))).QueueUrl ?? "";
    await journal.send(new CreateTableCommand({ TableName: "journal", ...JOURNAL_TABLE }));
    await events.send(new CreateEventBusCommand({ Name: "relight" }));
    const rule = { Name: "pages", EventBusName: "relight" };
    await events.send(new PutRuleCommand({ ...rule, EventPattern: '{"source":["relight"]}' }));
    const Targets = [{ Id: "1", Arn: `arn:aws:sqs:${aws.region}:123456789012:pages` }];
    await events.send(new PutTargetsCommand({ Rule: "pages", EventBusName: "relight", Targets }));
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await channel?.[Symbol.asyncDispose]();
    await rm(certificates, { recursive: true });
    for (const client of [sqs, events, secrets, journal]) client.destroy();
  });

  async function keepSecrets(tls: Pair & { readonly ca: string }): Promise<void> {
    const file = (name: string): Promise<string> => readFile(join(world.home, name), "utf8");
    const put = (Name: string, SecretString: string) => secrets.send(new CreateSecretCommand({ Name, SecretString }));
    await put("relight/system", await file("sys.creds"));
    await put("relight/operator", await file("operator.nk"));
    await put("relight/accounts", JSON.stringify({ APP: (await file("app.nk")).trim() }));
    await put("relight/tls", JSON.stringify(tls));
    await put("relight/issuer-webhook", ISSUER);
    await put("relight/channels", JSON.stringify({ slack: channel.url }));
    await put("relight/restarts", ISSUER);
    const given = (await file("relight.yaml"))
      .replace("file:sys.creds", `aws-sm://relight/system\n${TLS}`)
      .replace("file:operator.nk", "aws-sm://relight/operator")
      .replace("file:app.nk", '"aws-sm://relight/accounts#APP"');
    const more = `escalation: { unknownAfter: 1ms, channels: [{ slack: { url: "aws-sm://relight/channels#slack" } }] }
issuerWebhook: { secrets: ["aws-sm://relight/issuer-webhook"] }
restart: { webhook: { url: "http://127.0.0.1:1/", secret: "aws-sm://relight/restarts" } }
`;
    await writeFile(join(world.home, "stack.yaml"), given + more);
  }

  /** Runs the function as the stack would, and returns which secrets it read and which actions it called. */
  async function watched(name: string, event: Event, isWarm = false) {
    await using proxy = await recordingProxy(aws.endpoint);
    Object.assign(process.env, {
      RELIGHT_CONFIG: join(world.home, "stack.yaml"),
      RELIGHT_LOG_LEVEL: "silent",
      RELIGHT_QUEUE: `sqs:${urls["jobs.fifo"]?.replace(aws.endpoint, proxy.endpoint)}`,
      RELIGHT_EVENTS: "eventbridge:relight",
      RELIGHT_JOURNAL: "dynamodb:journal",
      AWS_ENDPOINT_URL: proxy.endpoint,
      AWS_REGION: aws.region,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
    });
    // A new environment of Lambda's keeps no secrets.
    if (!isWarm) jest.resetModules();
    const answer = await run(name, event).finally(() => {
      const puts = proxy.calls.filter(({ action }) => action.endsWith(".PutItem"));
      for (const { body } of puts) written.push({ name, item: body["Item"] });
    });
    return {
      answer,
      read: proxy.secretsRead().sort(),
      actions: new Set(proxy.calls.map(({ action }) => action)),
    };
  }

  const event = (name: string): Promise<Event> =>
    eventOf(name, (text) => text.replaceAll(PLACEHOLDER, world.accountId));

  async function pages(): Promise<Event[]> {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: urls["pages"], MaxNumberOfMessages: 10 }),
    );
    return Messages.map(({ Body = "" }) => JSON.parse(Body));
  }

  test("sweep: the system user's", async () => {
    const { answer, read } = await watched("sweep", await event("sweep.schedule"));
    expect(answer).toMatchObject({ failures: [] });
    expect(read).toEqual(["relight/system", ...CONNECTS]);
  });

  test("escalate: the channels'", async () => {
    const { answer, read } = await watched("escalate", await event("escalate.incident-opened"));
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(channel.received).toHaveLength(1);
    expect(read).toEqual(["relight/channels"]);
  });

  test("escalate, with nothing to send: none", async () => {
    const { answer, read } = await watched("escalate", await event("escalate.alarm-ok"));
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(read).toEqual([]);
  });

  test("issuer-webhook: its own", async () => {
    const notice = await event("issuer-webhook.notice");
    const [id, at] = ["msg_1", new Date()];
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": new Webhook(ISSUER).sign(id, at, notice.body),
    };
    const { answer, read } = await watched("issuer-webhook", { ...notice, headers });
    expect(answer).toMatchObject({ statusCode: 202 });
    expect(read).toEqual(["relight/issuer-webhook"]);
  });

  test.each(["accounts", "account", "order"])("api, %s: none", async (route) => {
    const { answer, read } = await watched("api", await event(`api.${route}`));
    expect(answer.statusCode).toBeLessThan(300);
    expect(read).toEqual([]);
  });

  test("remediate, with new claims: also the operator's, to sign journal entries", async () => {
    const { answer, read } = await watched("remediate", await event("remediate.sqs"));
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(read).toEqual(["relight/accounts", "relight/operator", "relight/system", ...CONNECTS]);
  });

  test("remediate, for a healthy account: the system user's and the account's, without announcements", async () => {
    const { answer, read, actions } = await watched("remediate", await event("remediate.sqs"));
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(read).toEqual(["relight/accounts", "relight/system", ...CONNECTS]);
    expect(actions).not.toContain("AWSEvents.PutEvents");
  });

  test("remediate, again in a warm environment: neither of these", async () => {
    const { answer, read } = await watched("remediate", await event("remediate.sqs"), true);
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(read).toEqual(CONNECTS);
  });

  test("remediate, if it signs: also the operator's, but not the channels' or the restarter's", async () => {
    await expire(world);
    const { answer, read } = await watched("remediate", await event("remediate.sqs"));
    expect(answer).toEqual({ batchItemFailures: [] });
    expect(read).toEqual(["relight/accounts", "relight/operator", "relight/system", ...CONNECTS]);
    expect(await pages()).toContainEqual(
      expect.objectContaining({
        "detail-type": "Job Finished",
        detail: expect.objectContaining({ account: world.accountId, outcome: "healed", verdict: "healthy" }),
      }),
    );
  });

  test("remediate does an API order, and the API reports its result", async () => {
    const ordered = await watched("api", await event("api.order"));
    const { correlation } = JSON.parse(ordered.answer.body);
    const message = await nextJob(correlation);
    const job = await event("remediate.sqs");
    job.Records[0].body = message;
    expect((await watched("remediate", job)).answer).toEqual({ batchItemFailures: [] });
    const asked = await event("api.ended");
    asked.pathParameters.correlation = correlation;
    asked.requestContext.http.path = asked.requestContext.http.path.replace(/[^/]+$/, correlation);
    const { answer } = await watched("api", asked);
    expect(JSON.parse(answer.body)).toMatchObject({
      account: world.accountId,
      correlation,
      state: "finished",
      action: "heal",
      actor: "arn:aws:sts::123456789012:assumed-role/on-call/ada",
      reason: "orders are stuck",
      verdict: { verdict: "healthy" },
      end: { outcome: "healthy" },
    });
    const listed = await watched("api", await event("api.accounts"));
    expect(JSON.parse(listed.answer.body).accounts).toMatchObject([
      { name: "APP", newestJob: { state: "finished", outcome: "healthy", correlation } },
    ]);
  });

  async function nextJob(correlation: string): Promise<string> {
    for (;;) {
      const command = new ReceiveMessageCommand({ QueueUrl: urls["jobs.fifo"] });
      const { Messages: [message] = [] } = await sqs.send(command);
      if (message?.Body === undefined) throw new Error(`no job ${correlation} is in the queue`);
      const { QueueUrl, ReceiptHandle } = {
        QueueUrl: urls["jobs.fifo"],
        ReceiptHandle: message.ReceiptHandle,
      };
      await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      if (JSON.parse(message.Body).correlation === correlation) return message.Body;
    }
  }

  test.each<[string, (yaml: string) => string]>([
    ["a channel's", (yaml) => yaml.replace("aws-sm://relight/channels#slack", "env:MISSING")],
    ["what restarts servers", (yaml) => yaml.replace("aws-sm://relight/restarts", "env:MISSING")],
    ["the operator's key", (yaml) => yaml.replace("aws-sm://relight/operator", "env:MISSING")],
  ])(
    "a CLI user learns at once that a secret is missing (%s), a function only when it needs it",
    async (_what, spoil) => {
      const configFile = join(world.home, "spoilt.yaml");
      await writeFile(configFile, spoil(await readFile(join(world.home, "stack.yaml"), "utf8")));
      Object.assign(process.env, { AWS_ENDPOINT_URL: aws.endpoint, AWS_REGION: aws.region });
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" });
      const log = createLog({ level: "silent" });
      const open = async (upFront: boolean): Promise<void> => {
        await using app = await openApp({ configFile, log, upFront });
        await app.context();
      };
      await expect(open(true)).rejects.toMatchObject({ code: "secret.not_found" });
      await expect(open(false)).resolves.toBeUndefined();
    },
  );

  test("a failed sweep reports to the bus, not to the channels", async () => {
    await world.server.stop();
    const before = channel.received.length;
    // A person is paged once it has lasted.
    for (let tries = 0; tries < 2; tries++)
      await expect(watched("sweep", await event("sweep.schedule"))).rejects.toMatchObject({
        code: "nats.unreachable",
      });
    expect(channel.received).toHaveLength(before);
    expect(await pages()).toContainEqual(
      expect.objectContaining({
        "detail-type": "Incident Opened",
        detail: expect.objectContaining({ failureClass: "cluster_unreachable" }),
      }),
    );
  });

  test("each function writes only its own kinds of entries, where its role allows it", () => {
    const kindsOf: Record<string, Set<string>> = {};
    for (const { name, item } of written) {
      const [pk, kind, account] = [item.pk.S, item.kind?.S, item.account?.S];
      if (/^(lease|latest|known)#/.test(pk)) continue;
      const own = WRITES[name];
      expect({ name, kind, isOwn: own?.kinds.includes(kind) }).toEqual({ name, kind, isOwn: true });
      expect(own?.on).toContain(account === "-" ? "-" : "account");
      expect(pk).toBe(entryKey(kind, account));
      kindsOf[name] = (kindsOf[name] ?? new Set()).add(kind);
    }
    expect([...(kindsOf["api"] ?? [])]).toEqual(["job.requested"]);
    expect([...(kindsOf["sweep"] ?? [])]).toEqual(["incident.opened"]);
    for (const kind of ["job.started", "job.finished", "claims.seen", "verdict", "push.started", "push.proved"])
      expect(kindsOf["remediate"]).toContain(kind);
    expect(Object.keys(kindsOf).sort()).toEqual(["api", "escalate", "remediate", "sweep"]);
  });
});
