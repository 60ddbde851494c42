import { writeFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { receiver } from "../support/escalation-contract.ts";
import { relight } from "../support/relight.ts";

/** Escalation services, with the built command. */

const { path: binary } = await serverBinary("2.10.27");

// This file has its own environment.
process.env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1";
process.env["AWS_ACCESS_KEY_ID"] = "test";
process.env["AWS_SECRET_ACCESS_KEY"] = "test";

test("PagerDuty and Slack get a readable page, although SNS is unreachable", async () => {
  await using pagerDuty = await receiver(202);
  await using slack = await receiver(200);
  const yaml = [
    "escalation:",
    '  - sns: { topic: "arn:aws:sns:eu-west-1:123456789012:pages" }',
    `  - pagerDuty: { routingKey: "file:pagerduty.key", url: "${pagerDuty.url}" }`,
    '  - slack: { url: "file:slack.url" }',
    'links: { runbook: "https://wiki.example.com/{class}" }',
    "",
  ].join("\n");
  await using world = await createWorld({ binary, yaml });
  await writeFile(`${world.home}/pagerduty.key`, "KEY");
  await writeFile(`${world.home}/slack.url`, slack.url);
  await fill(world, { messages: 5, memory: true });
  await expire(world);
  await renewByHand(world, 90 * 86_400);

  const { json, stderr } = await relight(world, "heal", "APP", "--json", "--verbose");
  expect(json.outcome).toBe("refused");
  const event = JSON.parse(pagerDuty.received[0]?.body ?? "");
  expect(event).toMatchObject({
    routing_key: "KEY",
    event_action: "trigger",
    dedup_key: `relight/${world.operator.getPublicKey()}/${world.accountId}/jetstream_dead`,
    payload: { custom_details: { "What Relight tried": expect.stringMatching(/: refused \(.*stream CACHE/) } },
    links: [{ href: "https://wiki.example.com/jetstream_dead", text: "Runbook" }],
  });
  expect(event.payload.summary).toMatch(/^\[CRITICAL\] APP \(.*\): JetStream is dead: Publishers to .* get 503/);
  const blocks = JSON.parse(slack.received[0]?.body ?? "").blocks;
  expect(JSON.stringify(blocks)).toMatch(/What to do now\*.*Do not restart any server/);
  expect(stderr).toMatch(/SNS arn:aws:sns:.*ECONNREFUSED/);
  expect(stderr).not.toContain("QUERY-SECRET");
});
