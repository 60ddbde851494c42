import { describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { seedOf } from "../lab/keys.ts";
import { loadConfig, parseConfig } from "../lib/config.ts";
import type { RelightError } from "../lib/errors.ts";

const MINIMAL =
  'cluster: { servers: ["nats://a:4222"], systemCredentials: file:sys.creds }\noperator: { jwt: file:op.jwt }\n';
const DAY = 86_400_000;

function faultsOf(text: string): readonly string[] {
  try {
    parseConfig(text, "relight.yaml");
  } catch (error) {
    return (error as RelightError).details["faults"] as string[];
  }
  return [];
}

describe("the configuration", () => {
  test("has defaults for all that is not asked of everybody", () => {
    expect(parseConfig(MINIMAL, "/etc/relight/relight.yaml")).toMatchObject({
      ...{
        baseDir: "/etc/relight",
        journal: "sqlite:relight.sqlite",
        queue: "in-process",
        accounts: [],
        escalation: [],
      },
      policy: { lifetime: 90 * DAY, renewBefore: 30 * DAY, allowMemoryLoss: false },
      cluster: { timeout: 5_000 },
    });
  });

  test("is overridden by what only the deployment knows", () => {
    const overrides = { RELIGHT_JOURNAL: "dynamodb:t", RELIGHT_QUEUE: "sqs:https://q/1.fifo" };
    expect(parseConfig(MINIMAL, "r.yaml", overrides)).toMatchObject({
      journal: "dynamodb:t",
      queue: "sqs:https://q/1.fifo",
    });
  });

  test.each<[string, string, RegExp]>([
    ["an empty file", "", /^cluster: is missing/],
    ["an unknown key", `${MINIMAL}nonsense: 1\n`, /^nonsense: is not a key/],
    ["an unknown inner key", `${MINIMAL}policy: { lifetme: 1d }\n`, /^policy\.lifetme: is not a key/],
    [
      "a length of time without a unit",
      `${MINIMAL}policy: { lifetime: "90" }\n`,
      /^policy\.lifetime: "90" is not a length of time/,
    ],
    [
      "a window longer than the life",
      `${MINIMAL}policy: { lifetime: 1d, renewBefore: 2d }\n`,
      /^policy\.renewBefore: must be shorter/,
    ],
    [
      "a name for an account's id",
      `${MINIMAL}accounts: [{ id: APP }]\n`,
      /^accounts\[0\]\.id: is not an account's public key/,
    ],
    [
      "an account twice",
      `${MINIMAL}accounts: [{ id: A${"B".repeat(55)} }, { id: A${"B".repeat(55)} }]\n`,
      /stands there twice/,
    ],
    [
      "another protocol",
      `${MINIMAL}escalation: [{ webhook: { url: "ftp://x" } }]\n`,
      /^escalation\[0\]\.webhook\.url: is not an http/,
    ],
    ["another database", `${MINIMAL}journal: postgres\n`, /^journal: write sqlite:PATH/],
    ["broken YAML", "a: [", /Flow sequence/],
  ])("%s is a fault with its place", (_what, text, fault) => {
    expect(faultsOf(text).join("\n")).toMatch(fault);
  });

  test("reports all faults together", () => {
    expect(faultsOf("cluster: { servers: [] }\npolicy: { lifetime: soon }\nfoo: 1\n")).toHaveLength(5);
  });

  test("refuses a secret where a reference belongs, and does not repeat it", () => {
    const seed = seedOf(createUser());
    const faults = faultsOf(MINIMAL.replace("file:sys.creds", seed)).join();
    expect(faults).toMatch(/never the secret itself/);
    expect(faults).not.toContain(seed);
  });

  test("that is not there is said to be so", async () => {
    await expect(loadConfig("/nowhere/relight.yaml")).rejects.toMatchObject({ code: "config.not_found" });
  });
});
