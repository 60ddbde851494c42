import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { FAILURE_CLASSES } from "../../lib/domain/incidents/classes.ts";
import { commandLine, commandOf } from "../../lib/domain/incidents/page-command.ts";
import { receiver } from "../support/escalation-contract.ts";
import { environment, type Run, relight } from "../support/relight.ts";

/** The commands on pages, typed into a shell as they are, in another folder, on a cluster whose JetStream is dead. */

const { path: binary } = await serverBinary("2.10.27");
/** Names that people choose. */
const NAME = "my app";
const FILE = "prod's relight.yaml";
let world: World;
let elsewhere: string;
let pager: Awaited<ReturnType<typeof receiver>>;

beforeAll(async () => {
  pager = await receiver(204);
  world = await createWorld({ binary });
  const text = (await readFile(`${world.home}/relight.yaml`, "utf8")).replace("name: APP", `name: ${NAME}`);
  await writeFile(`${world.home}/relight.yaml`, text);
  await writeFile(`${world.home}/${FILE}`, `${text}\nescalation:\n  - webhook: { url: "${pager.url}" }\n`);
  elsewhere = `${world.home}/elsewhere`;
  await mkdir(elsewhere);
  await symlink(join(import.meta.dirname, "..", "..", "bin", "relight.js"), `${elsewhere}/relight`);
  await fill(world, { messages: 5, memory: true });
  await expire(world);
  await renewByHand(world, 90 * 86_400);
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await pager?.[Symbol.asyncDispose]();
});

/** Types a command into a shell whose path has `relight`. */
function type(command: string): Promise<Omit<Run, "json">> {
  const PATH = [elsewhere, dirname(process.execPath), process.env["PATH"]].join(delimiter);
  return new Promise((resolve) => {
    execFile("sh", ["-c", command], { cwd: elsewhere, env: { ...environment(), PATH } }, (error, stdout, stderr) =>
      resolve({ exit: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

test("the command of a real page works as typed", async () => {
  expect((await relight(world, "--config", FILE, "heal", NAME)).exit).toBe(2);
  const { data } = JSON.parse(pager.received[0]?.body ?? "");
  expect(data).toMatchObject({ accountName: NAME, impact: expect.stringMatching(/ORDERS.* get 503 no responders/) });
  expect(data.command).toBe(`relight --config '${world.home}/prod'\\''s relight.yaml' heal 'my app'`);
  const { exit, stdout } = await type(data.command);
  expect(exit).toBe(2);
  expect(stdout).toMatch(/^my app: refused.*\n[\s\S]*a page was sent at /);
  // The same page is not sent again so soon.
  expect(pager.received).toHaveLength(1);
});

describe("the command of every class is accepted", () => {
  const commands = FAILURE_CLASSES.flatMap((failureClass) =>
    (["heal", "look"] as const).map((mode) => commandOf(failureClass, mode)),
  );
  const limits = ["jetstream", "limits", "ACCOUNT", "--storage", "900MiB", "--yes"];
  const all = [...new Map([...commands, limits].map((args) => [args.join(" "), args])).values()];

  test.each(all.map((args) => [args.join(" "), args] as const))("relight %s", async (_name, args) => {
    const run = await type(commandLine(args, NAME, `${world.home}/${FILE}`));
    expect(run.stderr).not.toMatch(/\[usage\]|\[account\.unknown\]|\[config\.|^error:/m);
    expect(run.stdout).not.toBe("");
  });
});

test("where no escalation is configured nobody claims that anybody was called", async () => {
  const { stdout, stderr, exit } = await relight(world, "heal", NAME);
  expect(exit).toBe(2);
  expect(stderr).toMatch(/^relight: warning: no escalation is configured: nobody will be called, whatever happens/);
  expect(stdout).toContain("nobody was called: no escalation is configured");
  expect(stdout).not.toMatch(/escalated|page was sent/);
  const run = await relight(world, "run", "--json");
  expect(run.stderr).toMatch(/^relight: warning: no escalation is configured/);
  const own = run.json.results.find(({ account }: { account: string }) => account === world.accountId);
  expect(own.page).toMatchObject({ delivery: "logged" });
  expect(JSON.stringify(run.json)).not.toContain("escalated");
  // Those that page nobody do not warn.
  expect((await relight(world, "status")).stderr).toBe("");
});
