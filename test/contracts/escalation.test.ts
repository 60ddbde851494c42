import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { type Channel, fanOutEscalation } from "../../lib/adapters/escalation/fan-out.ts";
import { logEscalation } from "../../lib/adapters/escalation/log.ts";
import { type WebhookSettings, webhookEscalation } from "../../lib/adapters/escalation/webhook.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
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
import { fakeEscalation } from "../support/fakes/escalation.ts";
import { fakeLog } from "../support/fakes/log.ts";

const SECRET = `whsec_${Buffer.from("a secret of a test, long enough").toString("base64")}`;

const webhook = (settings: Pick<WebhookSettings, "url"> & Partial<WebhookSettings>): Escalation =>
  webhookEscalation({ clock: systemClock, scrub, pause: millis(1), ...settings });

describe("fake", () => {
  escalationContract(async (broken) => {
    const escalation = fakeEscalation();
    escalation.broken = broken;
    return { escalation, delivered: () => escalation.sent, [Symbol.asyncDispose]: async () => {} };
  });
});

const openWebhook: Open = async (broken) => {
  const server = await receiver(broken ? 500 : 204);
  const delivered = () => (broken ? [] : server.received.map(({ body }) => JSON.parse(body).data));
  const dispose = () => server[Symbol.asyncDispose]();
  return { escalation: webhook({ url: server.url }), delivered, [Symbol.asyncDispose]: dispose };
};

describe("webhook", () => {
  escalationContract(openWebhook);
  webhookTests();
});

describe("fan-out", () => {
  escalationContract(async (broken) => {
    const inner = await openWebhook(broken);
    return {
      ...inner,
      escalation: fanOutEscalation([{ name: "hook", escalation: inner.escalation }], fakeLog()),
    };
  });
  fanOutTests();
});

function webhookTests(): void {
  test("the Standard Webhooks library verifies the signature", async () => {
    await using server = await receiver(200);
    await webhook({ url: server.url, secret: SECRET }).send(incident());
    const [{ body, headers } = { body: "", headers: {} }] = server.received;
    const verified = new Webhook(SECRET).verify(body, headers as Record<string, string>);
    expect(verified).toEqual({ type: "incident.opened", timestamp: incident().at, data: incident() });
    expect(headers["content-type"]).toBe("application/json");
    const other = new Webhook(Buffer.from("another secret").toString("base64"));
    expect(() => other.verify(body, headers as Record<string, string>)).toThrow("No matching signature");
  });

  test("without a secret it has an id and a time, and no signature", async () => {
    await using server = await receiver(200);
    await webhook({ url: server.url }).send(incident({ status: "resolved" }));
    expect(server.received[0]?.headers).not.toHaveProperty("webhook-signature");
    expect(server.received[0]?.headers["webhook-timestamp"]).toMatch(/^\d{10}$/);
    expect(JSON.parse(server.received[0]?.body ?? "")).toMatchObject({ type: "incident.resolved" });
  });

  test("the id is the same for the same page, and different for any other", async () => {
    await using server = await receiver(200);
    const escalation = webhook({ url: server.url });
    const pages = [
      incident(),
      incident({ summary: "in other words" }),
      incident({ status: "resolved" }),
      incident({ at: "2030-01-01T00:00:01.000Z" }),
      incident({ key: "another" }),
    ];
    for (const page of pages) await escalation.send(page);
    const ids = server.received.map(({ headers }) => headers["webhook-id"]);
    expect(ids[0]).toMatch(/^msg_[\w-]{27}$/);
    expect(ids[1]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(4);
  });

  test.each<[string, readonly Behaviour[], number]>([
    ["500, then 200", [500, 200], 2],
    ["429 and 503, then 200", [429, 503, 200], 3],
    ["a lost connection, then 200", ["drop", 200], 2],
    ["no answer in time, then 200", ["hang", 200], 2],
  ])("%s is delivered, under one id", async (_, behaviours, tries) => {
    await using server = await receiver(...behaviours);
    await webhook({ url: server.url, secret: SECRET, timeout: millis(500) }).send(incident());
    expect(server.received).toHaveLength(tries);
    expect(new Set(server.received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  });

  test.each<[string, readonly Behaviour[], number, object]>([
    ["500 three times", [500], 3, { status: 500 }],
    ["a lost connection three times", ["drop"], 3, { reason: "UND_ERR_SOCKET" }],
    ["silence three times", ["hang"], 3, { reason: "TimeoutError" }],
    ["a refusal", [400, 200], 1, { status: 400 }],
    ["a receiver that is gone for good", [410, 200], 1, { status: 410 }],
    ["a redirection, which is not followed", [302, 200], 1, { status: 302 }],
  ])("%s is undeliverable, with the reason", async (_, behaviours, tries, why) => {
    await using server = await receiver(...behaviours);
    const sending = webhook({ url: server.url, timeout: millis(200) }).send(incident());
    const error: RelightError = await sending.then(unexpected, (thrown) => thrown);
    expect(error).toMatchObject({ code: "escalation.undeliverable", details: why });
    expect(error.message).toContain(server.host);
    expect(JSON.stringify(error) + error.stack).not.toContain("QUERY-SECRET");
    expect(server.received).toHaveLength(tries);
  });

  test("an unreachable receiver is undeliverable", async () => {
    const server = await receiver(200);
    await server[Symbol.asyncDispose]();
    const error = { code: "escalation.undeliverable", details: { reason: "ECONNREFUSED" } };
    await expect(webhook({ url: server.url }).send(incident())).rejects.toMatchObject(error);
  });

  test("a user and password in the URL become basic authorization, and never appear in an error", async () => {
    await using server = await receiver(200, 500);
    const url = server.url.replace("http://", "http://us%40er:pass%zz@");
    await webhook({ url }).send(incident());
    const expected = `Basic ${Buffer.from("us@er:pass%zz").toString("base64")}`;
    expect(server.received[0]?.headers.authorization).toBe(expected);
    const error: Error = await webhook({ url })
      .send(incident())
      .then(unexpected, (thrown) => thrown);
    expect(JSON.stringify(error) + error.stack).not.toMatch(/us(@|%40)er|pass%zz/);
  });

  test("no secret leaves with an incident", async () => {
    await using server = await receiver(200);
    const evidence = { seed: "hunter2", note: `found SO${"A".repeat(56)}` };
    await webhook({ url: server.url }).send(incident({ evidence }));
    expect(server.received[0]?.body).not.toMatch(/hunter2|SOAA/);
  });

  test.each([
    ["a secret that can't sign", { secret: "whsec_%%SECRET%%" }, "secret.malformed"],
    ["an empty secret", { secret: "whsec_" }, "secret.malformed"],
    ["an invalid address", { url: "SECRET" }, "config.invalid"],
  ])("%s is refused at once", (_, settings, code) => {
    const open = () => webhook({ url: "http://127.0.0.1:1", ...settings });
    expect(open).toThrow(RelightError);
    expect(open).toThrow(expect.objectContaining({ code }) as unknown as Error);
    expect(open).not.toThrow("SECRET");
  });
}

function fanOutTests(): void {
  const broken = (name: string): Channel => {
    const escalation = fakeEscalation();
    escalation.broken = true;
    return { name, escalation };
  };

  test("every channel gets it, and so does the log", async () => {
    const log = fakeLog();
    const [a, b] = [fakeEscalation(), fakeEscalation()];
    const channels = [
      { name: "a", escalation: a },
      { name: "b", escalation: b },
    ];
    await fanOutEscalation(channels, log).send(incident());
    expect([a.sent, b.sent]).toEqual([[incident()], [incident()]]);
    expect(log.lines).toEqual([
      { level: "error", message: "incident opened", data: { incident: incident(), text: expect.any(Array) } },
    ]);
  });

  test("one channel that accepts it is enough; a failed one is logged", async () => {
    const log = fakeLog();
    const works = fakeEscalation();
    await fanOutEscalation([broken("hook"), { name: "works", escalation: works }], log).send(incident());
    expect(works.sent).toHaveLength(1);
    const failures = log.lines.filter(({ message }) => message === "escalation channel failed");
    expect(failures).toMatchObject([
      { level: "error", data: { channel: "hook", error: { code: "escalation.undeliverable" } } },
    ]);
  });

  test("if none accepts it, the error names all of them, and the log still has the incident", async () => {
    const log = fakeLog();
    const bug: Channel = {
      name: "bug",
      escalation: {
        send: () => {
          throw new TypeError("a bug");
        },
      },
    };
    await expect(fanOutEscalation([broken("hook"), bug], log).send(incident())).rejects.toMatchObject({
      code: "escalation.undeliverable",
      message: expect.stringMatching(/hook: .*bug: a bug/),
      details: { channels: [{ channel: "hook" }, { channel: "bug" }] },
    });
    expect(log.lines.map(({ message }) => message)).toEqual([
      "incident opened",
      "escalation channel failed",
      "escalation channel failed",
    ]);
  });

  test("with no channel the log has it, and says that nobody was called", async () => {
    const log = fakeLog();
    const escalation = fanOutEscalation([], log);
    await escalation.send(incident());
    await escalation.send(incident({ status: "resolved" }));
    expect(escalation.hasChannels).toBe(false);
    expect(log.lines.map(({ message }) => message)).toEqual([
      ...["incident opened", "nobody was called: no escalation is configured", "incident resolved"],
    ]);
  });
}

describe("log", () => {
  test.each([
    ["open", "critical", "error", "incident opened"],
    ["open", "warning", "warn", "incident opened"],
    ["resolved", "critical", "info", "incident resolved"],
  ] as const)("an incident that is %s and %s is logged as %s", async (status, severity, level, message) => {
    const log = fakeLog();
    await logEscalation(log).send(incident({ status, severity }));
    const page = incident({ status, severity });
    const data = { incident: page, text: textLines(pageText(page)) };
    expect(log.lines).toEqual([{ level, message, data }]);
  });
});

function unexpected(): never {
  throw new Error("it should have failed");
}
