import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { freePorts, startServer } from "../../lab/nats-server.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { serverCertificates } from "../../lib/adapters/nats/connection/certificates.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { relight } from "../support/relight.ts";

/** Certificates of real servers, made by openssl for two days. */

const run = promisify(execFile);
const DAY = 86_400_000;
const { path: binary } = await serverBinary("2.15.2");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "relight-tls-"));
  const args = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  await run("openssl", [...args, ...files, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
});
afterAll(async () => await rm(folder, { recursive: true }));

const tls = (more = ""): string => `tls { cert_file: "${folder}/cert.pem", key_file: "${folder}/key.pem"${more} }`;

async function seenAt(config: string, scheme = "tls") {
  const [port] = await freePorts(1);
  await using _server = await startServer({ binary, port, config: () => config });
  const [certificate] = await serverCertificates([`${scheme}://localhost:${port}`], millis(5_000));
  return certificate?.seen;
}

describe("the certificate of a server", () => {
  test.each([
    ["that greets in the clear", ""],
    ["that waits for the handshake", ", handshake_first: true"],
  ])("%s is read with its expiry", async (_how, more) => {
    const seen = await seenAt(tls(more));
    if (!seen?.ok || seen.value === undefined) throw new Error(JSON.stringify(seen));
    const { name, begins, expiresAt } = seen.value;
    expect(name).toBe("localhost");
    expect(expiresAt - begins).toBe(2 * DAY);
    expect(Math.abs(expiresAt - Date.now() - 2 * DAY)).toBeLessThan(120_000);
  });

  test("without TLS there is none", async () => {
    expect(await seenAt("", "nats")).toEqual({ ok: true, value: undefined });
  });

  test("of a server that is away or answers garbage is unknown", async () => {
    const [port] = await freePorts(1);
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port: other } = silent.address() as { port: number };
    const seen = await serverCertificates([`127.0.0.1:${port}`, `127.0.0.1:${other}`], millis(500));
    expect(seen.map(({ seen: probe }) => probe.ok)).toEqual([false, false]);
    silent.close();
  });
});

test("expiries lists everything in a deployment, and a sweep pages about near expiries once, and resolves them", async () => {
  await using world = await createWorld({ binary, lives: 90 * 86_400, yaml: "" });
  const file = `${world.home}/relight.yaml`;
  const text = await readFile(file, "utf8");
  const retiring = world.operator.getPublicKey();
  await writeFile(
    file,
    `${text.replace("  signingKey: file:operator.nk", `  signingKey: file:operator.nk\n  retiring: [${retiring}]`)}watch: { credentials: [file:app.creds, file:gone.creds] }\n`,
  );
  const { json, exit } = await relight(world, "expiries", "--json");
  const kinds = json.expiries.map(({ kind, severity }: { kind: string; severity: string }) => `${kind} ${severity}`);
  expect(kinds.sort()).toEqual([
    ...["account ok", "credentials ok", "credentials unknown", "operator ok"],
    ...["signing-key warning", "signing-key warning", "system-account ok", "system-credentials ok"],
  ]);
  expect(exit).toBe(3);
  expect((await relight(world, "expiries")).stdout).toContain("being retired");

  const opened = async (): Promise<string[]> => {
    const { entries } = (await relight(world, "journal", "--json")).json;
    return entries
      .filter(({ kind, account }: { kind: string; account: string }) => account === "-" && kind.startsWith("incident"))
      .map(({ kind, data }: { kind: string; data: { key: string } }) => `${kind} ${data.key.split("/").at(-1)}`);
  };
  await relight(world, "run");
  await relight(world, "run");
  expect(await opened()).toEqual(["incident.opened signing_key_retiring"]);
  await writeFile(file, text);
  await relight(world, "run");
  expect(await opened()).toEqual(["incident.opened signing_key_retiring", "incident.resolved signing_key_retiring"]);
});
