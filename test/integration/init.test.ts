import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "@jest/globals";
import { push } from "../../lab/pushes.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { addNscOperator } from "../support/nsc-store.ts";
import { COMMAND, environment, relight } from "../support/relight.ts";
import { atTerminal, describeWithTerminal } from "../support/terminal.ts";

/** `relight init` from an nsc store to the first status, on a real server. */

const { path: binary } = await serverBinary("2.10.27");
const world = await createWorld({ binary });
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
const [, url = ""] = /"(nats:\/\/[^"]+)"/.exec(readFileSync(join(world.home, "relight.yaml"), "utf8")) ?? [];
const home = join(world.home, "user");
mkdirSync(home);
const data = join(home, "data", "nats", "nsc");
process.env["XDG_DATA_HOME"] = join(home, "data");
process.env["XDG_CONFIG_HOME"] = join(home, "config");

const { operator, operatorSigningKey, systemAccount, account, accountSigningKey } = world;
const keys = { operator, operatorSigningKey, systemAccount, account, accountSigningKey };
const lab = addNscOperator(data, { keys, serviceUrls: [url] });
/** The cluster has what nsc's store has, as after `nsc push -A`. */
for (const [name, accountId] of [
  ["SYS", systemAccount.getPublicKey()],
  ["APP", world.accountId],
] as const)
  await push({ ...world, accountId }, readFileSync(join(lab.folder, "accounts", name, `${name}.jwt`), "utf8"));
afterEach(() => {
  for (const file of readdirSync(home).filter((name) => !["data", "config"].includes(name)))
    rmSync(join(home, file), { recursive: true });
});
const run = (...args: string[]) => relight({ home }, ...args);
const config = join(home, "relight.yaml");

describe("relight init", () => {
  test("goes from an nsc store to a green status, with what only its owner can read", async () => {
    const { exit, stdout, stderr } = await run("init");
    expect({ exit, stderr }).toMatchObject({ exit: 0 });
    expect(stdout).toContain("2 accounts: 2 healthy");
    expect(stderr).toContain(`wrote`);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    const text = readFileSync(config, "utf8");
    expect(text).toContain(`${world.operatorSigningKey.getPublicKey()}.nk`);
    expect(text + stdout + stderr).not.toMatch(/S[OAU][A-Z2-7]{56}|eyJ/);
    const status = await run("status", "--json");
    expect(status.exit).toBe(0);
    expect(status.json.mode.mode).toBe("heal");
  });

  test("prints one document for programs", async () => {
    const { exit, json } = await run("init", "--json");
    expect(exit).toBe(0);
    expect(json).toMatchObject({ written: config, accounts: [{}, {}], setupWarnings: [] });
  });

  test("never replaces a configuration without --force", async () => {
    await run("init", "--read-only");
    const before = readFileSync(config, "utf8");
    const { exit, json } = await run("init", "--json");
    expect({ exit, code: json.error.code }).toEqual({ exit: 3, code: "config.exists" });
    expect(readFileSync(config, "utf8")).toBe(before);
    expect(before).toContain("readOnly: true");
    expect((await run("init", "--force")).exit).toBe(0);
    expect(readFileSync(config, "utf8")).not.toContain("readOnly");
  });

  test("writes the file although no server answers, and says how to check again", async () => {
    const { exit, stderr } = await run("init", "--servers", "nats://127.0.0.1:9");
    expect(exit).toBe(3);
    expect(stderr).toMatch(/nats.unreachable[\s\S]*relight status/);
    expect(readFileSync(config, "utf8")).toContain("nats://127.0.0.1:9");
    const { json } = await run("init", "--force", "--servers", "nats://127.0.0.1:9", "--json");
    expect(json).toMatchObject({ written: config, error: { code: "nats.unreachable" } });
  });

  test("says whose the servers are if they belong to another operator", async () => {
    const other = addNscOperator(join(home, "other"), { name: "OTHER" });
    const own = lab.credentials("sys");
    const { exit, json } = await run(
      "init",
      "--nsc",
      other.folder,
      "--servers",
      url,
      "--system-credentials",
      own,
      "--json",
    );
    expect({ exit, error: json.error }).toMatchObject({
      exit: 2,
      error: { code: "operator.invalid", message: expect.stringContaining("belongs to the operator LAB") },
    });
    const refused = await run("init", "--force", "--nsc", other.folder, "--servers", url);
    expect(refused).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/nats.unauthorized[\s\S]*another operator/),
    });
  });

  test.each<[string, string[], RegExp]>([
    ["no nsc store", ["--nsc", "none"], /no operator was found[\s\S]*--nsc FOLDER[\s\S]*--operator-jwt FILE/],
    ["no such operator", ["--operator", "NONE"], /no single operator is NONE: LAB/],
  ])("without %s writes nothing and says what to name", async (_what, args, text) => {
    const { exit, stderr } = await run("init", ...args);
    expect({ exit, stderr }).toMatchObject({ exit: 3, stderr: expect.stringMatching(text) });
    expect(readdirSync(home)).not.toContain("relight.yaml");
  });

  test("without a system user writes nothing and says how to get one", async () => {
    const { folder } = addNscOperator(join(home, "without"), { name: "WITHOUT", users: [] });
    const { exit, stderr } = await run("init", "--nsc", folder, "--yes");
    expect({ exit, stderr }).toMatchObject({ exit: 3, stderr: expect.stringContaining("nsc generate creds") });
    expect(existsSync(config)).toBe(false);
  });

  test("without a key is read-only, and the status still works", async () => {
    addNscOperator(join(home, "keyless", "nats", "nsc"), { keys, serviceUrls: [url], seeds: [] });
    process.env["XDG_DATA_HOME"] = join(home, "keyless");
    const { json, stderr } = await run("init", "--json");
    process.env["XDG_DATA_HOME"] = join(home, "data");
    expect({ json, stderr }).toMatchObject({
      json: { mode: { mode: "look", because: "the configuration says readOnly: true" }, accounts: [{}, {}] },
    });
  });
});

describeWithTerminal("relight init at a terminal", () => {
  const init = (typed: { after: string | RegExp; keys: string }[]) =>
    atTerminal(`${process.execPath} ${COMMAND} init`, { typed, cwd: home, env: environment() });

  test("asks which operator, shows what it will write, and writes it after a yes", async () => {
    const second = addNscOperator(data, { name: "SECOND" });
    try {
      const { exit, shown } = await init([
        { after: "Number:", keys: "1\n" },
        { after: "[Y/n]", keys: "\n" },
      ]);
      expect({ exit, shown }).toMatchObject({ exit: 0, shown: expect.stringContaining("2) SECOND") });
      expect(shown).toContain("2 accounts: 2 healthy");
    } finally {
      rmSync(second.folder, { recursive: true });
    }
  });

  test("asks again for a file that is not there, and for one that is no operator's JWT", async () => {
    process.env["XDG_DATA_HOME"] = join(home, "nothing");
    try {
      writeFileSync(join(home, "notes.txt"), "no JWT");
      const { exit, shown } = await init([
        { after: "operator's JWT:", keys: "wrong.jwt\n" },
        { after: /does not exist[\s\S]*operator's JWT: $/, keys: "notes.txt\n" },
        { after: /notes\.txt[\s\S]*JWT[\s\S]*operator's JWT: $/, keys: `${join(lab.folder, "LAB.jwt")}\n` },
        { after: "credentials file of such a user:", keys: "none.creds\n" },
        { after: /none\.creds does not exist[\s\S]*such a user: $/, keys: `${join(world.home, "sys.creds")}\n` },
        { after: "[Y/n]", keys: "\n" },
      ]);
      expect({ exit, shown }).toMatchObject({ exit: 0, shown: expect.stringContaining("wrote") });
    } finally {
      process.env["XDG_DATA_HOME"] = join(home, "data");
    }
  });

  test.each([
    ["a no", "n\n", 0],
    ["Ctrl-C", "\u0003", 3],
  ])("writes nothing after %s", async (_what, keys, exit) => {
    const session = await init([{ after: "[Y/n]", keys }]);
    expect(session).toMatchObject({ exit, shown: expect.stringContaining("nothing was written") });
    expect(readdirSync(home).sort()).toEqual(["data"]);
  });
});
