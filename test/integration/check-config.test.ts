import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser } from "@nats-io/nkeys";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { operatorClaims } from "../../lab/claims.ts";
import { newCredentials, seedOf, signClaims } from "../../lab/keys.ts";
import { createLeafPair } from "../../lab/leaf.ts";
import { freePorts, startServer } from "../../lab/nats-server.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import type { ConfigFindingCode } from "../../lib/domain/advice/server-config/leaf-config-findings.ts";
import { CORPUS, corpusFiles } from "../support/corpus.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { BROKEN, VALID } from "../support/nats-configs.ts";
import { relight, relightReads } from "../support/relight.ts";

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
  [
    "remote.not_a_list",
    "leafnodes { remotes: { url: nats://127.0.0.1:7422 } }",
    "Expected remotes field to be an array",
  ],
  ["url.unescaped", 'leafnodes { remotes: [ { url: "nats://u:a#b@127.0.0.1:7422" } ] }', "error parsing leafnode url"],
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

test.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))(
  "the corpus says what nats-server -t says: %s",
  async (version) => {
    const { path } = await serverBinary(version);
    const files = corpusFiles("configs");
    const said = files.map(({ name }) => {
      const { status } = spawnSync(path, ["-t", "-c", join(CORPUS, "configs", name)], {
        encoding: "utf8",
        cwd: folder,
      });
      return `${name} ${status === 0 ? "accepts" : "refuses"}`;
    });
    expect(said).toEqual(files.map(({ name, answer }) => `${name} ${answer[0]}`));
  },
);

describe.each(["2.10.27", "2.15.2"])("nats-server %s", (version) => {
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

  test("a hub refuses a leafnode with its own cluster's name", async () => {
    const [leafPort = 0] = await freePorts(1);
    const cluster = "cluster { name: c, port: -1 }";
    await using hub = await startServer({
      binary,
      config: () => `server_name: hub\n${cluster}\nleafnodes { listen: "127.0.0.1:${leafPort}" }`,
    });
    await using leaf = await startServer({
      binary,
      config: () => `${cluster}\nleafnodes { remotes: [ { url: "nats-leaf://127.0.0.1:${leafPort}" } ] }`,
    });
    const refused = async (): Promise<boolean> =>
      (await leaf.log()).includes("Leafnode connection dropped with same cluster name error");
    await waitFor("the leaf to say so", refused);
    const files = [hub, leaf].map((server) => join(server.folder, "server.conf"));
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", ...files);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: ["cluster.name_shared"] });
  });

  test("two leaves with one domain: the hub gets the answer of either", async () => {
    await using pair = await createLeafPair({ binary });
    const url = /url: "([^"]+)"/.exec(await readFile(join(pair.leaf.folder, "server.conf"), "utf8"))?.[1];
    await using twin = await startServer({
      binary,
      config: (home) =>
        `server_name: twin\njetstream { store_dir: "${home}/js", domain: leaf }\nleafnodes { remotes: [ { url: "${url}" } ] }`,
    });
    await waitFor("both to be bound", async () => (await pair.accounts("hub")).length === 2);
    const leaf = await connect({ servers: pair.leaf.url });
    await leaf.request("$JS.API.STREAM.CREATE.HERE", JSON.stringify({ name: "HERE", subjects: ["here"] }));
    const hub = await connect({ servers: pair.hub.url });
    const ask = async (): Promise<string> => {
      const reply = await hub.request("$JS.leaf.API.STREAM.INFO.HERE", "", { timeout: 2_000 });
      return reply.json<{ error?: unknown }>().error === undefined ? "found" : "not found";
    };
    const answers = new Set<string>();
    await waitFor("both answers", async () => answers.add(await ask()).size === 2, { timeout: 20_000 });
    await Promise.all([hub.close(), leaf.close()]);
    const files = [pair.hub, pair.leaf, twin].map((server) => join(server.folder, "server.conf"));
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", ...files);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 2, codes: ["domain.shared_by_leaves"] });
  });

  test("two remotes to two servers of one cluster are refused as a loop, or bring every message twice", async () => {
    const [leafOne = 0, leafTwo = 0, routeOne = 0, routeTwo = 0] = await freePorts(4);
    const hub = (name: string, leafPort: number, own: number, other: number): string =>
      `server_name: ${name}\ncluster { name: hub, listen: "127.0.0.1:${own}", routes: [ "nats://127.0.0.1:${other}" ] }
leafnodes { listen: "127.0.0.1:${leafPort}" }`;
    await using one = await startServer({ binary, config: () => hub("one", leafOne, routeOne, routeTwo) });
    await using two = await startServer({ binary, config: () => hub("two", leafTwo, routeTwo, routeOne) });
    const remotes = [leafOne, leafTwo].map((port) => `{ url: "nats-leaf://127.0.0.1:${port}" }`);
    await using leaf = await startServer({ binary, config: () => `leafnodes { remotes: [ ${remotes.join(", ")} ] }` });
    const connected = async (): Promise<number> =>
      ((await leaf.log()).match(/Leafnode connection created for account/g) ?? []).length;
    await waitFor("both connections", async () => (await connected()) === 2);
    await using clients = new AsyncDisposableStack();
    const open = async (url: string): Promise<NatsConnection> => {
      const connection = await connect({ servers: url });
      clients.defer(() => connection.close());
      return connection;
    };
    const got: string[] = [];
    for (const url of [one.url, two.url]) {
      const client = await open(url);
      client.subscribe("news", { callback: (_error, message) => void (url === one.url && got.push(message.string())) });
      await client.flush();
    }
    const here = await open(leaf.url);
    let sent = 0;
    // It depends on what the servers know of each other when the leaf connects.
    await waitFor("a loop, or a message to come twice", async () => {
      here.publish("news", String(++sent));
      await here.flush();
      return new Set(got).size < got.length || (await leaf.log()).includes("Loop detected for leafnode account");
    });
    const files = [one, two, leaf].map((server) => join(server.folder, "server.conf"));
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", ...files);
    expect({ exit, codes: codesOf(json) }).toEqual({ exit: 1, codes: ["remote.same_cluster_twice"] });
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
      /leaf\.conf:2:5: warning: nats:\/\/hub:4222 has the usual port for clients.* url\.port\n {2}means: {2}.*\n {2}likely: .*\n {2}fix: {4}/,
    );
    expect(stdout).not.toContain("hunter2");
  });

  const HUB = "http: 8222\nserver_name: $NAME\nleafnodes { listen: 0.0.0.0:7422 }\njetstream { domain: one }\n";
  const LEAF = `jetstream { domain: one }\nleafnodes { remotes: [ { url: "nats-leaf://hub-0.example.com:7422" } ] }\n`;

  test("reads folders and patterns: what others include and other programs' files are no servers", async () => {
    await mkdir(join(folder, "conf", "sub"), { recursive: true });
    await write("conf/hub.conf", HUB);
    await write("conf/sub/leaf.conf", `include ../remote.conf\njetstream { domain: one }\n`);
    await write("conf/remote.conf", `leafnodes { remotes: [ { url: "nats-leaf://hub-0.example.com:7422" } ] }\n`);
    await write("conf/nginx.conf", "server { listen 80; location / { return 200; } }\n");
    for (const what of ["conf", "conf/**/*.conf"]) {
      const run = await relight({ home: folder }, "check-config", "--json", "--env", "NAME=hub-0", what);
      expect({ ...run.json, exit: run.exit }).toMatchObject({
        files: ["conf/hub.conf", "conf/sub/leaf.conf"],
        findings: [{ code: "domain.shared", severity: "error", file: "conf/sub/leaf.conf", line: 2, column: 13 }],
        unchecked: [],
        exit: 2,
      });
    }
    const empty = await relight({ home: folder }, "check-config", "conf/nginx.conf", "conf/*.none");
    expect(empty).toMatchObject({ exit: 3 });
  });

  test("reads ConfigMaps in what helm template prints, from standard input, and names lines of that", async () => {
    const indent = (text: string, by: number): string => text.replace(/^(?=.)/gm, " ".repeat(by));
    const yaml = [
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hub}\ndata:\n  nats.conf: |\n${indent(HUB.replace("$NAME", "hub-0"), 4)}`,
      `apiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n  data:\n    note: "hello"\n    leaf.conf: |-\n${indent("include remote.conf\njetstream { domain: one }\n", 6)}    remote.conf: |\n${indent(LEAF.split("\n")[1] ?? "", 6)}\n`,
      "apiVersion: v1\nkind: Service\n",
    ].join("---\n");
    const run = await relightReads(yaml, "check-config", "--json", "-");
    expect({ ...JSON.parse(run.stdout), exit: run.exit }).toMatchObject({
      files: ["-"],
      findings: [{ code: "domain.shared", file: "-", line: 19, column: 19 }],
      unchecked: [],
      exit: 2,
    });
    const list = {
      apiVersion: "v1",
      kind: "List",
      items: [{ kind: "ConfigMap", data: { "n.conf": `${HUB}\nport: "x` } }],
    };
    const json = await relightReads(JSON.stringify(list, null, 2), "check-config", "--json", "-");
    expect(JSON.parse(json.stdout)).toMatchObject({ unchecked: [{ line: 8, column: 19 }] });
    const file = await write("none.yaml", "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n");
    expect(await relight({ home: folder }, "check-config", file)).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining("there is no nats-server configuration in"),
    });
  });

  test("a variable that is nowhere unchecks its value; --env gives it", async () => {
    const file = await write("variable.conf", "server_name: $RELIGHT_NO_SUCH\nport: 4222\n");
    const { exit, json } = await relight({ home: folder }, "check-config", "--json", file);
    expect({ exit, unchecked: json.unchecked }).toMatchObject({ exit: 3, unchecked: [{ file, line: 1 }] });
    const given = ["check-config", "--env", "RELIGHT_NO_SUCH=n1", file];
    expect(await relight({ home: folder }, ...given)).toMatchObject({ exit: 0 });
    expect(await relight({ home: folder }, "check-config", "--env", "oops", file)).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining("--env takes NAME=VALUE"),
    });
  });

  test("--offline does not look for credentials files", async () => {
    const file = await write(
      "off.conf",
      'leafnodes { remotes: [ { url: nats-leaf://h, credentials: "/none.creds" } ] }\n',
    );
    expect(await relight({ home: folder }, "check-config", file)).toMatchObject({ exit: 2 });
    expect(await relight({ home: folder }, "check-config", "--offline", file)).toMatchObject({ exit: 0 });
  });

  test("--sarif prints what code scanning reads", async () => {
    await write(
      "scan.conf",
      "server_name: $RELIGHT_NO_SUCH\nleafnodes { remotes: [ { url: nats-leaf://hub:4222 } ] }\n",
    );
    const { exit, stdout } = await relight({ home: folder }, "check-config", "--sarif", "scan.conf");
    expect({ exit, ...JSON.parse(stdout) }).toMatchObject({
      exit: 3,
      version: "2.1.0",
      runs: [
        {
          tool: { driver: { name: "relight check-config" } },
          results: [
            {
              ruleId: "url.port",
              level: "warning",
              locations: [
                {
                  physicalLocation: {
                    artifactLocation: { uri: "scan.conf" },
                    region: { startLine: 2, startColumn: 26 },
                  },
                },
              ],
            },
          ],
          invocations: [{ executionSuccessful: false, toolExecutionNotifications: [{ level: "error" }] }],
        },
      ],
    });
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
