import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { newCredentials } from "../../lab/keys.ts";
import { startServer } from "../../lab/nats-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { type Authority, createAuthority, type Pair, readPair, tlsBlock } from "../../lab/tls.ts";
import { openConnection } from "../../lib/adapters/nats/connection/connection.ts";
import { checkTls, type Tls } from "../../lib/adapters/nats/connection/tls.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { impostor, listening } from "../support/impostor.ts";

/** TLS in practice: certificates of a private CA, real servers, and listeners that are none. */

const { path: binary } = await serverBinary("2.10.27");
const HOUR = 3_600_000;
const BOTH = ["DNS:localhost", "IP:127.0.0.1"];
let folder: string;
let authority: Authority;
let stranger: Authority;
let ca: string;
let foreignCa: string;
const pairs: Record<string, Pair> = {};
let own: Pair;
let foreign: Pair;
let late: Pair;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-tls-"));
  authority = await createAuthority(folder);
  stranger = await createAuthority(folder, "other-ca");
  ca = await readFile(authority.ca, "utf8");
  foreignCa = await readFile(stranger.ca, "utf8");
  const names = {
    good: BOTH,
    elsewhere: ["DNS:nats.example.com", "IP:10.0.0.1"],
    local: ["DNS:localhost"],
    numbered: ["IP:127.0.0.1"],
  };
  for (const [name, for_] of Object.entries(names)) pairs[name] = await authority.issue({ name, for: for_ });
  pairs["expired"] = await authority.issue({ name: "expired", for: BOTH, valid: [-48 * HOUR, -HOUR] });
  pairs["early"] = await authority.issue({ name: "early", for: BOTH, valid: [HOUR, 48 * HOUR] });
  own = await readPair(await authority.issue({ name: "relight" }));
  late = await readPair(await authority.issue({ name: "relight", valid: [-48 * HOUR, -HOUR] }));
  foreign = await readPair(await stranger.issue({ name: "relight" }));
});
afterAll(async () => await rm(folder, { recursive: true }));

const credentials = newCredentials(createAccount(), "anybody");

interface Wanted {
  readonly scheme?: string;
  readonly host?: string;
  readonly tls?: Partial<Tls> | undefined;
  readonly timeout?: number;
}

async function reach(
  port: number,
  { scheme = "tls", host = "127.0.0.1", tls, timeout = 3_000 }: Wanted,
): Promise<string> {
  const connection = await openConnection({
    servers: {
      addresses: [`${scheme}://${host}:${port}`],
      tls: tls === undefined ? undefined : checkTls({ handshakeFirst: false, ...tls }),
    },
    credentials,
    timeout: millis(timeout),
    name: "test",
  });
  await connection.flush();
  await connection.close();
  return "connected";
}

/** Connects to a nats-server of this configuration. */
async function through(config: string, wanted: Wanted): Promise<string> {
  await using server = await startServer({ binary, config: () => config });
  return await reach(Number(new URL(server.url).port), wanted);
}

const withPair = (name: string, more = ""): string => tlsBlock(pairs[name] as Pair, more);
const verifies = (): string => withPair("good", `ca_file: "${authority.ca}", verify: true`);
const FIRST = "handshake_first: true";

describe("a TLS connection", () => {
  test.each<[string, () => string, () => Wanted]>([
    ["by tls:// and the CA", () => withPair("good"), () => ({ tls: { ca } })],
    ["by nats://, because the server requires it", () => withPair("good"), () => ({ scheme: "nats", tls: { ca } })],
    ["with a client certificate", verifies, () => ({ tls: { ca, ...own } })],
    ["with handshake_first", () => withPair("good", FIRST), () => ({ tls: { ca, handshakeFirst: true } })],
    ["with handshake_first after a delay", () => withPair("good", "handshake_first: auto"), () => ({ tls: { ca } })],
    ["to an address in the certificate", () => withPair("numbered"), () => ({ tls: { ca } })],
    ["to a name", () => withPair("local"), () => ({ host: "localhost", tls: { ca } })],
    ["where plain text would work, too", () => `allow_non_tls: true\n${withPair("good")}`, () => ({ tls: { ca } })],
  ])("%s", async (_how, config, wanted) => {
    await expect(through(config(), wanted())).resolves.toBe("connected");
  });

  test("through a balancer that terminates TLS", async () => {
    await using server = await startServer({ binary, config: () => "" });
    const { cert, key } = await readPair(pairs["good"] as Pair);
    const balancer = createTlsServer({ cert, key }, (client) => {
      const behind = connectPlain(Number(new URL(server.url).port), "127.0.0.1");
      client.on("error", () => behind.destroy());
      client.pipe(behind).pipe(client);
    });
    const port = await listening(balancer);
    await expect(reach(port, { tls: { ca, handshakeFirst: true } })).resolves.toBe("connected");
    balancer.close();
  });
});

describe("each TLS failure says what to do", () => {
  test.each<[string, () => string, () => Wanted, string, RegExp]>([
    [
      "no TLS, by tls://",
      () => "",
      () => ({}),
      "nats.no_tls",
      /127\.0\.0\.1:\d+ has no TLS, but cluster\.servers says tls:/,
    ],
    [
      "no TLS, by cluster.tls",
      () => "",
      () => ({ scheme: "nats", tls: {} }),
      "nats.no_tls",
      /cluster\.tls is configured/,
    ],
    ["an unknown CA", () => withPair("good"), () => ({}), "nats.tls_failed", /not trusted.*cluster\.tls\.ca/],
    [
      "an unknown CA, by nats://",
      () => withPair("good"),
      () => ({ scheme: "nats" }),
      "nats.tls_failed",
      /not trusted.*cluster\.tls\.ca/,
    ],
    [
      "the wrong CA",
      () => withPair("good"),
      () => ({ tls: { ca: foreignCa } }),
      "nats.tls_failed",
      /No certificate in cluster\.tls\.ca signed/,
    ],
    [
      "a certificate for another name",
      () => withPair("elsewhere"),
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /another name: it is for DNS:nats\.example\.com, IP Address:10\.0\.0\.1/,
    ],
    [
      "a certificate for localhost, at an address",
      () => withPair("local"),
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /another name: it is for DNS:localhost/,
    ],
    [
      "an expired certificate",
      () => withPair("expired"),
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /\(expired\) has expired: it is valid from 20\S+Z until 20\S+Z/,
    ],
    [
      "a certificate that is not valid yet",
      () => withPair("early"),
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /\(early\) is not valid yet: it is valid from 20\S+Z until/,
    ],
    [
      "a required client certificate",
      verifies,
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /requires a client certificate.*cluster\.tls\.cert/,
    ],
    [
      "a client certificate required immediately",
      () => `${withPair("good", `ca_file: "${authority.ca}", verify: true, ${FIRST}`)}`,
      () => ({ tls: { ca, handshakeFirst: true } }),
      "nats.tls_failed",
      /requires a client certificate/,
    ],
    [
      "an untrusted client certificate",
      verifies,
      () => ({ tls: { ca, ...foreign } }),
      "nats.tls_failed",
      /refused the client certificate.*CN=relight, issued by .*CN=other-ca/,
    ],
    [
      "an expired client certificate",
      verifies,
      () => ({ tls: { ca, ...late } }),
      "nats.tls_failed",
      /refused the client certificate.*until .*20\d\d/,
    ],
    [
      "a server that waits for TLS",
      () => withPair("good", FIRST),
      () => ({ tls: { ca } }),
      "nats.tls_failed",
      /sends nothing before TLS.*handshakeFirst: true/,
    ],
    [
      "a client that does not wait for INFO",
      () => withPair("good"),
      () => ({ tls: { ca, handshakeFirst: true } }),
      "nats.tls_failed",
      /does not begin with TLS.*remove that/,
    ],
    [
      "a client that begins with TLS, without TLS on the server",
      () => "",
      () => ({ tls: { ca, handshakeFirst: true } }),
      "nats.tls_failed",
      /does not begin with TLS/,
    ],
  ])("%s", async (_what, config, wanted, code, message) => {
    await expect(through(config(), wanted())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test("something other than nats-server is named", async () => {
    const http = createHttpServer((_request, answer) => answer.end("hello"));
    const port = await listening(http);
    await expect(reach(port, { timeout: 500 })).rejects.toMatchObject({
      code: "nats.unreachable",
      message: expect.stringMatching(/is not a nats-server: it speaks HTTP/),
    });
    http.closeAllConnections();
    http.close();
    await using ssh = await impostor("SSH-2.0-OpenSSH_9.2\r\n");
    await expect(reach(ssh.port, {})).rejects.toMatchObject({
      code: "nats.unreachable",
      message: expect.stringMatching(/it sent “SSH-2.0-OpenSSH_9.2”/),
    });
  });
});
