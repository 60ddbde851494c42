import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { nowSeconds, seedOf } from "../../lab/keys.ts";
import { createLeafPair } from "../../lab/leaf.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import { explain, LOG_KINDS } from "../../lib/domain/advice/log-lines/explain.ts";
import { logCorpus } from "../support/corpus.ts";
import { relight, relightReads } from "../support/relight.ts";

/** Compares explain with what servers write. */

test.each(VERSIONS)("the table names the versions whose binaries have its texts: %s", async (version) => {
  const binary = await readFile((await serverBinary(version)).path);
  const held = LOG_KINDS.filter(({ texts }) => texts.some((text) => binary.includes(text)));
  const named = LOG_KINDS.filter(({ versions }) => versions.includes(version));
  expect(named.map(({ id }) => id)).toEqual(held.map(({ id }) => id));
});

test.each(["2.9.25", "2.10.27", "2.15.2"])("the corpus has texts that are in the program: %s", async (version) => {
  const binary = await readFile((await serverBinary(version)).path);
  const cited = logCorpus().filter(({ source }) => source.startsWith(`${version} `));
  expect(cited.length).toBeGreaterThan(20);
  const own = cited.flatMap(({ parts }) => parts.filter((part, index) => index % 2 === 0 && part !== ""));
  expect(own.filter((text) => !binary.includes(text))).toEqual([]);
});

describe.each(["2.10.27", "2.15.2"])("nats-server %s", (version) => {
  let binary = "";
  beforeAll(async () => {
    binary = (await serverBinary(version)).path;
  });

  test("a healthy hub and leaf in two domains, at debug level: only harmless lines", async () => {
    await using pair = await createLeafPair({ binary });
    const bothLogs = async (): Promise<string> => (await pair.hub.log()) + (await pair.leaf.log());
    await waitFor("the clamping", async () => ((await bothLogs()).match(/Not permitted to/g) ?? []).length >= 3);
    const lines = (await bothLogs()).split("\n");
    const { worry, explained } = explain(lines);
    expect(worry).toBe("none");
    const clamped = explained.find(({ kind }) => kind.id === "leaf.clamped");
    expect(clamped?.count).toBe(lines.filter((line) => line.includes("Not permitted to")).length);
    const run = await relight({ home: pair.leaf.folder }, "explain", "--json", join(pair.leaf.folder, "server.log"));
    expect(run).toMatchObject({ exit: 0, json: { worry: "none" } });
  });

  test("an account that expires: which one, and that it must be renewed", async () => {
    await using world = await createWorld({ binary });
    await appendFile(join(world.server.folder, "server.conf"), "\ndebug: true\n");
    process.kill(world.server.pid() ?? 0, "SIGHUP");
    await waitFor("the log at debug level", async () => (await world.server.log()).includes("Reloaded: debug = true"));
    // Signed in before the claims get an end: a busy machine may take longer to sign in than they last.
    const connection = await world.connectAs("app");
    await world.push(world.sign(world.claims({ exp: nowSeconds() + 3 })));
    await connection.closed();
    const refused = await world.connectAs("app").then(() => undefined, String);
    expect(refused).toMatch(/Authorization/i);
    const meant = ["account.expired_clients_closed", "connection.expired", "account.expired", "auth.refused"];
    const found = async () => explain((await world.server.log()).split("\n")).explained.map(({ kind }) => kind.id);
    await retry("all of it to be logged", async () => expect(await found()).toEqual(expect.arrayContaining(meant)));
    const run = await relight({ home: world.home }, "explain", join(world.server.folder, "server.log"));
    expect(run).toMatchObject({ exit: 2, stdout: expect.stringContaining("Renew the account") });
  });

  test("a seed in a server's log is not repeated", async () => {
    const seed = seedOf(createUser());
    await using pair = await createLeafPair({ binary, remote: `credentials: "${seed}"` });
    await waitFor("the server to log it", async () => (await pair.leaf.log()).includes(`file "${seed}"`));
    for (const form of [[], ["--json"]]) {
      const run = await relight({ home: pair.leaf.folder }, "explain", "server.log", ...form);
      expect(run).toMatchObject({ exit: 2, stdout: expect.stringContaining("leaf.seed_or_file_missing") });
      expect(run.stdout).not.toContain(seed);
    }
  });
});

describe("the command", () => {
  test("reads standard input", async () => {
    const input = "JetStream cluster no metadata leader\nsomething else 1\nsomething else 2\n";
    const { exit, stdout } = await relightReads(input, "explain");
    expect(exit).toBe(2);
    expect(stdout).toMatch(
      /^act: the JetStream cluster has no leader, 1×[\s\S]*3 lines: 1 explained, 2 not\n {2}2× something else 1\n$/,
    );
  });

  test("reads folders, patterns and packed logs together", async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-logs-"));
    await writeFile(join(folder, "server.log"), "[1] [INF] JetStream cluster no metadata leader\n");
    await writeFile(
      join(folder, "server.log.2026.11.01.gz"),
      gzipSync("[1] [INF] JetStream cluster no metadata leader\n"),
    );
    await writeFile(join(folder, "notes.txt"), "nothing\n");
    for (const what of [folder, join(folder, "*.log*")]) {
      const run = await relight({ home: folder }, "explain", "--json", what);
      expect(run).toMatchObject({
        exit: 2,
        json: { lines: 2, explained: [{ id: "jetstream.no_meta_leader", count: 2 }] },
      });
    }
    expect(await relight({ home: folder }, "explain", join(folder, "*.none"))).toMatchObject({ exit: 3 });
    await rm(folder, { recursive: true });
  });

  test("reports an unreadable file", async () => {
    const run = await relight({ home: import.meta.dirname }, "explain", "/none.log");
    expect(run).toMatchObject({ exit: 3, stderr: expect.stringContaining("the log /none.log does not exist") });
  });
});
