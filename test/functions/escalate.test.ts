import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { type Behaviour, receiver } from "../support/escalation-contract.ts";
import { type Event, eventOf, isolatedConfig, run } from "../support/stack.ts";

/**
 * The configuration's NATS, operator and credentials are unreachable, so a sent page proves that the function needs
 * none of them. Without its middlewares there would be neither an app nor batchItemFailures.
 */
const environment = { ...process.env };
beforeEach(() => {
  Object.assign(process.env, { RELIGHT_LOG_LEVEL: "silent" });
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
});

async function stack(...behaviours: readonly Behaviour[]) {
  const channel = await receiver(...behaviours);
  const yaml = `escalation:\n  - webhook: { url: "${channel.url}" }\n  - slack: { url: "env:NO_SUCH_SECRET" }\n`;
  const config = await isolatedConfig(yaml);
  process.env["RELIGHT_CONFIG"] = config.file;
  return {
    told: () => channel.received.map(({ body }) => JSON.parse(body)),
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await config[Symbol.asyncDispose]();
    },
  };
}

const DONE = { batchItemFailures: [] };
const idsOf = (...events: Event[]) => ({
  batchItemFailures: events.flatMap(({ Records }) =>
    Records.map(({ messageId }: Event) => ({ itemIdentifier: messageId })),
  ),
});
const batch = (...events: Event[]) => ({ Records: events.flatMap(({ Records }) => Records) });

describe("escalate", () => {
  test("sends openings and resolutions once; a channel without its secret does not stop the others", async () => {
    await using it = await stack(204);
    const [opened, resolved] = [await eventOf("escalate.incident-opened"), await eventOf("escalate.incident-resolved")];
    expect(await run("escalate", opened)).toEqual(DONE);
    expect(await run("escalate", opened)).toEqual(DONE);
    expect(await run("escalate", resolved)).toEqual(DONE);
    expect(it.told()).toMatchObject([
      { type: "incident.opened", data: JSON.parse(opened.Records[0].body).detail },
      { type: "incident.resolved", data: JSON.parse(resolved.Records[0].body).detail },
    ]);
  });

  test("sends an alarm of the stack, and its end", async () => {
    await using it = await stack(204);
    expect(await run("escalate", await eventOf("escalate.alarm"))).toEqual(DONE);
    expect(await run("escalate", await eventOf("escalate.alarm-ok"))).toEqual(DONE);
    expect(it.told()).toMatchObject([
      { data: { status: "open", failureClass: "stack_alarm", since: "2030-01-01T00:20:00.123Z" } },
      { data: { status: "resolved", failureClass: "stack_alarm", since: "2030-01-01T00:20:00.123Z" } },
    ]);
    expect(it.told()[0].data).toMatchObject({
      summary: "No sweep has finished for 15 minutes: nobody watches over the accounts.",
      advice: expect.arrayContaining([expect.stringContaining("`relight run` sweeps by hand")]),
    });
  });

  test("sends a page of a newer version, as far as it is understood", async () => {
    await using it = await stack(204);
    const event = await eventOf("escalate.incident-opened");
    change(event, (inner) => Object.assign(inner.detail, { failureClass: "new_class", severity: "warning", more: 1 }));
    expect(await run("escalate", event)).toEqual(DONE);
    expect(it.told()).toMatchObject([{ data: { failureClass: "new_class", more: 1 } }]);
  });

  test("returns what no channel accepts, and sends it when it is redelivered", async () => {
    await using it = await stack(400, 204);
    const event = await eventOf("escalate.incident-opened");
    expect(await run("escalate", event)).toEqual(idsOf(event));
    expect(await run("escalate", event)).toEqual(DONE);
    expect(it.told()).toHaveLength(2);
  });

  test.each<[string, (event: Event) => void]>([
    ["no JSON", (event) => Object.assign(event.Records[0], { body: "hello" })],
    ["the end of a job", (event) => change(event, (it) => Object.assign(it, { "detail-type": "Job Finished" }))],
    [
      "an opening that says it is resolved",
      (event) => change(event, (it) => Object.assign(it.detail, { status: "resolved" })),
    ],
    ["of no source that is known", (event) => change(event, (it) => Object.assign(it, { source: "somebody" }))],
    ["without a key", (event) => change(event, (it) => delete it.detail.key)],
  ])("returns what is %s, for the dead-letter queue, and sends the rest", async (_what, spoil) => {
    await using it = await stack(204);
    const [spoilt, alarm] = [await eventOf("escalate.incident-opened"), await eventOf("escalate.alarm")];
    spoil(spoilt);
    expect(await run("escalate", batch(spoilt, alarm))).toEqual(idsOf(spoilt));
    expect(it.told()).toMatchObject([{ data: { failureClass: "stack_alarm" } }]);
  });

  test("without a configuration returns everything for redelivery", async () => {
    process.env["RELIGHT_CONFIG"] = "/nowhere/relight.yaml";
    const event = await eventOf("escalate.alarm");
    expect(await run("escalate", event)).toEqual(idsOf(event));
  });
});

function change(event: Event, spoil: (inner: Event) => void): void {
  const inner = JSON.parse(event.Records[0].body);
  spoil(inner);
  event.Records[0].body = JSON.stringify(inner);
}
