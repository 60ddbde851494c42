import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { nowSeconds } from "../../lab/keys.ts";
import { renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import {
  bodiesIn,
  countIn,
  deliveriesOf,
  isDelivered,
  putEvent,
  type QueueName,
  redeliverJob,
  sendJob,
  sendTo,
} from "../../lab/twin/messages.ts";
import { passTime } from "../../lab/twin/time.ts";
import { bySchedule, byWebhook } from "../../lab/twin/triggers.ts";
import { startTwin, type Twin } from "../../lab/twin/twin.ts";
import { waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { pageOf } from "../support/aws-faults.ts";
import { packageForTwin } from "../support/package.ts";
import { describeTwin, ROOM } from "../support/twin.ts";

const artefacts = packageForTwin();

const DAY = 86_400;
/** How often the template's queues deliver a message. */
const MOST_RECEIVES = 5;

describeTwin("messages that come twice, out of order, from the future, or are none", () => {
  let world: World;
  let twin: Twin;
  const own: Record<string, World> = {};
  const account = (name: string): World => own[name] as World;

  beforeAll(async () => {
    const { path: binary } = await serverBinary("2.10.27");
    world = await createWorld({ binary, jetstream: ROOM });
    for (const name of ["TWICE", "REORDERED", "OTHER"]) own[name] = await anotherAccount(world, name);
    twin = await startTwin({ world, artefacts, accounts: { APP: world, ...own } });
  });
  afterAll(async () => {
    await twin?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const kindsOf = async ({ accountId }: World, kind: string) =>
    (await twin.journal(accountId)).filter((entry) => entry.kind === kind).map(({ data }) => data);
  const statusesOf = (key: string) =>
    twin.receiver.pages.filter(({ data }) => data.key === key).map(({ data }) => data.status);

  test("the same job in two messages renews once", async () => {
    const twice = account("TWICE");
    await renewByHand(twice, 3_600);
    const id = "the-same";
    await sendJob(twin, twice.accountId, { id, correlation: id });
    await sendJob(twin, twice.accountId, { id, correlation: id });
    await isDelivered(twin, twice.accountId, 2);
    expect(await kindsOf(twice, "push.started")).toHaveLength(1);
    expect((await kindsOf(twice, "job.finished")).map(({ outcome }) => outcome)).toEqual(["renewed", "healthy"]);
  });

  test("an older JWT that is delivered after a newer one is ignored, and nobody is paged", async () => {
    const reordered = account("REORDERED");
    const issue = (age: number, lives: number): string =>
      reordered.sign({
        ...reordered.claims({ iat: nowSeconds() - age, exp: nowSeconds() + lives }),
        jti: `issued ${age} s ago`,
      });
    await reordered.push(issue(100, 40 * DAY));
    const [older, newer] = [issue(20, 90 * DAY), issue(10, 90 * DAY + 10)];
    for (const delivered of [2, 4]) {
      for (const token of [newer, older]) expect(await byWebhook(twin, reordered.accountId, token)).toBe(202);
      await isDelivered(twin, reordered.accountId, delivered);
    }
    const proved = (await kindsOf(reordered, "push.proved")).map(({ jti }) => jti);
    expect(proved).toEqual(["issued 10 s ago"]);
    expect(await kindsOf(reordered, "incident.opened")).toEqual([]);
    expect((await kindsOf(reordered, "job.finished")).map(({ outcome }) => outcome)).toEqual(
      Array.from({ length: 4 }, () => "pushed"),
    );
  });

  test("a resolution that overtakes its opening is sent, and the opening is not", async () => {
    const resume = twin.queues.pause();
    {
      using _fault = twin.proxy.injectFaults(({ operation }) =>
        operation === "SendMessageBatch" ? { kind: "fail", status: 500 } : undefined,
      );
      expect(await bySchedule(twin)).toMatchObject({ kind: "failed" });
    }
    expect(await bySchedule(twin)).toMatchObject({ kind: "answered" });
    const bodies = await waitFor("both pages", async () => {
      const found = await bodiesIn(twin, "pages");
      return found.length === 2 && found;
    });
    const [opened = "", resolved = ""] = [...bodies].sort();
    const { key } = (JSON.parse(resolved) as { detail: { key: string } }).detail;
    // The later one first, and each twice: the copies here, and then the two that wait.
    const keep = twin.receiver.pages.length;
    resume();
    await sendTo(twin, "pages", resolved);
    await sendTo(twin, "pages", opened);
    await twin.queues.idle();
    expect(keep).toBe(0);
    expect(statusesOf(key).filter((status) => status === "open")).toEqual([]);
    expect(statusesOf(key)).toEqual(["resolved"]);
  });

  const POISON: readonly (readonly [what: string, queue: QueueName, body: () => string])[] = [
    ["a job of a future version", "jobs.fifo", () => jobOf({ account: world.accountId, urgency: "high" })],
    ["a job with an action of the future", "jobs.fifo", () => jobOf({ account: world.accountId, action: "fly" })],
    ["no JSON at all", "jobs.fifo", () => "poison: not JSON"],
    ["a page of no known kind", "pages", () => JSON.stringify({ source: "poison", detail: {} })],
    ["a page that is garbage", "pages", () => "poison page"],
  ];

  test.each(POISON)(
    "%s ends in the dead-letter queue after five tries",
    async (_what, queue, body) => {
      const [text, dead] = [body(), queue === "pages" ? "pages-dead" : "jobs-dead.fifo"] as const;
      await sendTo(twin, queue, text, { group: "poison" });
      const by = queue === "pages" ? "escalate" : "remediate";
      for (let tries = 1; tries <= MOST_RECEIVES; tries += 1) {
        await isDelivered(twin, text, tries, by);
        await passTime(twin, text);
      }
      await waitFor("the dead letter", async () => (await bodiesIn(twin, dead)).includes(text));
      expect(deliveriesOf(twin, text, by)).toHaveLength(MOST_RECEIVES);
      expect(await countIn(twin, queue)).toEqual({ waiting: 0, hidden: 0 });
    },
    120_000,
  );

  test("while a poison message is hidden and redelivered, other accounts' jobs run", async () => {
    const other = account("OTHER");
    await renewByHand(other, 3_600);
    const text = jobOf({ account: world.accountId, urgency: "higher" });
    await sendTo(twin, "jobs.fifo", text, { group: world.accountId });
    await isDelivered(twin, text, 1);
    // The sweeps above queued jobs for it, too.
    const before = deliveriesOf(twin, other.accountId).length;
    const proved = (await kindsOf(other, "push.proved")).length;
    await sendJob(twin, other.accountId);
    await redeliverJob(twin, other.accountId, before + 1);
    expect(await kindsOf(other, "push.proved")).toHaveLength(proved + 1);
    expect(await countIn(twin, "jobs.fifo")).toEqual({ waiting: 0, hidden: 1 });
  });

  describe("the alarm on the dead-letter queues", () => {
    const NAME = "relight-prod/jobs-dead-letters";
    const ARN = `arn:aws:cloudwatch:eu-central-1:123456789012:alarm:${NAME}`;
    const state = (value: string, at: Date) =>
      putEvent(
        twin,
        { bus: "default", source: "aws.cloudwatch", type: "CloudWatch Alarm State Change", resources: [ARN] },
        {
          alarmName: NAME,
          configuration: { description: descriptionOf(twin, NAME) },
          state: { value, reason: "Threshold Crossed", timestamp: at.toISOString() },
        },
      );

    test("pages a person, says what to do, and is resolved when they are empty", async () => {
      const key = `relight/${ARN}/stack_alarm`;
      await state("ALARM", new Date());
      await waitFor("the page", () => statusesOf(key).length > 0);
      await state("OK", new Date(Date.now() + 60_000));
      await waitFor("its end", () => statusesOf(key).length > 1);
      expect(statusesOf(key)).toEqual(["open", "resolved"]);
      const page = twin.receiver.pages.find(({ data }) => data.key === key);
      expect(page?.data).toMatchObject({ severity: "critical", failureClass: "stack_alarm" });
      expect(String(page?.data["advice"])).toContain("redrive");
    });
  });

  test("a page of a newer version is sent anyway", async () => {
    await sendTo(twin, "pages", pageOf("newer", { failureClass: "moon_phase", sparkle: true }));
    await waitFor("the page", () => statusesOf("newer").length > 0);
    expect(statusesOf("newer")).toEqual(["open"]);
  });
});

function jobOf(more: object): string {
  const id = crypto.randomUUID();
  return JSON.stringify({ trigger: "webhook", reason: "poison", action: "verify", id, ...more });
}

/** The stack's notification of its alarm. */
function descriptionOf({ deployment }: Twin, name: string): string {
  const alarms = deployment.stack.resources<{ AlarmName: string; AlarmDescription: string }>("AWS::CloudWatch::Alarm");
  return alarms.find(({ properties }) => properties.AlarmName === name)?.properties.AlarmDescription ?? "";
}
