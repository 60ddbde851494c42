import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { operatorClaims } from "../../lab/claims.ts";
import { newCredentials, seedOf, signClaims } from "../../lab/keys.ts";
import { createLeafPair } from "../../lab/leaf.ts";
import { startServer } from "../../lab/nats-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import type { ConfigFindingCode } from "../../lib/domain/advice/server-config/leaf-config-findings.ts";
import { BROKEN, VALID } from "../support/nats-configs.ts";
import { relight } from "../support/relight.ts";

/** Compares check-config with what servers do. */

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-check-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const operator = createOperator();
const OPERATOR_MODE = `operator: ${signClaims(
  operatorClaims({ operator, operatorSigningKey: createOperator(), systemAccount: createAccount() }, false),
  operator,
)}\nresolver: MEMORY`;
const remoteWith = (entries: string): string => `leafnodes { remotes: [ { url: nats://127.0.0.1:7422, ${entries} } ] }`;
const SEED = seedOf(createUser());

/** Findings that say "the server refuses to start", with the server's message. */
const REFUSED: readonly (readonly [code: ConfigFindingCode, config: string, said: string])[] = [
  ["remote.creds_as_nkey", remoteWith('nkey: "/etc/leaf.creds"'), "nkey is not a valid seed"],
  ["remote.nkey_invalid", remoteWith(`nkey: ${seedOf(createAccount())}`), "nkey is not a valid seed"],
  [
    "remote.credentials_and_nkey",
    remoteWith(`nkey: ${SEED}, credentials: a.creds`),
    "can not have both creds and nkey",
  ],
  ["remote.account_required", `${OPERATOR_MODE}\n${remoteWith("")}`, "operator mode requires account nkeys in remotes"],
  [
    "remote.account_not_public_key",
    `${OPERATOR_MODE}\n${remoteWith("account: APP")}`,
    "operator mode requires account nkeys",
  ],
  [
    "url.mixed_websocket",
    "leafnodes { remotes: [ { urls: [nats://a:1, ws://b:2 ] } ] }",
    "mix of websocket and non-websocket",
  ],
  ["url.malformed", 'leafnodes { remotes: [ { url: "127.0.0.1:7422" } ] }', "error parsing leafnode url"],
  ["listener.account_unknown", "leafnodes { port: -1, authorization { account: APP } }", "cannot find local account"],
  [
    "listener.account_not_public_key",
    `${OPERATOR_MODE}\nleafnodes { port: -1, authorization { account: APP } }`,
    "non account nkeys are incompatible",
  ],
  [
    "listener.users_with_operator",
    `${OPERATOR_MODE}\nleafnodes { port: -1, authorization { users: [ {user: a, password: b} ] } }`,
    "does not allow specifying users",
  ],
];

describe.each(["2.10.27", "2.15.1"])("nats-server %s", (version) => {
  let binary = "";
  beforeAll(async () => {
    binary = (await serverBinary(version)).path;
  });

  /** `nats-server -t`, which also refuses unknown keys, such as the names of variables. */
  const verdictOf = async (text: string): Promise<{ exit: number | null; said: string }> => {
    const file = await write("server.conf", text);
    const { status, stdout, stderr } = spawnSync(binary, ["-t", "-c", file], {
      encoding: "utf8",
      cwd: folder,
    });
    return { exit: status, said: stdout + stderr };
  };

  test.each(VALID)("accepts what the parser accepts: %s", async (_situation, text) => {
    expect(await verdictOf(text)).toMatchObject({ exit: 0 });
  });

  test.each(BROKEN)("refuses what the parser refuses: %s", async (_situation, text, line) => {
    const { exit, said } = await verdictOf(text);
    expect(exit).toBe(1);
    const where = /on line (\d+)|\.conf:(\d+):\d+\)/.exec(said);
    expect(said).toMatch(/Parse error|config is invalid|variable reference|include file|out of the range/);
    // For something without an end the server names the end, and the parser the beginning.
    if (where !== null && !/EOF|got '\0'/.test(said))
      expect(Math.abs(Number(where[1] ?? where[2]) - line)).toBeLessThanOrEqual(1);
  });

  test("a remote without an account binds to $G, whatever the hub's account", async () => {
    const user = createUser();
    await using pair = await createLeafPair({
      binary,
      hub: `accounts { APP { users: [ { nkey: ${user.getPublicKey()} } ], jetstream: enabled } }`,
      leaf: "accounts { APP { users: [ { user: a, password: b } ], jetstream: enabled } }",
      remote: `nkey: ${seedOf(user)}`,
    });
    await waitFor("the leaf to be bound", async () => (await pair.accounts("hub")).length === 1);
    expect({ hub: await pair.accounts("hub"), leaf: await pair.accounts("leaf") }).toEqual({
      hub: ["APP"],
      leaf: ["$G"],
    });
    const { exit, json } = await relight(
      { home: folder },
      "check-config",
      "--json",
      join(pair.leaf.folder, "server.conf"),
    );
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 1, codes: ["remote.binds_to_global"] });
  });

  test.each([
    ["itself", (seed: string) => seed, /Error reading LeafNode Remote Credentials file "SEED"/],
    ["in a file", (seed: string) => write("seed", seed), /Credentials file "[^"]+" malformed/],
  ])("a seed %s as credentials never binds, and the log shows it", async (_how, give, said) => {
    const seed = seedOf(createUser());
    await using pair = await createLeafPair({ binary, remote: `credentials: "${await give(seed)}"` });
    // It has tried twice, so this does not change any more.
    await waitFor(
      "two attempts",
      async () => ((await pair.leaf.log()).match(/Leafnode connection closed/g) ?? []).length >= 2,
      { timeout: 20_000 },
    );
    expect((await pair.leaf.log()).replaceAll(seed, "SEED")).toMatch(said);
    expect(await pair.accounts("hub")).toEqual([]);
    const run = await relight({ home: folder }, "check-config", join(pair.leaf.folder, "server.conf"));
    expect(run).toMatchObject({ exit: 2, stdout: expect.stringContaining("remote.seed_as_credentials") });
    expect(run.stdout + run.stderr).not.toContain(seed);
  });

  test("credentials bind to another account on a hub without an operator", async () => {
    const credentials = await write("user.creds", newCredentials(createAccount(), "leaf"));
    await using pair = await createLeafPair({ binary, remote: `credentials: "${credentials}"` });
    await waitFor("the leaf to be bound", async () => (await pair.accounts("hub")).length === 1);
    expect(await pair.accounts("hub")).toEqual(["$G"]);
    const files = [pair.hub, pair.leaf].map((server) => join(server.folder, "server.conf"));
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", ...files);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: ["credentials.ignored_by_hub"] });
  });

  test.each([
    ["one for both", { hub: "one", leaf: "one" }, "$JS.one.API", ["domain.shared"], ["AT_HUB"]],
    ["one of its own each", { hub: "hub", leaf: "leaf" }, "$JS.leaf.API", [], ["AT_LEAF"]],
    ["none on the leaf", { hub: "hub", leaf: "" }, "$JS.leaf.API", ["domain.missing"], "nobody"],
  ])("domains, %s: whose streams the hub sees under the leaf's domain", async (_what, domains, api, codes, seen) => {
    await using pair = await createLeafPair({ binary, domains });
    await waitFor("the leaf to be bound", async () => (await pair.accounts("hub")).length === 1);
    await using clients = new AsyncDisposableStack();
    const open = async (url: string): Promise<NatsConnection> => {
      const connection = await connect({ servers: url });
      clients.defer(() => connection.close());
      return connection;
    };
    const [hub, leaf] = [await open(pair.hub.url), await open(pair.leaf.url)];
    await hub.request("$JS.API.STREAM.CREATE.AT_HUB", JSON.stringify({ name: "AT_HUB", subjects: ["at.hub"] }));
    await leaf.request("$JS.API.STREAM.CREATE.AT_LEAF", JSON.stringify({ name: "AT_LEAF", subjects: ["at.leaf"] }));
    const names = await hub.request(`${api}.STREAM.NAMES`, "", { timeout: 2_000 }).then(
      (reply) => reply.json<{ streams: string[] }>().streams,
      () => "nobody",
    );
    expect(names).toEqual(seen);
    const files = [pair.hub, pair.leaf].map((server) => join(server.folder, "server.conf"));
    expect(codesOf((await relight({ home: folder }, "check-config", "--json", ...files)).json)).toEqual(codes);
  });

  test("a leaf of a hub without listener authorization is bound to $G, or refused", async () => {
    const users = "accounts { APP { users: [ { user: a, password: b } ] } }";
    await using pair = await createLeafPair({ binary, hub: users });
    const bound = async (): Promise<boolean> => (await pair.accounts("hub")).length === 1;
    const refused = async (): Promise<boolean> => (await pair.leaf.log()).includes("Authorization Violation");
    await waitFor("an end", async () => (await bound()) || (await refused()));
    const ends = { bound: await pair.accounts("hub"), refused: await refused() };
    expect(ends).toEqual(version === "2.10.27" ? { bound: ["$G"], refused: false } : { bound: [], refused: true });
    const { json } = await relight({ home: folder }, "check-config", "--json", join(pair.hub.folder, "server.conf"));
    expect(codesOf(json)).toEqual(["listener.binds_to_global"]);
  });

  test("two leaves with one name replace each other", async () => {
    await using pair = await createLeafPair({ binary });
    const url = /url: "([^"]+)"/.exec(await readFile(join(pair.leaf.folder, "server.conf"), "utf8"))?.[1];
    const config = (): string => `server_name: leaf\nleafnodes { reconnect: 1s, remotes: [ { url: "${url}" } ] }`;
    await using twin = await startServer({ binary, config });
    const replaced = async (): Promise<number> =>
      ((await pair.hub.log()).match(/Replacing connection from same server/g) ?? []).length;
    await waitFor("the third time", async () => (await replaced()) >= 3, { timeout: 20_000 });
    const files = [pair.leaf, twin].map((server) => join(server.folder, "server.conf"));
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", ...files);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: ["server_name.duplicate"] });
  });

  test("a url with the client port never binds", async () => {
    await using hub = await startServer({ binary, config: () => "" });
    const remote = `leafnodes { reconnect: 1s, remotes: [ { url: "${hub.url.replace("nats:", "nats-leaf:")}" } ] }`;
    await using leaf = await startServer({ binary, config: () => remote });
    await waitFor("the leaf to say so", async () => (await leaf.log()).includes("attempted to connect to wrong port"));
  });

  test.each(REFUSED)("refuses to start: %s", async (code, config, said) => {
    const file = await write("refused.conf", `port: -1\n${config}\n`);
    const { status, stdout, stderr } = spawnSync(binary, ["-c", file], { encoding: "utf8", timeout: 10_000 });
    expect({ status, said: stdout + stderr }).toEqual({ status: 1, said: expect.stringContaining(said) });
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", file);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: [code] });
  });

  test("an undefined account stops the server, and -t does not notice", async () => {
    const text = 'leafnodes { remotes: [ { url: "nats://127.0.0.1:7422", account: X } ] }\n';
    expect(await verdictOf(text)).toMatchObject({ exit: 0 });
    const file = await write("server.conf", `port: -1\n${text}`);
    const { stdout, stderr } = spawnSync(binary, ["-c", file], { encoding: "utf8", timeout: 10_000 });
    expect(stdout + stderr).toContain('cannot find local account "X" specified in leafnode remote');
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", file);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: ["remote.account_unknown"] });
  });
});

// biome-ignore lint/suspicious/noExplicitAny: what the command printed
const codesOf = (json: any): string[] => json.findings.map(({ code }: { code: string }) => code);

describe("the command", () => {
  test("exits with 0 and says so if there is nothing to report", async () => {
    const file = await write("plain.conf", "port: 4222\n");
    expect(await relight({ home: folder }, "check-config", file)).toMatchObject({
      exit: 0,
      stdout: "1 file: 0 errors, 0 warnings\n",
      stderr: "",
    });
  });

  test("exits with 3 if it could not check, with file and line", async () => {
    const broken = await write("broken.conf", "port: 4222\ninclude inner.conf\n");
    await write("inner.conf", "\nserver_name: a b\n");
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", broken, join(folder, "none.conf"));
    expect(exit).toBe(3);
    expect(json.unchecked).toMatchObject([
      { file: join(folder, "inner.conf"), line: 2 },
      { file: join(folder, "none.conf"), line: 1, problem: "the file does not exist" },
    ]);
  });

  test("reports each mistake, its likely cause and the fix, with its place", async () => {
    const file = await write("leaf.conf", "leafnodes { remotes: [\n  { url: nats://me:hunter2@hub:4222 }\n] }\n");
    const { exit, stdout } = await relight({ home: folder }, "check-config", file);
    expect(exit).toBe(1);
    expect(stdout).toMatch(
      /leaf\.conf:2: warning: nats:\/\/hub:4222 has the usual port for clients.* url\.port\n {2}means: {2}.*\n {2}likely: .*\n {2}fix: {4}/,
    );
    expect(stdout).not.toContain("hunter2");
  });

  test("reads variables from the environment, and files relative to where it runs", async () => {
    await write("here.creds", newCredentials(createAccount(), "leaf"));
    const file = await write(
      "here.conf",
      'leafnodes { remotes: [ { url: nats-leaf://h, credentials: "here.creds" } ] }\n',
    );
    expect(await relight({ home: folder }, "check-config", file)).toMatchObject({ exit: 0 });
  });
});
