import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import type { Call } from "../../lab/twin/call.ts";
import { every, first } from "../../lab/twin/faults.ts";
import { isAllowed, rightsOf, statementsOf } from "../../lab/twin/rights.ts";
import { askApi, byConsole, byHand, bySchedule, byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin } from "../support/twin.ts";

/** From an empty emulator and a dead account to a healed one, with only what would be deployed. */

const artefacts = packageForTwin();

type Trigger = (twin: Twin, account: string) => Promise<unknown>;

/** Each has its own account: one that was healed by a step-down does not die of its next expiry. */
const TRIGGERS: readonly (readonly [name: string, does: string, trigger: Trigger, answer: unknown])[] = [
  [...(["APP", "the schedule sweeps", bySchedule] as const), { kind: "answered", answer: { failures: [] } }],
  ["BILLING", "the issuer's webhook tells of the account", byWebhook, 202],
  [
    ...(["SHOP", "a person asks", byHand] as const),
    { kind: "answered", answer: { outcome: "healed", verdict: "healthy" } },
  ],
];

describeTwin("the stack, from its packaged bundles", () => {
  let world: World;
  let twin: Twin;
  const accounts: Record<string, World> = {};
  const accountOf = (name: string): World => accounts[name] as World;

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, size: 3 });
    for (const [name] of TRIGGERS) {
      accounts[name] = name === "APP" ? world : await anotherAccount(world, name);
      await fill(accountOf(name), { messages: 10, replicas: 3 });
    }
    twin = await startTwin({ world, artefacts, accounts });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  test.each(TRIGGERS)("%s is healed: %s", async (name, _does, trigger, answer) => {
    const account = accountOf(name);
    const before = await snapshot(account);
    await expire(account);
    await renewByHand(account, 90 * 86_400);
    expect(await symptoms(account)).toMatchObject({
      apiInfo: "ok",
      publish: expect.not.stringMatching("ok"),
    });
    const told = await trigger(twin, account.accountId);
    if (typeof answer === "number") expect(told).toBe(answer);
    else expect(told).toMatchObject(answer as object);
    await twin.queues.idle();
    expect(await snapshot(account)).toEqual(before);
    expect(await symptoms(account)).toMatchObject({ publish: "ok", fetch: "ok" });
    const ends = (await twin.journal(account.accountId)).filter(({ kind }) => kind === "job.finished");
    expect(ends.filter(({ data }) => data["outcome"] === "healed")).toHaveLength(1);
    expect(twin.receiver.pages).toEqual([]);
  });

  test("a webhook that the issuer did not sign is refused, and starts nothing", async () => {
    const runs = twin.functions.runs.length;
    const { status } = await fetch(`${twin.http.url}/issuer`, { method: "POST", body: "{}" });
    expect(status).toBe(401);
    expect((await fetch(`${twin.http.url}/nowhere`)).status).toBe(404);
    expect(twin.functions.runs.slice(runs).map((run) => run.function)).toEqual(["issuer-webhook"]);
  });

  test("a call that AWS throttles is retried", async () => {
    const before = twin.proxy.calls.length;
    using _fault = twin.proxy.injectFaults(first(2, { kind: "throttle" }, ({ service }) => service === "dynamodb"));
    expect(await byHand(twin, accountOf("APP").accountId, "verify")).toMatchObject({
      answer: { outcome: "verified", verdict: "healthy" },
    });
    const calls = twin.proxy.calls.slice(before).filter(({ service }) => service === "dynamodb");
    expect(calls.slice(0, 3).map(({ status }) => status)).toEqual([400, 400, 200]);
  });

  test("the console's API queues a job for any signed request, and reports its result", async () => {
    const { accountId } = accountOf("APP");
    expect((await fetch(`${twin.http.url}/accounts`)).status).toBe(403);
    const { status, body } = await byConsole(twin, accountId, "verify");
    expect({ status, body }).toMatchObject({ status: 202, body: { correlation: expect.any(String) } });
    await twin.queues.idle();
    const told = await askApi(twin.http.url, `/accounts/${accountId}/jobs/${body["correlation"]}`);
    expect({ status: told.status, text: await told.text() }).toMatchObject({
      status: 200,
      text: expect.stringContaining("verified"),
    });
  });

  test("a page passes the bus and its queue to the channel, and is resolved there", async () => {
    const pagesOf = (status: string) => twin.receiver.pages.filter(({ data }) => data.status === status);
    {
      const isSending = ({ service, operation }: Call): boolean => service === "sqs" && operation.startsWith("Send");
      using _fault = twin.proxy.injectFaults(every(1, { kind: "fail", status: 500 }, isSending));
      expect(await bySchedule(twin)).toMatchObject({ kind: "failed" });
    }
    await waitFor("the page", () => pagesOf("open").length > 0, { timeout: 30_000 });
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered" });
    await waitFor("the end of the page", () => pagesOf("resolved").length > 0, { timeout: 30_000 });
    expect(twin.receiver.pages.map(({ data }) => data.status)).toEqual(["open", "resolved"]);
    expect(new Set(twin.receiver.pages.map(({ data }) => data.key)).size).toBe(1);
    expect(twin.functions.runs.map((run) => run.function)).toContain("escalate");
    await twin.queues.idle();
  });

  test("every call was allowed by the role of its function, and others would be denied", () => {
    const refused = twin.proxy.calls.flatMap((call) => {
      const statements = statementsOf(twin.deployment.stack, twin.functions, call.caller);
      return rightsOf(call, twin.secretArn)
        .filter((right) => !isAllowed(statements, right))
        .map(({ action, resource }) => `${call.caller}: ${action} on ${resource}`);
    });
    expect([...new Set(refused)]).toEqual([]);
    const services = new Set(twin.proxy.calls.map(({ service }) => service));
    for (const service of ["secretsmanager", "dynamodb", "sqs"]) expect(services).toContain(service);
    const foreign = {
      service: "secretsmanager",
      operation: "GetSecretValue",
      input: { SecretId: "payroll" },
    };
    const erasing = {
      service: "dynamodb",
      operation: "DeleteItem",
      input: { TableName: "relight-prod-journal", Key: { pk: { S: "account#A" } } },
    };
    const planting = {
      service: "dynamodb",
      operation: "PutItem",
      input: {
        TableName: "relight-prod-journal",
        Item: { pk: { S: "account#A" }, kind: { S: "claims.seen" } },
      },
    };
    for (const name of twin.functions.names)
      for (const call of [foreign, erasing, planting]) {
        if (call === planting && ["remediate", "manual"].includes(name)) continue;
        const statements = statementsOf(twin.deployment.stack, twin.functions, name);
        expect(rightsOf(call).map((right) => isAllowed(statements, right))).toEqual([false]);
      }
  });

  test("its functions know nothing of this machine but what Lambda would give them", () => {
    const secrets = twin.functions.lines.filter(({ text }) => /whsec_|\bS[AOU][A-Z2-7]{56}/.test(text));
    expect(secrets).toEqual([]);
    expect(twin.functions.lines.length).toBeGreaterThan(0);
  });
});
