import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createOperator, createUser } from "@nats-io/nkeys";
import { newCredentials, seedOf } from "../../lab/keys.ts";
import { fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** Bad input: each has a clear error that names what to fix, its own code and its exit code. */

let world: World;
beforeAll(async () => {
  world = await createWorld({ binary: (await serverBinary("2.10.27")).path, lives: 3_600 });
  await fill(world, { messages: 3 });
});
afterAll(async () => await world[Symbol.asyncDispose]());

const seeds = { operator: seedOf(createOperator()), user: seedOf(createUser()) };

/** The world's files with some of them replaced, for one test. */
async function withFiles<T>(files: Record<string, string>, work: () => Promise<T>): Promise<T> {
  const originals = new Map<string, string>();
  for (const [name, text] of Object.entries(files)) {
    originals.set(name, await readFile(`${world.home}/${name}`, "utf8"));
    await writeFile(`${world.home}/${name}`, text);
  }
  try {
    return await work();
  } finally {
    for (const [name, text] of originals) await writeFile(`${world.home}/${name}`, text);
  }
}

const yaml = (): Promise<string> => readFile(`${world.home}/relight.yaml`, "utf8");

test("files as tools write them work: CRLF credentials, and an operator's JWT between dashes", async () => {
  const read = (name: string): Promise<string> => readFile(`${world.home}/${name}`, "utf8");
  const files = {
    "sys.creds": (await read("sys.creds")).replaceAll("\n", "\r\n"),
    "operator.jwt": `-----BEGIN NATS OPERATOR JWT-----\n${(await read("operator.jwt")).trim()}\n------END NATS OPERATOR JWT------\n\n`,
  };
  expect(await withFiles(files, () => relight(world, "verify", "APP"))).toMatchObject({ exit: 0 });
});

test.each<[string, () => Promise<Record<string, string>>, string[], string, number]>([
  [
    "another operator's key",
    async () => ({ "operator.nk": seeds.operator }),
    ["renew", "APP"],
    "signer.untrusted_key",
    2,
  ],
  [
    "a user's key as the operator's",
    async () => ({ "operator.nk": seeds.user }),
    ["renew", "APP"],
    "secret.malformed",
    2,
  ],
  ["no key at all", async () => ({ "operator.nk": "" }), ["renew", "APP"], "secret.malformed", 2],
  ["an invalid credentials file", async () => ({ "sys.creds": "hello" }), ["verify", "APP"], "secret.malformed", 2],
  [
    "credentials of another account",
    async () => ({ "sys.creds": newCredentials(world.account, "app") }),
    ["verify", "APP"],
    "nats.not_system_account",
    2,
  ],
  [
    "credentials that the server refuses",
    async () => ({ "sys.creds": newCredentials(createOperator(), "nobody") }),
    ["verify", "APP"],
    "nats.unauthorized",
    2,
  ],
  ["an invalid operator JWT", async () => ({ "operator.jwt": "x.y.z" }), ["verify", "APP"], "operator.invalid", 2],
  [
    "a configuration with faults",
    async () => ({ "relight.yaml": `${await yaml()}\nnonsense: 1\n` }),
    ["status"],
    "config.invalid",
    3,
  ],
])("%s", async (_what, files, command, code, exit) => {
  const run = await withFiles(await files(), () => relight(world, ...command, "--json"));
  expect(run.json.error).toMatchObject({ code, message: expect.any(String), mend: expect.any(String) });
  expect(run.exit).toBe(exit);
  for (const seed of Object.values(seeds)) expect(`${run.stdout}${run.stderr}`).not.toContain(seed);
});

test("an unreachable server is unknown (3), never dead", async () => {
  const nobody = (await yaml()).replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1");
  const run = await withFiles({ "relight.yaml": nobody }, () => relight(world, "verify", "APP", "--json"));
  expect(run.json.error.code).toBe("nats.unreachable");
  expect(run.exit).toBe(3);
});

test("a listener that is not a NATS server is unreachable, within the timeout", async () => {
  const silent = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as { port: number };
  const text = (await yaml())
    .replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`)
    .replace("operator:", "  timeout: 500ms\noperator:");
  const run = await withFiles({ "relight.yaml": text }, () => relight(world, "verify", "APP", "--json"));
  silent.close();
  expect(run.json.error.code).toBe("nats.unreachable");
  expect(run.exit).toBe(3);
});

/** What a server sends if its two seconds for a sign-in are over before it has read the client's. */
const TOO_LATE = `INFO ${JSON.stringify({ server_id: "X", version: "2.10.27", proto: 1, headers: true, max_payload: 1 << 20, auth_required: true, nonce: "x" })}\r\n-ERR 'Authentication Timeout'\r\n`;

test.each([
  ["for once is begun again", 1, "healthy"],
  ["for ever is no refusal", Number.POSITIVE_INFINITY, "nats.unreachable"],
])("a sign-in that takes too long %s", async (_what, late, expected) => {
  const { port: real } = new URL(world.server.url);
  let left = late;
  const busy = createServer((client) => {
    client.on("error", () => client.destroy());
    if (left-- > 0) return client.end(TOO_LATE);
    const server = connect(Number(real), "127.0.0.1").on("error", () => client.destroy());
    return client.pipe(server).pipe(client);
  }).listen(0, "127.0.0.1");
  await once(busy, "listening");
  const { port } = busy.address() as { port: number };
  const text = (await yaml()).replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`);
  const run = await withFiles({ "relight.yaml": text }, () => relight(world, "verify", "APP", "--json"));
  busy.close();
  expect(run.json.verdict ?? run.json.error.code).toBe(expected);
});

test("an unknown account", async () => {
  const run = await relight(world, "verify", "NOBODY", "--json");
  expect(run.json.error).toMatchObject({ code: "account.unknown" });
  expect(run.exit).toBe(3);
});

test("without a signing key it verifies, and says what a renewal needs", async () => {
  const text = (await yaml()).replace(/ {2}signingKey: file:operator.nk\n/, "");
  await withFiles({ "relight.yaml": text }, async () => {
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
    const run = await relight(world, "renew", "APP", "--json");
    expect(run.json.error).toMatchObject({
      code: "signer.missing",
      mend: expect.stringMatching(/operator.signingKey/),
    });
    expect(run.exit).toBe(2);
  });
});

test("no command, a wrong command and a wrong option are usage errors (3); --help is not", async () => {
  expect((await relight(world, "frobnicate")).exit).toBe(3);
  expect((await relight(world, "verify")).exit).toBe(3);
  expect((await relight(world, "status", "--frob")).exit).toBe(3);
  expect((await relight(world, "--help")).exit).toBe(0);
});
