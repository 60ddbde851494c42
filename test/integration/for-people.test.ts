import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { program } from "../../cli/relight.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { COMMAND, environment, relight } from "../support/relight.ts";
import { atTerminal, describeWithTerminal } from "../support/terminal.ts";

/** What people at a terminal of 80 columns and monitoring plugins get, from a healthy account to a dead and a healed one. */

const { path: binary } = await serverBinary("2.10.27");
const world = await createWorld({ binary });
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
beforeAll(() => fill(world));

const LINE = /^RELIGHT (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| [a-z_]+=-?\d+( [a-z_]+=-?\d+)*)?\n$/;
const plugin = async (...args: string[]) => {
  const { exit, stdout } = await relight(world, ...args, "--nagios");
  expect(stdout).toMatch(LINE);
  return { exit, stdout };
};

const COMMANDS = [
  "status",
  "plan",
  "plan --until 90d",
  "verify APP",
  "doctor",
  "expiries",
  "diff",
  "journal",
  "explain account_expired",
];
const wide = (shown: string): string[] => shown.split("\n").filter((line) => [...line].length > 80);
const shownBy = async (command: string): Promise<string> => {
  const { shown } = await atTerminal(`${process.execPath} ${COMMAND} ${command}`, {
    cwd: world.home,
    env: environment(),
  });
  expect(shown).not.toBe("");
  return shown;
};

describe("a healthy account", () => {
  test("is OK for monitoring plugins, with performance data", async () => {
    expect(await plugin("status")).toEqual({
      exit: 0,
      stdout: "RELIGHT OK - 2 accounts: 2 healthy | accounts=2 healthy=2 degraded=0 dead=0 unknown=0\n",
    });
    expect(await plugin("verify", "APP")).toEqual({
      exit: 0,
      stdout: "RELIGHT OK - APP is healthy: 2 streams, 2 consumers | streams=2 consumers=2 findings=0 warnings=0\n",
    });
    expect((await plugin("doctor")).stdout).toMatch(/the cluster is \w+.* \| layers=6 unhealthy_layers=\d+/);
  });

  test("errors are one line, too", async () => {
    await writeFile(join(world.home, "broken.yaml"), "cluster: { severs: [a] }\n");
    expect(await plugin("-c", "broken.yaml", "status")).toMatchObject({ exit: 3 });
    expect(await plugin("verify", "NOBODY")).toMatchObject({ exit: 3 });
    expect(await plugin("verify")).toMatchObject({ exit: 3 });
  });
});

describeWithTerminal("at a terminal of 80 columns", () => {
  const helps = [
    "--help",
    ...program.commands
      .flatMap((command) => [command.name(), ...command.commands.map((one) => `${command.name()} ${one.name()}`)])
      .map((path) => `${path} --help`),
  ];
  test.each(helps)("%s fits", async (command) => {
    expect(wide(await shownBy(command))).toEqual([]);
  });

  test.each(COMMANDS)("%s fits while the account is healthy", async (command) => {
    expect(wide(await shownBy(command))).toEqual([]);
  });
});

describe("a dead account", () => {
  beforeAll(async () => {
    await expire(world);
    await renewByHand(world);
  });

  test("is CRITICAL, and the line says why", async () => {
    const { exit, stdout } = await plugin("status");
    expect({ exit, stdout }).toMatchObject({
      exit: 2,
      stdout: expect.stringMatching(/1 dead; APP: .* next_expiry=\d+/),
    });
    expect(await plugin("verify", "APP")).toMatchObject({ exit: 2 });
    expect(await plugin("doctor")).toMatchObject({ exit: 2 });
  });
});

describeWithTerminal("the dead account at a terminal of 80 columns", () => {
  test.each(COMMANDS)("%s fits", async (command) => {
    expect(wide(await shownBy(command))).toEqual([]);
  });

  test("heal fits, and says how long each rung took", async () => {
    const shown = await shownBy("heal APP");
    expect(wide(shown)).toEqual([]);
    expect(shown).toMatch(/toggle-jetstream: helped after \d+/);
    expect(shown).toContain("APP: healed");
  });
});
