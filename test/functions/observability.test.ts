import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CreateQueueCommand, type Message, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { emfSummary, isEmf } from "../support/emf.ts";
import { receiver } from "../support/escalation-contract.ts";
import { describeAws, type MotoSettings, startMoto } from "../support/moto.ts";
import { relight } from "../support/relight.ts";
import { startXrayDaemon } from "../support/xray-daemon.ts";

/** What the bundles report about their own work, run as Lambda would. */
const { path: binary } = await serverBinary("2.10.27");
const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const ROOT = join(import.meta.dirname, "..", "..");
const TRACE = "1-5759e988-bd862e3fe1be46a994272793";
const SECRET = `whsec_${Buffer.from("the issuer's secret").toString("base64")}`;

let daemon: Awaited<ReturnType<typeof startXrayDaemon>>;
let world: World;
beforeEach(async () => {
  daemon = await startXrayDaemon();
});
afterEach(async () => {
  await daemon.stop();
  await world?.[Symbol.asyncDispose]();
});

async function openWorld(yaml = ""): Promise<void> {
  world = await createWorld({
    binary,
    lives: 90 * 86_400,
    yaml: `issuerWebhook:\n  secrets: ["env:ISSUER"]\n${yaml}`,
  });
  await fill(world, { messages: 3 });
}

// biome-ignore lint/suspicious/noExplicitAny: a log line is whatever was logged
type Line = any;

interface Run {
  readonly exit: number | null;
  readonly emf: readonly string[];
  readonly answer: Line;
  readonly log: readonly Line[];
  readonly output: string;
}

/** Runs a bundle on an event with everything that Lambda sets for metrics and traces. */
async function invoke(name: string, event: string, env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const { FORCE_COLOR: _, ...inherited } = process.env;
  const signing = name === "issuer-webhook" ? ["--secret-env", "ISSUER"] : [];
  const where = ["--config", `${world.home}/relight.yaml`, "--account", world.accountId];
  const child = spawn(process.execPath, [join(ROOT, "scripts", "invoke.ts"), name, event, ...where, ...signing], {
    cwd: ROOT,
    env: {
      ...inherited,
      ISSUER: SECRET,
      RELIGHT_LOG_LEVEL: "info",
      POWERTOOLS_METRICS_NAMESPACE: "Relight",
      POWERTOOLS_SERVICE_NAME: "relight-test",
      AWS_XRAY_DAEMON_ADDRESS: daemon.address,
      AWS_LAMBDA_FUNCTION_NAME: name,
      _X_AMZN_TRACE_ID: `Root=${TRACE};Parent=53995c3f42cd8ad8;Sampled=1`,
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = [[] as string[], [] as string[]];
  child.stdout.on("data", (chunk) => out.push(String(chunk)));
  child.stderr.on("data", (chunk) => err.push(String(chunk)));
  const exit = await new Promise<number | null>((done) => child.once("close", done));
  const lines = out.join("").split("\n");
  return {
    exit,
    emf: lines.filter(isEmf),
    output: out.join("") + err.join(""),
    answer: JSON.parse(lines.filter((line) => !isEmf(line)).join("\n")),
    log: err.join("").trim().split("\n").map(readLine),
  };
}

function readLine(text: string): Line {
  return JSON.parse(text);
}

async function kill(): Promise<void> {
  await expire(world);
  await renewByHand(world, 90 * 86_400);
}

const event = (name: string): string => `events/${name}.json`;
/** Without what depends on this machine's speed. */
const withoutTimes = (summary: readonly string[]): readonly string[] =>
  summary.map((each) => each.replace(/(Seconds\w*(\{.*\})?)=.*/, "$1")).sort();
const HEALED = [
  ...["JobsFinished=1", "JobsFinished{Outcome=healed}=1", "RungsUsed{Rung=toggle-jetstream}=1"],
  ...["TimeToRecoverSeconds", "Verdicts{Verdict=healthy}=1"],
];

describe("each bundle emits the metrics in the catalog", () => {
  test.each<[string, string, readonly string[]]>([
    ["remediate", "remediate.sqs", [...HEALED, "QueueAgeSeconds"]],
    ["manual", "manual.heal", HEALED],
    ["issuer-webhook", "issuer-webhook.notice", HEALED],
  ])("%s on %s, with a dead account", async (name, file, expected) => {
    await openWorld();
    await kill();
    const { emf, exit } = await invoke(name, event(file));
    expect(exit).toBe(0);
    expect(withoutTimes(emfSummary(emf))).toEqual([...expected].sort());
    for (const line of emf) expect(JSON.parse(line)).toMatchObject({ service: "relight-test" });
  });

  test("sweep, which runs its jobs itself without a queue", async () => {
    await openWorld("metrics:\n  perAccount: all\n");
    const { emf } = await invoke("sweep", event("sweep.schedule"));
    const summary = withoutTimes(emfSummary(emf));
    expect(summary).toEqual(
      expect.arrayContaining([
        ...["SweepFinished=1", "AccountsSeen=2", "JobsQueued=2", "JobsPostponed=0", "AccountsPastPage=0"],
        "SecondsUntilExpiry",
      ]),
    );
    expect(summary).toContain(`SecondsUntilExpiry{Account=${world.accountId}}`);
    expect(summary.filter((each) => each === "JobsFinished=1")).toHaveLength(2);
  });

  test("a sweep that can't reach the cluster finishes nothing, and after a while its undelivered page is counted", async () => {
    await openWorld("escalation: { unknownAfter: 1ms, channels: [{ webhook: { url: 'http://127.0.0.1:1/hook' } }] }\n");
    await world.server.stop();
    expect(await invoke("sweep", event("sweep.schedule"))).toMatchObject({ exit: 1, emf: [] });
    const { emf, exit } = await invoke("sweep", event("sweep.schedule"));
    expect(exit).toBe(1);
    expect(emfSummary(emf).toSorted()).toEqual(["EscalationUndeliverable=1", "IncidentsOpened=1"]);
  });

  test("a failed job is counted as one that comes again", async () => {
    await openWorld();
    await world.server.stop();
    const { emf, log } = await invoke("remediate", event("remediate.sqs"));
    expect(withoutTimes(emfSummary(emf))).toEqual([
      ...["JobsFinished=1", "JobsFinished{Outcome=again}=1", "QueueAgeSeconds"],
    ]);
    // One error is logged once.
    const errors = log.filter(({ error }) => error?.message !== undefined);
    expect(errors).toHaveLength(1);
  });

  test("a page's log line is found by its correlation id, whether it was sent or not", async () => {
    const correlation = "0d9f0c1e-0000-4000-8000-000000000001";
    await openWorld();
    const { log } = await invoke("escalate", event("escalate.incident-opened"));
    expect(log.find(({ msg }) => msg === "a page was handled")).toMatchObject({
      correlation,
      told: "told",
    });
    await world[Symbol.asyncDispose]();
    await openWorld("escalation:\n  - webhook: { url: 'http://127.0.0.1:1/hook' }\n");
    const failed = await invoke("escalate", event("escalate.incident-opened"));
    expect(failed.log.find(({ msg }) => msg === "a page could not be sent")).toMatchObject({ correlation });
  });

  test("none without a namespace, and no secret in any", async () => {
    await openWorld();
    const { emf, output } = await invoke("manual", event("manual.renew"));
    expect(emf.length).toBeGreaterThan(0);
    expect(output).not.toMatch(/eyJ[\w-]+\.|\bS[AOU][A-Z2-7]{56}/);
    const { POWERTOOLS_METRICS_NAMESPACE: _ } = process.env;
    const command = await relight(world, "verify", "APP", "--json");
    expect(command.stdout).not.toContain("_aws");
  });
});

test("a bundle's trace shows where its time went, and is found by the correlation id", async () => {
  await openWorld();
  await kill();
  await invoke("manual", event("manual.heal"));
  const steps = await daemon.until("job");
  const named = (name: string) => steps.filter((step) => step.name === name);
  const [job, rung] = [named("job")[0], named("rung toggle-jetstream")[0]];
  expect(job?.annotations).toMatchObject({ account: world.accountId, action: "heal" });
  expect(rung?.parent_id).toBe(job?.id);
  expect(named("look").length).toBeGreaterThan(1);
  expect(named("push").some(({ parent_id }) => parent_id === rung?.id)).toBe(true);
  expect(named("ask what runs").length).toBeGreaterThan(0);
  expect(named("connect to NATS")).toHaveLength(1);
  expect(new Set(steps.map(({ trace_id }) => trace_id))).toEqual(new Set([TRACE]));
});

describeAws(moto, "from the sweep to the page, through SQS", (settings) => {
  const client = new SQSClient(settings);
  afterAll(() => client.destroy());

  test("the page's correlation id leads back to the sweep: in logs, journal, queue and trace", async () => {
    const pages = await receiver(200);
    try {
      const hook = `escalation:\n  - webhook: { url: '${pages.url}' }\n`;
      await openWorld(`${hook}policies:\n  - match: { names: [APP] }\n    manual: true\n`);
      await expire(world);
      const { QueueUrl: queueUrl = "" } = await client.send(
        new CreateQueueCommand({ QueueName: "jobs.fifo", Attributes: { FifoQueue: "true" } }),
      );
      const env = environmentOf(settings, queueUrl);

      const sweep = await invoke("sweep", event("sweep.schedule"), env);
      expect(sweep.answer).toMatchObject({ failures: [] });
      const { correlation } = sweep.answer;
      expect(correlation).toEqual(expect.any(String));
      expect(sweep.log.find(({ msg }) => msg === "a sweep ended")).toMatchObject({
        correlation,
        trace: TRACE,
      });
      const sent = (await daemon.until("SQS")).filter(({ name }) => name === "SQS");
      expect(sent[0]).toMatchObject({ namespace: "aws" });

      const messages = await receiveAll(client, queueUrl);
      const ours = messages.find(({ Body = "" }) => JSON.parse(Body).account === world.accountId);
      expect(JSON.parse(ours?.Body ?? "{}")).toMatchObject({ correlation });
      const file = join(world.home, "message.json");
      await writeFile(file, JSON.stringify({ Records: [recordOf(ours)] }));

      const job = await invoke("remediate", file, env);
      expect(job.answer).toEqual({ batchItemFailures: [] });
      const lines = job.log.filter((line) => line.correlation !== undefined);
      expect(new Set(lines.map((line) => line.correlation))).toEqual(new Set([correlation]));
      expect(lines.map(({ msg }) => msg)).toEqual(
        expect.arrayContaining(["a job began", "incident opened", "a job ended"]),
      );
      expect(lines[0]).toMatchObject({ request: expect.any(String), account: world.accountId });
      expect(emfSummary(job.emf)).toEqual(expect.arrayContaining(["IncidentsOpened=1"]));

      const [page] = pages.received.map(({ body }) => JSON.parse(body));
      expect(page.data).toMatchObject({ account: world.accountId, correlation });
      const text = job.log.find(({ msg }) => msg === "incident opened").text;
      expect(text.at(-1)).toBe(`Correlation id: ${correlation}`);
      const traced = (await daemon.until("job")).find(({ name }) => name === "job");
      expect(traced?.annotations).toMatchObject({ correlation });

      const journal = await relight(world, "journal", "APP", "--correlation", correlation, "--json");
      const kinds = journal.json.entries.map(({ kind }: Line) => kind);
      expect(kinds).toEqual(expect.arrayContaining(["job.started", "verdict", "incident.opened", "job.finished"]));
      const other = await relight(world, "journal", "--correlation", "no-such-id", "--json");
      expect(other.json.entries).toEqual([]);
    } finally {
      await pages[Symbol.asyncDispose]();
    }
  });
});

test("the documented queries use existing fields", async () => {
  await openWorld();
  await kill();
  const { log } = await invoke("remediate", event("remediate.sqs"));
  const fields = new Set(log.flatMap((line: object) => Object.keys(line)));
  const text = await readFile(join(ROOT, "docs", "observability.md"), "utf8");
  const queries = [...text.matchAll(/```\n((?:fields|filter)[\s\S]*?)```/g)].map(([, query = ""]) => query);
  expect(queries).toHaveLength(3);
  const words = /\b(fields|filter|sort|limit|stats|latest|ispresent|by|as|and|desc|asc|expires|error|code|\d+)\b/g;
  for (const query of queries)
    for (const name of query
      .replace(/"[^"]*"|@\w+/g, "")
      .replace(words, "")
      .match(/\w+/g) ?? [])
      expect({ name, isLogged: fields.has(name) }).toEqual({ name, isLogged: true });
});

function environmentOf({ endpoint, region, credentials }: MotoSettings, queueUrl: string) {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    RELIGHT_QUEUE: `sqs:${queueUrl}`,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
}

async function receiveAll(client: SQSClient, QueueUrl: string): Promise<readonly Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: 10,
    MessageSystemAttributeNames: ["All"],
  });
  return (await client.send(command)).Messages ?? [];
}

/** As Lambda passes it on. */
function recordOf(message: Message | undefined): object {
  const { MessageId: messageId, Body: body, Attributes: attributes, ReceiptHandle: receiptHandle } = message ?? {};
  return { messageId, body, attributes, receiptHandle, eventSource: "aws:sqs" };
}
