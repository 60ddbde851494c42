import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { sampledRoot, xrayTracer } from "../../lib/adapters/aws/telemetry/xray-tracer.ts";
import { noTracer } from "../../lib/adapters/local/no-observers.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Tracer } from "../../lib/ports/observers.ts";
import { startXrayDaemon } from "../support/xray-daemon.ts";

const ROOT = "1-5759e988-bd862e3fe1be46a994272793";
const PARENT = "53995c3f42cd8ad8";
const SAMPLED = `Root=${ROOT};Parent=${PARENT};Sampled=1`;
/** Long enough to be a recorded step. */
const moment = (): Promise<void> => new Promise((done) => setTimeout(done, 3));

let daemon: Awaited<ReturnType<typeof startXrayDaemon>>;
beforeEach(async () => {
  daemon = await startXrayDaemon();
});
afterEach(() => daemon.stop());

const open = (header: string | undefined = SAMPLED): Tracer =>
  xrayTracer({ daemon: daemon.address, header: () => header });

describe.each<[string, (header?: string) => Tracer]>([
  ["X-Ray's", open],
  ["the one that does nothing", () => noTracer],
])("%s tracer", (_name, make) => {
  test("returns what the work returns, and throws what it throws", async () => {
    await using tracer = make();
    const error = new RelightError("nats.timeout", "nobody answers");
    expect(await tracer.step("a", async () => 7)).toBe(7);
    await expect(tracer.step("a", () => Promise.reject(error))).rejects.toBe(error);
  });
});

test("steps nest as the calls do, also side by side", async () => {
  await using tracer = open();
  await tracer.step("job", async () => {
    await Promise.all(["left", "right"].map((side) => tracer.step(side, () => tracer.step(`in ${side}`, moment))));
  });
  const steps = await daemon.until("job");
  const idOf = (name: string) => steps.find((step) => step.name === name)?.id;
  const parentOf = (name: string) => steps.find((step) => step.name === name)?.parent_id;
  expect(steps).toHaveLength(5);
  expect(parentOf("job")).toBe(PARENT);
  for (const side of ["left", "right"]) {
    expect(parentOf(side)).toBe(idOf("job"));
    expect(parentOf(`in ${side}`)).toBe(idOf(side));
  }
  for (const step of steps) {
    expect(step.trace_id).toBe(ROOT);
    expect(step.end_time).toBeGreaterThan(step.start_time);
  }
});

test("a failed step records the error's code, never its text", async () => {
  await using tracer = open();
  const error = new RelightError("push.rejected", "the JWT eyJhbGciOi.J9.x was refused");
  await expect(tracer.step("push", () => Promise.reject(error))).rejects.toBe(error);
  const [step] = await daemon.until("push");
  expect(step).toMatchObject({ fault: true, cause: { exceptions: [{ message: "push.rejected" }] } });
  expect(daemon.datagrams.join()).not.toContain("eyJ");
});

test("facts are annotations, by which a trace is found; odd names become valid ones", async () => {
  await using tracer = open();
  await tracer.step("rung <scale-up>", moment, { correlation: "c".repeat(300) });
  const [step] = await daemon.until("rung _scale-up_");
  expect(step?.annotations).toEqual({ correlation: "c".repeat(250) });
});

test("a job with a thousand looks keeps its trace", async () => {
  await using tracer = open();
  const error = new RelightError("nats.timeout", "nobody answers");
  for (let look = 0; look < 1_000; look += 1) await tracer.step("look", () => Promise.reject(error)).catch(() => {});
  await tracer[Symbol.asyncDispose]();
  await daemon.until("look");
  expect(daemon.datagrams.length).toBeLessThanOrEqual(600);
});

test.each<[string, string | undefined]>([
  ["not sampled", `Root=${ROOT};Parent=${PARENT};Sampled=0`],
  ["without a parent", `Root=${ROOT};Sampled=1`],
  ["that is nonsense", "=;;x"],
  ["that is invalid", undefined],
])("a request %s is handled and not traced", async (_what, header) => {
  await using tracer = xrayTracer({ daemon: daemon.address, header: () => header });
  expect(await tracer.step("job", async () => "done")).toBe("done");
  await tracer[Symbol.asyncDispose]();
  expect({ root: sampledRoot(header), datagrams: daemon.datagrams }).toEqual({
    root: undefined,
    datagrams: [],
  });
});

test("Lambda's header may have its fields in any order, and more of them", () => {
  const header = `Sampled=1;Lineage=1:x:0;Parent=${PARENT};Root=${ROOT}`;
  expect(sampledRoot(header)).toEqual({ traceId: ROOT, id: PARENT });
});

test.each(["127.0.0.1:9", "tcp:127.0.0.1:9 udp:127.0.0.1:9", "nonsense"])(
  "without a daemon at %s nothing fails",
  async (address) => {
    await using tracer = xrayTracer({ daemon: address, header: () => SAMPLED });
    expect(await tracer.step("job", () => moment().then(() => "done"))).toBe("done");
  },
);

describe("an AWS call", () => {
  const environment = { ...process.env };
  afterEach(() => {
    for (const name of ["AWS_LAMBDA_FUNCTION_NAME", "_X_AMZN_TRACE_ID"])
      if (environment[name] === undefined) delete process.env[name];
  });

  test("is a step by service and operation, and passes the trace on, so SQS hands it to the next", async () => {
    Object.assign(process.env, { AWS_LAMBDA_FUNCTION_NAME: "sweep", _X_AMZN_TRACE_ID: SAMPLED });
    const headers: unknown[] = [];
    const server = createServer((request, response) => {
      headers.push(request.headers["x-amzn-trace-id"]);
      setTimeout(() => response.setHeader("content-type", "application/x-amz-json-1.0").end("{}"), 5);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const client = new SQSClient({ endpoint, region: "eu-central-1", credentials, md5: false });
    await using tracer = open();
    try {
      const command = new SendMessageCommand({ QueueUrl: `${endpoint}/1/jobs`, MessageBody: "b" });
      await tracer.step("job", () => client.send(command));
    } finally {
      client.destroy();
      server.closeAllConnections();
      server.close();
    }
    const steps = await daemon.until("job");
    const job = steps.find(({ name }) => name === "job");
    expect(steps.find(({ name }) => name === "SQS")).toMatchObject({
      namespace: "aws",
      aws: { operation: "SendMessage" },
      parent_id: job?.id,
    });
    expect(headers).toEqual([SAMPLED]);
  });

  test("that reaches nobody is a fault, and nobody listens after the tracer is closed", async () => {
    const nowhere = { endpoint: "http://127.0.0.1:1", region: "eu-central-1", maxAttempts: 1 };
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    const client = new SQSClient({ ...nowhere, credentials });
    const call = () => client.send(new SendMessageCommand({ QueueUrl: "http://127.0.0.1:1/1/jobs", MessageBody: "b" }));
    const tracer = open();
    await expect(tracer.step("job", () => moment().then(call))).rejects.toThrow();
    const steps = await daemon.until("job");
    expect(steps.find(({ name }) => name === "SQS")).toMatchObject({ fault: true });
    await tracer[Symbol.asyncDispose]();
    const count = daemon.datagrams.length;
    await expect(call()).rejects.toThrow();
    expect(daemon.datagrams).toHaveLength(count);
    client.destroy();
  });
});
