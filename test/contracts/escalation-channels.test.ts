import { CreateTopicCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterAll, describe, expect, test } from "@jest/globals";
import { snsClient, snsEscalation } from "../../lib/adapters/aws/pages/sns-escalation.ts";
import { pagerDutyEscalation } from "../../lib/adapters/escalation/pagerduty.ts";
import { slackEscalation } from "../../lib/adapters/escalation/slack.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import { openEscalation } from "../../lib/compose/open-escalation.ts";
import type { Incident } from "../../lib/domain/incidents/incident.ts";
import { pageText, textLines } from "../../lib/domain/incidents/page-text.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Escalation } from "../../lib/ports/escalation.ts";
import {
  type Behaviour,
  escalationContract,
  incident,
  type Open,
  receiver,
  scrub,
} from "../support/escalation-contract.ts";
import { fakeLog } from "../support/fakes/log.ts";
import { describeAws, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const KEY = "R0UTINGKEYR0UTINGKEYR0UTINGKEY00";
const links = { runbook: "https://wiki/{class}?a=1&b=2", console: "https://relight/" };
const settings = { clock: systemClock, scrub, pause: millis(1), links };
const SECRETS = { seed: "hunter2" };
const SEED = `SO${"A".repeat(56)}`;

// biome-ignore lint/suspicious/noExplicitAny: what was received is compared, not worked with.
type Body = any;
type Make = (url: string) => Escalation;
const pagerDuty: Make = (url) => pagerDutyEscalation({ ...settings, url, routingKey: KEY });
const slack: Make = (url) => slackEscalation({ ...settings, url });

const opener =
  (make: Make, shown: (body: Body) => unknown, shows: (page: Incident) => unknown): Open =>
  async (broken) => {
    const server = await receiver(broken ? 500 : 202);
    return {
      escalation: make(server.url),
      delivered: () => (broken ? [] : server.received.map(({ body }) => shown(JSON.parse(body)))),
      shows,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  };

/** The contract of both HTTP services. */
function postedTests(make: Make): void {
  test.each<[string, readonly Behaviour[], number]>([
    ["500, then taken", [500, 202], 2],
    ["429, a lost connection, then taken", [429, "drop", 202], 3],
  ])("%s is delivered", async (_, behaviours, tries) => {
    await using server = await receiver(...behaviours);
    await make(server.url).send(incident());
    expect(server.received).toHaveLength(tries);
  });

  test("a refusal is not retried, and the error has no secret of the channel", async () => {
    await using server = await receiver(400);
    const error = await make(server.url)
      .send(incident())
      .then(unexpected, (thrown) => thrown);
    expect(error).toMatchObject({ code: "escalation.undeliverable", details: { status: 400 } });
    expect(JSON.stringify(error) + error.stack).not.toMatch(/QUERY-SECRET|R0UTING/);
    expect(server.received).toHaveLength(1);
  });

  test("no secret leaves with an incident", async () => {
    await using server = await receiver(202);
    const advice = [`Use ${SEED}.`];
    await make(server.url).send(incident({ evidence: SECRETS, summary: `of ${SEED}`, advice }));
    expect(server.received[0]?.body).toContain("[seed]");
    expect(server.received[0]?.body).not.toMatch(/hunter2|SOAA/);
  });
}

describe("PagerDuty", () => {
  const shown = ({ routing_key, event_action, dedup_key, payload }: Body) => ({
    routing_key,
    event_action,
    dedup_key,
    severity: payload.severity,
    class: payload.class,
    summary: payload.summary,
    details: Object.keys(payload.custom_details),
  });
  escalationContract(
    opener(pagerDuty, shown, (page) => ({
      routing_key: KEY,
      event_action: page.status === "open" ? "trigger" : "resolve",
      dedup_key: page.key,
      severity: "critical",
      class: "jetstream_dead",
      summary: page.status === "open" ? `${pageText(page).title}: ${page.summary}` : pageText(page).title,
      details: [...pageText(page).parts.map(({ heading }) => heading), "Runbook", "Console", "evidence"],
    })),
  );
  postedTests(pagerDuty);

  test("an event has the format of the Events API v2", async () => {
    await using server = await receiver(202);
    await pagerDuty(server.url).send(incident({ severity: "warning" }));
    expect(JSON.parse(server.received[0]?.body ?? "")).toMatchObject({
      client: "Relight",
      client_url: "https://relight/",
      payload: {
        source: "ORDERS",
        severity: "warning",
        timestamp: incident().at,
        group: incident().account,
        custom_details: { "What to do now": "Look at it.", evidence: incident().evidence },
      },
      links: [
        { href: "https://wiki/jetstream_dead?a=1&b=2", text: "Runbook" },
        { href: "https://relight/", text: "Console" },
      ],
    });
  });

  test("what PagerDuty would refuse as too large is sent without its evidence", async () => {
    await using server = await receiver(202);
    await pagerDuty(server.url).send(incident({ summary: "x".repeat(5_000), evidence: { x: "ü".repeat(300_000) } }));
    const { payload } = JSON.parse(server.received[0]?.body ?? "");
    expect(payload.summary).toHaveLength(1_024);
    expect(payload.custom_details.evidence).toMatch(/too large/);
    expect(Buffer.byteLength(server.received[0]?.body ?? "")).toBeLessThan(512_000);
  });
});

describe("Slack", () => {
  const shown = ({ blocks }: Body) => blocks.map(({ text, elements }: Body) => (text ?? elements[0]).text);
  escalationContract(
    opener(slack, shown, (page) => [
      `${page.status === "open" ? "🚨" : "✅"} ${pageText(page).title}`,
      ...pageText(page).parts.map(({ heading, lines }) => `*${heading}*\n${lines.join("\n")}`),
      "<https://wiki/jetstream_dead?a=1&amp;b=2|Runbook>\n<https://relight/|Console>",
      pageText(page).references[0],
    ]),
  );
  postedTests(slack);

  test("an incident's text is not parsed as markup, and fits into Slack's blocks", async () => {
    await using server = await receiver(200);
    const advice = Array(10).fill("<!channel> & ".repeat(100));
    await slack(server.url).send(incident({ advice, accountName: "N".repeat(500) }));
    const { text, blocks } = JSON.parse(server.received[0]?.body ?? "");
    expect(JSON.stringify([text, blocks])).not.toMatch(/<!/);
    expect(blocks[0].text.text.length).toBeLessThanOrEqual(150);
    for (const block of blocks.slice(1, -1)) expect(block.text.text.length).toBeLessThanOrEqual(3_000);
    expect(text).toMatch(/^\[CRITICAL\] N+… \(AAAAAAAA\): JetStream is dead\. /);
  });
});

describeAws(moto, "SNS on moto", (aws) => {
  const [sns, sqs] = [new SNSClient(aws), new SQSClient(aws)];
  afterAll(() => {
    for (const client of [sns, sqs]) client.destroy();
  });
  let topics = 0;

  /** A topic, and a queue that gets what is published there. */
  async function openTopic(fifo: boolean) {
    const name = `pages-${++topics}${fifo ? ".fifo" : ""}`;
    const Attributes = fifo ? { FifoTopic: "true" } : {};
    const { TopicArn: topic = "" } = await sns.send(new CreateTopicCommand({ Name: name, Attributes }));
    const { QueueUrl: url = "" } = await sqs.send(
      new CreateQueueCommand({ QueueName: name, Attributes: fifo ? { FifoQueue: "true" } : {} }),
    );
    const Endpoint = `${topic.replace(":sns:", ":sqs:")}`;
    await sns.send(new SubscribeCommand({ TopicArn: topic, Protocol: "sqs", Endpoint }));
    return { topic, url };
  }

  async function received(url: string) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: 0 }),
    );
    return Messages.map(({ Body }) => JSON.parse(Body ?? ""));
  }

  describe.each([false, true])("with a FIFO topic: %j", (fifo) => {
    escalationContract(async (broken) => {
      const { topic, url } = await openTopic(fifo);
      const target = broken ? topic.replace("pages", "nowhere") : topic;
      const shown = ({ Subject, Message, MessageAttributes }: Body) => ({
        Subject,
        Message,
        MessageAttributes,
      });
      return {
        escalation: snsEscalation({ topic: target, client: sns, scrub, links }),
        delivered: async () => (await received(url)).map(shown),
        shows: (page) => ({
          Subject: pageText(page).title.replace("…", "..").replace("üß", "??"),
          Message: textLines(pageText(page, links)).join("\n"),
          MessageAttributes: Object.fromEntries(
            (["key", "status", "severity", "failureClass", "account"] as const).map((name) => [
              ...[name, { Type: "String", Value: page[name] }],
            ]),
          ),
        }),
        [Symbol.asyncDispose]: async () => {},
      };
    });
  });

  test("a subject is short and plain, whatever the account's name; no secret leaves", async () => {
    const { topic, url } = await openTopic(false);
    const page = incident({ accountName: `Grüße\n${"x".repeat(200)}`, summary: `of ${SEED}` });
    await snsEscalation({ topic, client: sns, scrub }).send(page);
    const [{ Subject, Message }] = await received(url);
    expect(Subject).toMatch(/^\[CRITICAL\] Gr\?\?e x{50,}\.\. \(AAAAAAAA\): JetS/);
    expect(Subject.length).toBeLessThanOrEqual(100);
    expect(Message).toContain("of [seed]");
  });

  test("the client is in the topic's region", async () => {
    const client = snsClient("arn:aws:sns:eu-north-1:123456789012:pages");
    expect(await client.config.region()).toBe("eu-north-1");
    client.destroy();
  });
});

describe("the channels of a configuration", () => {
  const page = (url: string) => ({ pagerDuty: { routingKey: "env:KEY", url } });
  const secrets = (values: Readonly<Record<string, string>>, failures: RelightError[] = []) => ({
    read: async (reference: string) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      return values[reference] ?? "";
    },
  });

  test("each get the incident, even if one fails", async () => {
    await using broken = await receiver(400);
    await using works = await receiver(200);
    const log = fakeLog();
    const config = { escalation: [page(broken.url), { slack: { url: "env:SLACK" } }], links };
    const escalation = await openEscalation(config, secrets({ "env:KEY": KEY, "env:SLACK": works.url }), log);
    await escalation.send(incident());
    expect([broken.received.length, works.received.length]).toEqual([1, 1]);
    expect(log.lines.map(({ message }) => message)).toEqual(["incident opened", "escalation channel failed"]);
    expect(JSON.stringify(log.lines)).not.toContain("QUERY-SECRET");
  });

  test("are opened later if a secret can't be read now, and refused if it never can", async () => {
    await using server = await receiver(202);
    const log = fakeLog();
    const config = { escalation: [page(server.url)], links: {} };
    const unavailable = new RelightError("secret.unavailable", "throttled");
    const escalation = await openEscalation(config, secrets({ "env:KEY": KEY }, [unavailable]), log);
    await escalation.send(incident());
    expect(JSON.parse(server.received[0]?.body ?? "").routing_key).toBe(KEY);
    const missing = new RelightError("secret.not_found", "no such secret");
    await expect(openEscalation(config, secrets({}, [missing]), log)).rejects.toBe(missing);
  });
});

function unexpected(): never {
  throw new Error("it should have failed");
}
