import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, describe, expect, test } from "@jest/globals";
import { eventBridgeBus } from "../../lib/adapters/aws/pages/eventbridge-bus.ts";
import { parsePageEvent } from "../../lib/adapters/aws/pages/page-events.ts";
import { busEscalation } from "../../lib/compose/open-escalation.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import type { JobNotice } from "../../lib/ports/announcer.ts";
import { escalationContract, incident, scrub } from "../support/escalation-contract.ts";
import { fakeLog } from "../support/fakes/log.ts";
import { describeAws, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };
const SEED = `SO${"A".repeat(56)}`;
const notice: JobNotice = {
  account: `A${"A".repeat(55)}` as AccountId,
  outcome: "healed",
  action: "heal",
  trigger: "manual",
  correlation: "c-1",
  verdict: "healthy",
};

/** An EventBridge with scripted answers, and what it received. */
async function answering(status: number, body: object) {
  const received: JsonObject[] = [];
  const server = createServer(async (request, response) => {
    received.push(JSON.parse(await text(request)));
    response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://127.0.0.1:${port}`;
  const client = new EventBridgeClient({ endpoint, region: "eu-central-1", credentials: CREDENTIALS });
  return {
    received,
    bus: eventBridgeBus({ bus: "events", client, scrub }),
    [Symbol.asyncDispose]: async () => {
      client.destroy();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

const REFUSED = { FailedEntryCount: 1, Entries: [{ ErrorCode: "ThrottlingException", ErrorMessage: "no" }] };
const TAKEN = { FailedEntryCount: 0, Entries: [{ EventId: "1" }] };

describeAws(moto, "EventBridge on moto", (aws) => {
  const [events, sqs] = [new EventBridgeClient(aws), new SQSClient(aws)];
  afterAll(() => {
    for (const client of [events, sqs]) client.destroy();
  });
  let buses = 0;

  /** A bus, and a queue that gets what the stack's rule selects. */
  async function openBus() {
    const name = `relight-${++buses}`;
    await events.send(new CreateEventBusCommand({ Name: name }));
    const { QueueUrl: url = "" } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
    const rule = { Name: name, EventBusName: name };
    await events.send(new PutRuleCommand({ ...rule, EventPattern: JSON.stringify({ source: ["relight"] }) }));
    const Arn = `arn:aws:sqs:${aws.region}:123456789012:${name}`;
    await events.send(new PutTargetsCommand({ Rule: name, EventBusName: name, Targets: [{ Id: "1", Arn }] }));
    return { url, bus: eventBridgeBus({ bus: name, client: events, scrub }) };
  }

  async function received(url: string): Promise<string[]> {
    const command = new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 0 });
    const { Messages = [] } = await sqs.send(command);
    return Messages.map(({ Body = "" }) => Body);
  }

  escalationContract(async (broken) => {
    const [{ bus, url }, refusing] = [await openBus(), await answering(200, REFUSED)];
    return {
      escalation: broken ? refusing.bus : bus,
      delivered: async () => (await received(url)).map((body) => JSON.parse(body).detail),
      [Symbol.asyncDispose]: () => refusing[Symbol.asyncDispose](),
    };
  });

  test.each(["open", "resolved"] as const)("escalate reads what the bus delivers: %s", async (status) => {
    const { bus, url } = await openBus();
    const page = incident({ status, correlation: "c-1" });
    await bus.send(page);
    const [body = ""] = await received(url);
    const type = status === "open" ? "Incident Opened" : "Incident Resolved";
    expect(JSON.parse(body)).toMatchObject({ source: "relight", "detail-type": type });
    expect(parsePageEvent(body)).toEqual({ kind: "incident", incident: page });
  });

  test("the largest incident fits, stays an incident, and says what was cut; no secret leaves", async () => {
    const { bus, url } = await openBus();
    const rungs = [{ rung: "renew", target: "x", result: "failed", why: `of ${SEED}` }];
    const evidence = { rungs, seed: "hunter2", much: "ü".repeat(200_000) };
    await bus.send(incident({ evidence, summary: `of ${SEED}` }));
    const [body = ""] = await received(url);
    expect(body).not.toMatch(/hunter2|SOAA/);
    const { detail } = JSON.parse(body);
    expect(detail.summary).toBe("of [seed]");
    expect(detail.evidence).toEqual({
      rungs: [{ ...rungs[0], why: "of [seed]" }],
      cut: expect.stringContaining("relight journal"),
    });
    expect(parsePageEvent(body).kind).toBe("incident");
  });

  test("even an endless text fits", async () => {
    const { bus, url } = await openBus();
    const long = "😀".repeat(200_000);
    await bus.send(
      incident({
        summary: long,
        advice: Array(100).fill(long),
        evidence: { rungs: long },
        accountName: long,
      }),
    );
    const [body = ""] = await received(url);
    expect(Buffer.byteLength(body)).toBeLessThan(262_144);
    expect(JSON.parse(body).detail.summary).toMatch(/^😀+…$/u);
  });

  test("the end of a job is delivered", async () => {
    const { bus, url } = await openBus();
    await bus.jobFinished(notice);
    const [body = ""] = await received(url);
    expect(JSON.parse(body)).toMatchObject({
      source: "relight",
      "detail-type": "Job Finished",
      detail: notice,
    });
  });
});

describe("a bus that does not accept an event", () => {
  test.each<[string, number, object, string]>([
    ["refuses the entry in an answer of 200", 200, REFUSED, "ThrottlingException"],
    ["refuses it and does not say why", 200, { FailedEntryCount: 1 }, "FailedEntry"],
    ["denies it", 400, { __type: "AccessDeniedException", message: "no" }, "AccessDeniedException"],
    ["fails", 500, { __type: "InternalException" }, "InternalException"],
  ])("%s: undeliverable, with the reason", async (_what, status, body, reason) => {
    await using it = await answering(status, body);
    const details = { channel: "events", reason };
    await expect(it.bus.send(incident())).rejects.toMatchObject({
      code: "escalation.undeliverable",
      details,
    });
    await expect(it.bus.jobFinished(notice)).rejects.toMatchObject({ code: "events.unavailable", details });
  });

  test("the log still has the incident, and the bus's failure", async () => {
    const log = fakeLog();
    await using it = await answering(200, REFUSED);
    const escalation = busEscalation(it.bus, { events: "eventbridge:events", links: {} }, log);
    await expect(escalation.send(incident())).rejects.toMatchObject({ code: "escalation.undeliverable" });
    expect(log.lines.map(({ message }) => message)).toEqual(["incident opened", "escalation channel failed"]);
  });

  test("one entry is sent per event, to the bus by its name, without a secret", async () => {
    await using it = await answering(200, TAKEN);
    await it.bus.send(incident({ summary: `of ${SEED}` }));
    expect(it.received).toMatchObject([
      { Entries: [{ EventBusName: "events", Source: "relight", DetailType: "Incident Opened" }] },
    ]);
    expect(JSON.stringify(it.received)).not.toContain("SOAA");
  });
});
