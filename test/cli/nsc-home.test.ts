import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { newCredentials, seedOf, signClaims } from "../../lab/keys.ts";
import { nscHome, operatorFolders } from "../../lib/adapters/local/nsc-home.ts";
import { type SearchOptions, searchMachine } from "../../lib/compose/setup.ts";
import { addNscOperator, newNscKeys } from "../support/nsc-store.ts";

/** What `relight init` finds on a machine, in folders as nsc and the `nats` command write them. */

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "relight-nsc-"));
});
afterEach(() => rmSync(home, { recursive: true }));

const data = (): string => join(home, "data", "nats", "nsc");
const search = (options: Partial<SearchOptions> = {}) =>
  searchMachine({
    env: { XDG_DATA_HOME: join(home, "data"), XDG_CONFIG_HOME: join(home, "config") },
    baseDir: home,
    now: 1_000,
    ...options,
  });

function saveConfig(folder: string, config: object): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "nsc.json"), JSON.stringify(config));
}

describe("where nsc keeps its stores and keys", () => {
  test.each<[string, string, Record<string, string>, string]>([
    ["the folders of its data", join(".local", "share", "nats", "nsc"), {}, join(".config", "nats", "nsc")],
    [
      "XDG_DATA_HOME and XDG_CONFIG_HOME",
      join("d", "nats", "nsc"),
      { d: "XDG_DATA_HOME", c: "XDG_CONFIG_HOME" },
      "c/nats/nsc",
    ],
    ["NSC_HOME and NKEYS_PATH", "n", { "n/keys": "NKEYS_PATH", conf: "NSC_HOME" }, "conf"],
  ])("%s", (_what, place, variables, configFolder) => {
    const env = Object.fromEntries(Object.entries(variables).map(([path, name]) => [name, join(home, path)]));
    const { folder } = addNscOperator(join(home, place));
    saveConfig(join(home, configFolder), { store_root: join(home, place, "stores"), operator: "LAB", account: "APP" });
    const found = nscHome(env, undefined, home);
    expect(operatorFolders(found)).toEqual([{ folder, jwtFile: join(folder, "LAB.jwt") }]);
    expect(found).toMatchObject({ current: "LAB", keystores: [join(home, place, "keys")] });
  });

  test("the folders of old versions", () => {
    const { folder } = addNscOperator(join(home, "old"));
    mkdirSync(join(home, ".nsc"));
    symlinkSync(join(home, "old", "stores"), join(home, ".nsc", "nats"));
    symlinkSync(join(home, "old", "keys"), join(home, ".nkeys"));
    const found = nscHome({}, undefined, home);
    expect(operatorFolders(found)).toEqual([
      { folder: join(home, ".nsc", "nats", "LAB"), jwtFile: join(home, ".nsc", "nats", "LAB", "LAB.jwt") },
    ]);
    expect(found.keystores).toEqual([join(home, ".nkeys")]);
    expect(folder).toContain(home);
  });

  test.each([
    ["nsc's folder", ""],
    ["its stores", "stores"],
    ["one operator's folder", join("stores", "LAB")],
  ])("named: %s", async (_what, place) => {
    const { folder, seedFile } = addNscOperator(join(home, "mine"));
    const { operators } = await search({ nsc: join(home, "mine", place) });
    expect(operators).toMatchObject([{ name: "LAB", folder, keys: [{ file: seedFile("operatorSigningKey") }, {}] }]);
  });

  test("nothing, and the places are named", async () => {
    const { operators, stores } = await search();
    expect(operators).toEqual([]);
    expect(stores).toContain(join(data(), "stores"));
  });
});

describe("an operator", () => {
  test("has its keys, the signing key first, its system user and its accounts", async () => {
    const { keys, folder, seedFile, credentials } = addNscOperator(data(), { serviceUrls: ["nats://a:4222"] });
    const { operators } = await search();
    const id = (key: keyof typeof keys): string => keys[key].getPublicKey();
    expect(operators).toEqual([
      {
        name: "LAB",
        id: id("operator"),
        jwt: `file:${join(folder, "LAB.jwt")}`,
        folder,
        isCurrent: false,
        serviceUrls: ["nats://a:4222"],
        systemAccount: id("systemAccount"),
        keys: [
          { publicKey: id("operatorSigningKey"), file: seedFile("operatorSigningKey") },
          { publicKey: id("operator"), file: seedFile("operator") },
        ],
        systemCredentials: [credentials("sys")],
        accounts: [
          {
            id: id("account"),
            name: "APP",
            key: { publicKey: id("accountSigningKey"), file: seedFile("accountSigningKey") },
          },
        ],
      },
    ]);
  });

  test("that requires signing keys never signs with its own, nor do its accounts", async () => {
    addNscOperator(data(), { strict: true, seeds: ["operator", "account"] });
    const { operators } = await search();
    expect(operators).toMatchObject([{ keys: [], accounts: [{ name: "APP" }] }]);
    expect(operators[0]?.accounts[0]).not.toHaveProperty("key");
  });

  test("without any seed has no key", async () => {
    addNscOperator(data(), { seeds: [] });
    expect((await search()).operators).toMatchObject([{ keys: [] }]);
  });

  test("has no system user that expired or is another account's; one named relight is the best", async () => {
    const { keys, credentials } = addNscOperator(data(), { users: ["admin", "relight"] });
    const other = join(data(), "keys", "creds", "LAB", "SYS", "other.creds");
    writeFileSync(other, newCredentials(keys.account, "other"));
    const user = createUser();
    const nats = { type: "user", version: 2 };
    const token = signClaims({ sub: user.getPublicKey(), name: "old", exp: 999, nats }, keys.systemAccount);
    const old = `-----BEGIN NATS USER JWT-----\n${token}\n------END NATS USER JWT------\n${seedOf(user)}\n`;
    writeFileSync(join(data(), "keys", "creds", "LAB", "SYS", "old.creds"), old);
    const { operators } = await search();
    expect(operators[0]?.systemCredentials).toEqual([credentials("relight"), credentials("admin")]);
  });

  test("whose JWT is broken hides no other", async () => {
    addNscOperator(data(), { name: "GOOD" });
    const { folder } = addNscOperator(data(), { name: "BAD" });
    writeFileSync(join(folder, "BAD.jwt"), "broken");
    expect((await search()).operators).toMatchObject([{ name: "GOOD" }]);
  });

  test("is found by its JWT alone; its keys still come from nsc's keystore", async () => {
    const { folder, seedFile } = addNscOperator(data());
    const { operators } = await search({ operatorJwt: `file:${join(folder, "LAB.jwt")}` });
    expect(operators).toMatchObject([
      { name: "LAB", keys: [{ file: seedFile("operatorSigningKey") }, {}], accounts: [] },
    ]);
    await expect(search({ operatorJwt: "file:none" })).rejects.toMatchObject({ code: "secret.not_found" });
  });
});

test("contexts of the nats command are found with their user's account; unusable ones are left out", async () => {
  const keys = newNscKeys();
  const folder = join(home, "config", "nats", "context");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(home, "sys.creds"), newCredentials(keys.systemAccount, "sys"));
  const save = (name: string, context: object): void =>
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(context));
  save("prod", { url: "nats://a:4222,nats://b:4222", creds: join(home, "sys.creds") });
  save("token", { url: "nats://c", token: "t" });
  save("none", { url: "nats://c" });
  const { contexts } = await search();
  expect(contexts).toEqual([
    { name: "prod", servers: ["nats://a:4222", "nats://b:4222"], account: keys.systemAccount.getPublicKey() },
    { name: "token", servers: ["nats://c"] },
  ]);
});
