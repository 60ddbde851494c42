import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { newCredentials } from "../../lab/keys.ts";
import { startServer } from "../../lab/nats-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createAuthority, type Pair, readPair, tlsBlock } from "../../lab/tls.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { openConnection } from "../../lib/adapters/nats/connection/connection.ts";
import type { Servers } from "../../lib/adapters/nats/connection/tls.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { alteringProxy, impostor, infoOf } from "../support/impostor.ts";
import { relight } from "../support/relight.ts";
import { startWatch } from "../support/watch.ts";

/** An attacker between Relight and the servers: no credentials leave without TLS. */

const { path: binary } = await serverBinary("2.10.27");
let folder: string;
let ca: string;
let caFile: string;
let pair: Pair;
let own: Pair;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-tls-"));
  const authority = await createAuthority(folder);
  caFile = authority.ca;
  ca = await readFile(caFile, "utf8");
  pair = await authority.issue({ name: "nats", for: ["DNS:localhost", "IP:127.0.0.1"] });
  own = await authority.issue({ name: "relight" });
});
afterAll(async () => await rm(folder, { recursive: true }));

const credentials = newCredentials(createAccount(), "anybody");
const secure = (...addresses: string[]): Servers => ({ addresses, tls: { ca, handshakeFirst: false } });
const open = (servers: Servers, more = {}) =>
  openConnection({ servers, credentials, timeout: millis(2_000), name: "test", ...more });
/** As `relight watch` reconnects. */
const forEver = { reconnectDelay: () => 50 };
const OFFERS = { tls_required: true, tls_available: true };

test.each<[string, string, string]>([
  ["tls:// and an INFO without TLS", infoOf({}), "nats.no_tls"],
  ["a PONG in plain text behind INFO", `${infoOf(OFFERS)}PONG\r\n`, "nats.tls_failed"],
])("%s: nothing is sent", async (_what, greeting, code) => {
  await using server = await impostor(greeting);
  await expect(open({ addresses: [`tls://127.0.0.1:${server.port}`], tls: undefined })).rejects.toMatchObject({ code });
  expect(server.heard()).toBe("");
});

test("one tls:// address requires TLS for all", async () => {
  await using first = await impostor(infoOf({}));
  await using second = await impostor(infoOf({}));
  const addresses = [`nats://127.0.0.1:${first.port}`, `tls://127.0.0.1:${second.port}`];
  await expect(open({ addresses, tls: undefined })).rejects.toMatchObject({ code: "nats.no_tls" });
  expect(first.heard() + second.heard()).toBe("");
  expect(first.connections()).toBe(1);
});

test("a server that fails TLS gets no plain text, by nats:// either", async () => {
  await using server = await impostor(`${infoOf({ tls_available: true })}`);
  for (const scheme of ["tls", "nats"]) {
    const opening = open(
      { addresses: [`${scheme}://127.0.0.1:${server.port}`], tls: undefined },
      { timeout: millis(300) },
    );
    await expect(opening).rejects.toMatchObject({ code: "nats.unreachable" });
  }
  // The beginning of a TLS handshake; nothing else was sent.
  expect(server.heard().startsWith("\x16\x03")).toBe(true);
  expect(server.heard()).not.toMatch(/CONNECT|eyJ/);
});

test("addresses gossiped before TLS are ignored", async () => {
  await using real = await startServer({ binary, config: () => tlsBlock(pair) });
  await using trap = await impostor(infoOf({}));
  const gossip = [`127.0.0.1:${trap.port}`, `localhost:${trap.port}`];
  await using between = await alteringProxy(portOf(real.url), (info) => ({ ...info, connect_urls: gossip }));
  const connection = await open(secure(`tls://127.0.0.1:${between.port}`), forEver);
  await connection.flush();
  await real.stop();
  await waitFor("some attempts to reconnect", () => between.connections() > 4);
  await connection.close();
  expect(trap.connections()).toBe(0);
});

test.each<[string, () => Servers["tls"]]>([
  ["tls", () => ({ ca, handshakeFirst: false })],
  ["nats", () => undefined],
])("by %s:// a connection that had TLS requires it at a reconnect", async (scheme, tls) => {
  await using real = await startServer({ binary, config: () => tlsBlock(pair) });
  await using between = await alteringProxy(portOf(real.url), (info) => info);
  const publicly = getCACertificates("default");
  // Without cluster.tls, a CA that everybody trusts.
  setDefaultCACertificates([...publicly, ca]);
  try {
    const connection = await open({ addresses: [`${scheme}://127.0.0.1:${between.port}`], tls: tls() }, forEver);
    await connection.flush();
    const before = between.heard().length;
    between.pretend(infoOf({}));
    between.cut();
    await waitFor("some attempts to reconnect", () => between.connections() > 4);
    expect(between.heard().slice(before)).not.toMatch(/CONNECT|eyJ|PING/);
    between.pretend(undefined);
    const isBack = (): Promise<boolean> =>
      connection.flush().then(
        () => true,
        () => false,
      );
    await waitFor("the connection to be back", isBack);
    expect(between.heard().slice(before)).not.toMatch(/CONNECT|eyJ|PING/);
    await connection.close();
  } finally {
    setDefaultCACertificates(publicly);
  }
});

describe("a deployment that requires TLS and client certificates", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({
      binary,
      lives: 3_600,
      config: () => tlsBlock(pair, `ca_file: "${caFile}", verify: true`),
      tls: { caFile, certFile: own.cert, keyFile: own.key },
    });
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  const file = (): string => `${world.home}/relight.yaml`;

  /** The world's configuration with another line for its servers. */
  async function configured<T>(lines: string, work: () => Promise<T>): Promise<T> {
    const before = await readFile(file(), "utf8");
    await writeFile(file(), before.replace(/ {2}servers: .*\n/, lines));
    try {
      return await work();
    } finally {
      await writeFile(file(), before);
    }
  }
  const servers = (port = portOf(world.server.url)): string => `  servers: ["tls://127.0.0.1:${port}"]\n`;
  const tls = (): string => `  tls: { ca: "file:${caFile}", cert: "file:${own.cert}", key: "file:${own.key}" }\n`;

  test("every command works, including the account's own view", async () => {
    await configured(servers() + tls(), async () => {
      expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
        verdict: "healthy",
        depth: "account",
      });
      expect((await relight(world, "doctor")).exit).toBe(0);
      expect((await relight(world, "renew", "APP")).exit).toBe(0);
      const { json } = await relight(world, "expiries", "--json");
      expect(json.expiries).toContainEqual(
        expect.objectContaining({ kind: "certificate", what: expect.stringContaining("tls://") }),
      );
    });
  });

  test("without cluster.tls the error says what is missing", async () => {
    await configured(servers(), async () => {
      const { json, exit } = await relight(world, "verify", "APP", "--json");
      expect(json.error).toMatchObject({
        code: "nats.tls_failed",
        message: expect.stringContaining("client certificate"),
      });
      expect(exit).toBe(2);
    });
  });

  test("status, doctor, verify, run and watch all refuse a server without TLS, and send it nothing", async () => {
    await using server = await impostor(infoOf({}));
    await configured(servers(server.port), async () => {
      for (const command of [["status"], ["doctor"], ["verify", "APP"], ["renew", "APP"], ["run"], ["watch"]]) {
        const { stdout, exit } = await relight(world, ...command, "--json");
        expect(stdout).toContain("has no TLS");
        expect(exit).not.toBe(0);
      }
    });
    expect(server.heard()).toBe("");
    expect(server.connections()).toBeGreaterThan(5);
  });

  test("watch reconnects over TLS after its server was restarted", async () => {
    await configured(servers() + tls(), async () => {
      await using watch = await startWatch(world, "--sweep-every", "1h");
      await world.server.stop();
      await world.server.start();
      await watch.until("it to be back", ({ kind }) => kind === "connection-regained");
      await watch.stop();
    });
  });

  test("a key of another certificate is named, and never shown", async () => {
    const other = await readPair(pair);
    await configured(
      `${servers()}  tls: { ca: "file:${caFile}", cert: "file:${own.cert}", key: "file:${pair.key}" }\n`,
      async () => {
        const { json, stdout, stderr } = await relight(world, "verify", "APP", "--json");
        expect(json.error).toMatchObject({
          code: "secret.malformed",
          message: expect.stringMatching(/cluster\.tls\.key does not belong/),
        });
        expect(stdout + stderr).not.toContain(other.key.split("\n")[1]);
      },
    );
  });
});

const portOf = (url: string): number => Number(new URL(url).port);
