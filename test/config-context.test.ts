import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createSecrets } from "../lib/compose/secrets.ts";
import { parseConfig } from "../lib/config/config.ts";
import type { RelightError } from "../lib/errors.ts";

/** Contexts of the `nats` command, as `nats context save` of 0.1.6 writes them. */

const home = mkdtempSync(join(tmpdir(), "relight-contexts-"));
afterAll(() => rmSync(home, { recursive: true }));
const folder = join(home, "nats", "context");
mkdirSync(folder, { recursive: true });

const SAVED = {
  description: "",
  url: "nats://127.0.0.1:4222",
  socks_proxy: "",
  token: "",
  user: "",
  password: "",
  creds: "",
  nkey: "",
  cert: "",
  key: "",
  ca: "",
  nsc: "",
  jetstream_domain: "",
  jetstream_api_prefix: "",
  jetstream_event_prefix: "",
  inbox_prefix: "",
  user_jwt: "",
  color_scheme: "",
  tls_first: false,
};

let count = 0;
/** Saves a context and returns its name. */
function save(fields: object): string {
  const name = `context-${++count}`;
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ ...SAVED, ...fields }, null, 2));
  return name;
}

const env = { XDG_CONFIG_HOME: home, SECRET: "from the environment", DIR: "/keys" };
const parse = (cluster: object, more: object = {}) =>
  parseConfig(JSON.stringify({ cluster, operator: { jwt: "file:o" } }), "/etc/relight.yaml", { ...env, ...more })
    .cluster;
const clusterOf = (fields: object) => parse({ context: save(fields) });
const faultOf = (cluster: object): string => {
  try {
    parse(cluster);
    return "";
  } catch (error) {
    expect((error as RelightError).code).toBe("config.invalid");
    return String((error as RelightError).details["faults"]);
  }
};
const credentialsOf = async (fields: object): Promise<unknown> => {
  const { systemCredentials } = clusterOf(fields);
  return createSecrets({ baseDir: "/", env }).read(systemCredentials);
};

describe("a NATS context", () => {
  test("stands for servers, credentials and TLS", () => {
    const tls = { ca: "/tls/ca.pem", cert: "$DIR/cert.pem", key: "~/key.pem", tls_first: true };
    expect(
      clusterOf({ url: "tls://a:4222, nats://b", creds: "~/sys.creds", ...tls, unheard_of: { x: 1 } }),
    ).toMatchObject({
      servers: ["tls://a:4222", "nats://b"],
      systemCredentials: `file:${join(homedir(), "sys.creds")}`,
      tls: {
        ca: "file:/tls/ca.pem",
        cert: "file:/keys/cert.pem",
        key: `file:${join(homedir(), "key.pem")}`,
        handshakeFirst: true,
      },
    });
    expect(clusterOf({ url: "", creds: "/sys.creds" })).toMatchObject({ servers: ["nats://127.0.0.1:4222"] });
    expect(clusterOf({ creds: "/sys.creds" }).tls).toBeUndefined();
  });

  test("may be the selected one", () => {
    const name = save({ url: "nats://selected:4222", creds: "/sys.creds" });
    writeFileSync(join(home, "nats", "context.txt"), `${name}\n`);
    expect(parse({ context: true }).servers).toEqual(["nats://selected:4222"]);
  });

  test("gives way to keys beside it, and is replaced as a whole from outside", () => {
    const context = save({ url: "nats://inside:4222", creds: "/sys.creds" });
    const own = { context, systemCredentials: "env:CREDS", timeout: "9s" };
    expect(parse(own)).toMatchObject({ servers: ["nats://inside:4222"], systemCredentials: "env:CREDS" });
    const other = save({ url: "nats://outside:4222", creds: "/other.creds" });
    expect(parse({ ...own, servers: ["nats://own:4222"] }, { RELIGHT_CONTEXT: other })).toMatchObject({
      servers: ["nats://outside:4222"],
      systemCredentials: "file:/other.creds",
      timeout: 9_000,
    });
  });

  test.each<[string, object, string]>([
    ["a file", { creds: "file:///sys.creds" }, "file:/sys.creds"],
    ["an nkey's file", { nkey: "/user.nk" }, "file:/user.nk"],
    ["a variable", { creds: "env://CREDS" }, "env:CREDS"],
  ])("refers to %s", (_what, fields, reference) => {
    expect(clusterOf(fields).systemCredentials).toBe(reference);
  });

  test.each<[string, object, unknown]>([
    ["user and password", { user: "me", password: "p:w", creds: "/unused" }, { user: "me", password: "p:w" }],
    ["a password in the environment", { user: "me", password: "env://SECRET" }, { user: "me", password: env.SECRET }],
    ["a token", { token: "t" }, { token: "t" }],
    ["user and password in the address", { url: "nats://me:p%40w@hub:4222" }, { user: "me", password: "p@w" }],
    ["a token in the address", { url: "nats://t0ken@hub:4222" }, { token: "t0ken" }],
  ])("signs in with %s, which no configuration holds", async (_what, fields, signIn) => {
    expect(JSON.parse(String(await credentialsOf(fields)))).toEqual(signIn);
    expect(JSON.stringify(clusterOf(fields))).not.toMatch(/p:w|p%40w|t0ken/);
  });

  test("signs in with a JWT and a seed", async () => {
    const text = await credentialsOf({ user_jwt: "eyJ.a.b", user_seed: "SUABC" });
    expect(text).toMatch(/-BEGIN NATS USER JWT-+\neyJ\.a\.b\n-+END.*\n\n-+BEGIN USER NKEY SEED-+\nSUABC\n-+END/);
  });

  test.each<[string, object, RegExp]>([
    ["looks up its user with nsc", { nsc: "nsc://op/SYS/sys" }, /nsc is nsc:\/\/op\/SYS\/sys; .*nsc generate creds/],
    ["has no user", {}, /it has no user/],
    ["goes through a proxy", { creds: "/c", socks_proxy: "socks5://x" }, /socks_proxy/],
    ["reads from 1Password", { creds: "op://vault/item" }, /creds begins with op:/],
    [
      "names a variable that is not set",
      { user: "me", password: "env://GONE" },
      /password is env:\/\/GONE, which is not set/,
    ],
    ["has a WebSocket address", { creds: "/c", url: "wss://hub" }, /url is a WebSocket address/],
    ["has a field of another type", { creds: 7 }, /a wrong creds/],
  ])("that %s is refused with its file named", (_what, fields, problem) => {
    const name = save(fields);
    expect(faultOf({ context: name })).toMatch(problem);
    expect(faultOf({ context: name })).toContain(join(folder, `${name}.json`));
  });

  test("that is broken or missing is refused with its file named", () => {
    writeFileSync(join(folder, "broken.json"), '{ "url": ');
    expect(faultOf({ context: "broken" })).toContain(`${join(folder, "broken.json")} is not a JSON object`);
    expect(faultOf({ context: "brokn" })).toMatch(/brokn\.json does not exist; did you mean broken\?/);
    expect(faultOf({ context: "../../etc/passwd" })).toMatch(/can't be the name/);
    expect(faultOf({ context: 7 })).toMatch(/cluster\.context: is not a context's name, or true/);
    expect(faultOf({})).toMatch(/cluster\.servers: is missing, and so is cluster\.context/);
  });

  test("must be selected to be the selected one", () => {
    writeFileSync(join(home, "nats", "context.txt"), "");
    expect(faultOf({ context: true })).toMatch(/no NATS context is selected \(.*context\.txt\)/);
  });
});
