import {
  CreateQueueCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { waitFor } from "../../lab/wait.ts";
import { parseJob } from "../../lib/adapters/aws/queue/job-message.ts";
import { batchesOf, deduplicationId, sqsJobs } from "../../lib/adapters/aws/queue/sqs-jobs.ts";
import { inProcessJobs } from "../../lib/adapters/local/in-process-jobs.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Job, Jobs } from "../../lib/ports/jobs.ts";
import { fakeJobs } from "../support/fakes/jobs.ts";
import { describeAws, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const account = (letter: string) => `A${letter.repeat(55)}` as AccountId;

function job(id: string, fields: Partial<Job> = {}): Job {
  return { id, account: account("A"), trigger: "manual", reason: "a test", action: "remediate", ...fields };
}

/** A queue, and everything received from it so far. */
interface Queue {
  readonly jobs: Jobs;
  readonly received: () => Promise<readonly Job[]>;
}

describe("fake", () => {
  jobsContract(async () => {
    const jobs = fakeJobs();
    return { jobs, received: async () => jobs.queued };
  });
});

describe("in this process", () => {
  jobsContract(async () => {
    const done: Job[] = [];
    const jobs = inProcessJobs({ work: async (each) => void done.push(each), onError: fail });
    const received = async () => {
      await jobs.drain();
      return done;
    };
    return { jobs, received };
  });
  inProcessTests();
});

describeAws(moto, "SQS on moto", (settings) => {
  const client = new SQSClient(settings);
  afterAll(() => client.destroy());
  let queues = 0;
  const open = async () => {
    const Attributes = { FifoQueue: "true" };
    const queue = new CreateQueueCommand({ QueueName: `relight-${++queues}.fifo`, Attributes });
    const { QueueUrl: queueUrl = "" } = await client.send(queue);
    return { queueUrl, jobs: sqsJobs({ queueUrl, client }) };
  };
  jobsContract(async () => {
    const { queueUrl, jobs } = await open();
    return {
      jobs,
      received: async () => (await receiveAll(client, queueUrl)).map(({ Body = "" }) => parseJob(Body)),
    };
  });

  test("the account is the message group, and SQS deduplicates by the hash of the job's id", async () => {
    const { queueUrl, jobs } = await open();
    const odd = job(`${"long ".repeat(60)}∑`);
    await jobs.enqueue(odd);
    const [message] = await receiveAll(client, queueUrl);
    expect(message?.Attributes).toMatchObject({
      MessageGroupId: odd.account,
      MessageDeduplicationId: deduplicationId(odd),
    });
    expect(deduplicationId(odd)).toMatch(/^[0-9a-f]{64}$/);
  });

  test("while one of an account's jobs runs, its next one waits", async () => {
    const { queueUrl, jobs } = await open();
    for (const each of [job("1"), job("2"), job("3", { account: account("B") })]) await jobs.enqueue(each);
    const out = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 1 }));
    expect(out.Messages?.map(({ Body = "" }) => parseJob(Body).id)).toEqual(["1"]);
    const next = await client.send(new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 }));
    expect(next.Messages?.map(({ Body = "" }) => parseJob(Body).id)).toEqual(["3"]);
  });

  test("reports how many jobs wait", async () => {
    const { jobs } = await open();
    await jobs.enqueueAll(["A", "B", "C"].map((letter) => job(letter, { account: account(letter) })));
    expect(await jobs.waiting()).toBe(3);
  });

  test("only entries that were not accepted are sent again; entries that never are get counted", async () => {
    const { queueUrl } = await open();
    const raw = new SQSClient(settings);
    const batches: number[] = [];
    let failing = (id: string, tries: number): object | undefined =>
      id === "2" && tries === 1 ? { Code: "InternalError", SenderFault: false } : undefined;
    raw.middlewareStack.add(
      (next) => async (args) => {
        const { Entries } = args.input as { Entries: { Id: string; MessageBody: string }[] };
        batches.push(Entries.length);
        const idOf = ({ MessageBody }: { MessageBody: string }) => parseJob(MessageBody).id;
        const bad = Entries.filter((each) => failing(idOf(each), batches.length) !== undefined);
        const good = Entries.filter((each) => !bad.includes(each));
        const Failed = bad.map((each) => ({ Id: each.Id, ...failing(idOf(each), batches.length) }));
        if (good.length === 0) return { response: {}, output: { Failed, $metadata: {} } } as never;
        const answer = await next({ ...args, input: { ...args.input, Entries: good } as never });
        Object.assign(answer.output, { Failed });
        return answer;
      },
      { step: "initialize", priority: "low" },
    );
    const jobs = sqsJobs({ queueUrl, client: raw });
    const letters = [..."ABCDEFGHIJKL"];
    const sent = letters.map((letter, index) => job(`${index}`, { account: account(letter) }));
    await jobs.enqueueAll(sent);
    expect(batches).toEqual([10, 1, 2]);
    const ids = (await receiveAll(client, queueUrl)).map(({ Body = "" }) => parseJob(Body).id);
    expect(ids.toSorted()).toEqual(sent.map(({ id }) => id).toSorted());

    batches.length = 0;
    failing = (id) => (Number(id) < 2 ? { Code: "InvalidMessageContents", SenderFault: true } : undefined);
    const again = sent.map((each) => ({ ...each, reason: "again" }));
    await expect(jobs.enqueueAll(again)).rejects.toMatchObject({
      code: "queue.unavailable",
      message: expect.stringContaining("did not accept 2 of 12 jobs: InvalidMessageContents"),
      details: { notTaken: 2 },
    });
    // Sender faults: a retry would not help; the others are sent.
    expect(batches).toEqual([10, 2]);
    raw.destroy();
  });

  test("a batch holds ten jobs, no account twice, and 256 KiB", () => {
    const token = (bytes: number) => ({ token: "x".repeat(bytes) });
    const letters = [..."AABCDEFGHIJKLM"];
    const small = letters.map((letter, index) => job(`${index}`, { account: account(letter) }));
    expect([...batchesOf(small)].map(({ length }) => length)).toEqual([1, 10, 3]);
    const large = [..."ABCD"].map((letter) => job(letter, { account: account(letter), ...token(100_000) }));
    expect([...batchesOf(large)].map(({ length }) => length)).toEqual([2, 2]);
    expect([...batchesOf([job("huge", token(2_000_000))])].map(({ length }) => length)).toEqual([1]);
  });

  test("a missing queue is queue.unavailable, with its name", async () => {
    const jobs = sqsJobs({ queueUrl: `${settings.endpoint}/1/no-such.fifo`, client });
    const error = {
      code: "queue.unavailable",
      message: expect.stringContaining("no-such.fifo"),
      retryable: true,
    };
    await expect(jobs.enqueue(job("1"))).rejects.toMatchObject(error);
    await expect(jobs.waiting()).rejects.toMatchObject(error);
    await expect(jobs.enqueueAll([job("1"), job("2", { account: account("B") })])).rejects.toMatchObject({
      ...error,
      details: { notTaken: 2 },
    });
  });
});

function jobsContract(open: () => Promise<Queue>): void {
  test("a job arrives as it was sent", async () => {
    const { jobs, received } = await open();
    const sent = job("1", { action: "push", token: "a.b.c", reason: 'Grüße "∑"' });
    await jobs.enqueue(sent);
    expect(await received()).toEqual([sent]);
  });

  test("an account's jobs arrive in order", async () => {
    const { jobs, received } = await open();
    for (let id = 0; id < 7; id += 1) await jobs.enqueue(job(`a${id}`));
    expect((await received()).map(({ id }) => id)).toEqual(["a0", "a1", "a2", "a3", "a4", "a5", "a6"]);
  });

  test("jobs with the same id that arrive together are one job", async () => {
    const { jobs, received } = await open();
    await Promise.all(["1", "2", "1", "2", "3"].map((id) => jobs.enqueue(job(id))));
    expect((await received()).map(({ id }) => id).toSorted()).toEqual(["1", "2", "3"]);
  });

  test("jobs of several accounts all arrive", async () => {
    const { jobs, received } = await open();
    const sent = ["A", "B", "C", "D", "E", "F"].map((letter) => job(letter, { account: account(letter) }));
    await Promise.all(sent.map((each) => jobs.enqueue(each)));
    expect((await received()).map(({ id }) => id).toSorted()).toEqual(["A", "B", "C", "D", "E", "F"]);
  });

  test("many at once arrive as if sent one by one", async () => {
    const { jobs, received } = await open();
    const letters = ["A", "B", "C", "A", "D", "E", "F", "G", "H", "I", "J", "K", "L", "A"];
    const sent = letters.map((letter, index) => job(`${index}`, { account: account(letter) }));
    await jobs.enqueueAll([...sent, job("3", { account: account("A") })]);
    const out = await received();
    expect(out.toSorted((one, other) => Number(one.id) - Number(other.id))).toEqual(sent);
    expect(out.filter((each) => each.account === account("A")).map(({ id }) => id)).toEqual(["0", "3", "13"]);
    await jobs.enqueueAll([]);
  });

  test("an empty queue has no waiting jobs", async () => {
    const { jobs } = await open();
    expect(await jobs.waiting()).toBe(0);
  });

  test("with nothing queued there is nothing to wait for", async () => {
    const { jobs } = await open();
    await jobs.drain();
  });
}

/** Receives messages, as a worker does, until the queue is empty. */
async function receiveAll(client: SQSClient, queueUrl: string): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const { Messages = [] } = await client.send(
      new ReceiveMessageCommand({
        QueueUrl: queueUrl,
        MaxNumberOfMessages: 10,
        MessageSystemAttributeNames: ["All"],
      }),
    );
    if (Messages.length === 0) return all;
    all.push(...Messages);
    for (const { ReceiptHandle } of Messages)
      await client.send(new DeleteMessageCommand({ QueueUrl: queueUrl, ReceiptHandle }));
  }
}

function inProcessTests(): void {
  /** Work that a test ends, job by job. */
  function gatedQueue(parallel?: number) {
    const started: string[] = [];
    const gates = new Map<string, () => void>();
    const errors: unknown[] = [];
    const jobs = inProcessJobs({
      work: ({ id }) => {
        started.push(id);
        return new Promise<void>((resolve) => gates.set(id, resolve));
      },
      onError: (error) => errors.push(error),
      ...(parallel === undefined ? {} : { parallel }),
    });
    return { jobs, started, end: (id: string) => gates.get(id)?.() };
  }

  test("never runs two jobs of one account at once, nor more accounts than allowed", async () => {
    const { jobs, started, end } = gatedQueue(2);
    const sent = [job("a1"), job("a2"), job("b1", { account: account("B") }), job("c1", { account: account("C") })];
    for (const each of sent) await jobs.enqueue(each);
    expect(started).toEqual(["a1", "b1"]);
    end("b1");
    await waitFor("3 jobs", () => started.length === 3);
    expect(started).toEqual(["a1", "b1", "c1"]);
    end("a1");
    await waitFor("4 jobs", () => started.length === 4);
    end("a2");
    end("c1");
    await jobs.drain();
  });

  test("runs four accounts at once by default", async () => {
    const { jobs, started, end } = gatedQueue();
    const letters = ["A", "B", "C", "D", "E"];
    for (const letter of letters) await jobs.enqueue(job(letter, { account: account(letter) }));
    expect(started).toEqual(["A", "B", "C", "D"]);
    end("A");
    await waitFor("5 jobs", () => started.length === 5);
    for (const letter of letters) end(letter);
    await jobs.drain();
  });

  test("jobs that run do not count as waiting", async () => {
    const { jobs, end } = gatedQueue(1);
    await jobs.enqueueAll(["A", "B", "C"].map((letter) => job(letter, { account: account(letter) })));
    expect(await jobs.waiting()).toBe(2);
    for (const [id, left] of [
      ["A", 1],
      ["B", 0],
    ] as const) {
      end(id);
      await waitFor(`${left} to wait`, async () => (await jobs.waiting()) === left);
    }
    end("C");
    await jobs.drain();
  });

  test("a running job is not queued again; a finished one may be", async () => {
    const { jobs, started, end } = gatedQueue();
    await jobs.enqueue(job("1"));
    await jobs.enqueue(job("1"));
    end("1");
    await jobs.drain();
    expect(started).toEqual(["1"]);
    await jobs.enqueue(job("1"));
    expect(started).toEqual(["1", "1"]);
    end("1");
    await jobs.drain();
  });

  test("a failed job is reported, and does not block the next", async () => {
    const told: [string, string][] = [];
    const done: string[] = [];
    const jobs = inProcessJobs({
      work: async ({ id }) => {
        if (id === "bad") throw new Error("it went wrong");
        done.push(id);
      },
      onError: (error, { id }) => void told.push([id, (error as Error).message]),
    });
    for (const id of ["bad", "good"]) await jobs.enqueue(job(id));
    await jobs.drain();
    expect({ told, done }).toEqual({ told: [["bad", "it went wrong"]], done: ["good"] });
  });

  test("drain also waits for jobs that arrive while it waits", async () => {
    const done: string[] = [];
    const jobs: Jobs = inProcessJobs({
      work: async ({ id }) => {
        if (id === "first") await jobs.enqueue(job("second"));
        done.push(id);
      },
      onError: fail,
    });
    await jobs.enqueue(job("first"));
    await jobs.drain();
    expect(done).toEqual(["first", "second"]);
  });

  test("whatever the jobs: each runs once, in its account's order, within the limit", async () => {
    const letters = fc.constantFrom("A", "B", "C", "D");
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(letters, { maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (s, accounts, parallel) => {
          const busy = new Set<string>();
          const done: Job[] = [];
          const work = async (each: Job) => {
            expect(busy).not.toContain(each.account);
            busy.add(each.account);
            expect(busy.size).toBeLessThanOrEqual(parallel);
            await s.schedule(Promise.resolve());
            busy.delete(each.account);
            done.push(each);
          };
          const jobs = inProcessJobs({
            work,
            onError: (error) => {
              throw error;
            },
            parallel,
          });
          const sent = accounts.map((letter, index) => job(`${index}`, { account: account(letter) }));
          for (const each of sent) await jobs.enqueue(each);
          await s.waitFor(jobs.drain());
          expect(done).toHaveLength(sent.length);
          const ofEach = (all: readonly Job[]) => Object.groupBy(all, (each) => each.account);
          expect(ofEach(done)).toEqual(ofEach(sent));
        },
      ),
      { numRuns: 50 },
    );
  });
}

describe("a message's body", () => {
  const anyJob: fc.Arbitrary<Job> = fc
    .record(
      {
        account: fc.constantFrom(account("A"), account("B")),
        trigger: fc.constantFrom<Job["trigger"]>("schedule", "webhook", "manual", "event", "resume"),
        reason: fc.string({ unit: "binary" }),
        action: fc.constantFrom<Job["action"]>("remediate", "heal", "renew", "push", "verify"),
        token: fc.string(),
        id: fc.string({ minLength: 1 }),
      },
      { requiredKeys: ["account", "trigger", "reason", "action", "id"] },
    )
    .map((each) => ({ ...each }));

  test("whatever the job, its body is read as the same job", () => {
    fc.assert(fc.property(anyJob, (each) => expect(parseJob(JSON.stringify(each))).toEqual(each)));
  });

  test.each<[string, unknown, string]>([
    ["no JSON", undefined, "body"],
    ["no object", [1], "body"],
    ["an unknown key", { ...job("1"), force: true }, "force"],
    ["no account", { ...job("1"), account: undefined }, "account"],
    ["a bad account", { ...job("1"), account: "SECRET" }, "account"],
    ["a trigger that we don't know", { ...job("1"), trigger: "whim" }, "trigger"],
    ["an action that we don't know", { ...job("1"), action: "destroy" }, "action"],
    ["an empty id", { ...job("1"), id: "" }, "id"],
    ["a token that is no text", { ...job("1"), token: 5 }, "token"],
  ])("%s is refused with its path, not its content", (_, value, where) => {
    const body = value === undefined ? "SECRET {" : JSON.stringify(value);
    expect(() => parseJob(body)).toThrow(RelightError);
    expect(() => parseJob(body)).toThrow(where);
    expect(() => parseJob(body)).not.toThrow("SECRET");
  });
});

function fail(error: unknown): never {
  throw error;
}
