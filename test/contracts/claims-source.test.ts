import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, createUser, type KeyPair } from "@nats-io/nkeys";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { nowSeconds, signClaims } from "../../lab/keys.ts";
import { secretsManagerClaims } from "../../lib/adapters/aws/secrets/secrets-manager-claims.ts";
import { jwtCodec as codec } from "../../lib/adapters/nats/jwt/jwt-codec.ts";
import { claimsSource } from "../../lib/adapters/source/claims-source.ts";
import { jwtFolder } from "../../lib/adapters/source/jwt-folder.ts";
import { nscStore } from "../../lib/adapters/source/nsc-store.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import type { ClaimsSource, SourceEntry } from "../../lib/ports/source.ts";
import { describeAws, type MotoSettings, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const root = await mkdtemp(join(tmpdir(), "relight-sources-"));
afterAll(() => rm(root, { recursive: true }));

const operatorKey = createOperator();
const operator = {
  id: operatorKey.getPublicKey(),
  name: "OP",
  signingKeys: [],
  strictSigningKeyUsage: false,
};
const foreigner = createOperator();

function jwt(key: KeyPair, { signer = operatorKey, name = "APP", ...times }: Record<string, unknown> = {}) {
  const claims = { ...accountClaims(String(name), key, key, UNLIMITED), ...times };
  return signClaims(claims, signer as KeyPair);
}
const idOf = (key: KeyPair): AccountId => key.getPublicKey() as AccountId;

/** A source for one test. */
interface Store {
  put(name: string, text: string): Promise<void>;
  /** Something under this name that can't be read as text. */
  putUnreadable(name: string): Promise<void>;
  /** What a run reads. */
  newRun(): ClaimsSource;
}

interface Kind {
  newStore(): Promise<Store>;
  /** A missing source. */
  missing(): ClaimsSource;
}

let count = 0;
const newFolder = async (): Promise<string> => {
  const folder = join(root, `store-${++count}`);
  await mkdir(folder);
  return folder;
};
const open = (entries: () => AsyncIterable<SourceEntry>): ClaimsSource =>
  claimsSource({ name: "the source", entries, operator });

describe("folder", () => {
  claimsSourceContract({
    newStore: async () => {
      const folder = await newFolder();
      return {
        put: (name, text) => writeFile(join(folder, `${name}.jwt`), text),
        putUnreadable: (name) => mkdir(join(folder, `${name}.jwt`)),
        newRun: () => open(() => jwtFolder(folder, codec)),
      };
    },
    missing: () => open(() => jwtFolder(join(root, "nowhere"), codec)),
  });

  test("reads files that end in .jwt, and no others", async () => {
    const folder = await newFolder();
    await writeFile(join(folder, "APP.jwt"), jwt(createAccount()));
    await writeFile(join(folder, "notes.txt"), "no JWT");
    await mkdir(join(folder, "deeper"));
    expect(await all(open(() => jwtFolder(folder, codec)))).toHaveLength(1);
  });

  test("reports a dangling link and a file that is far too large", async () => {
    const folder = await newFolder();
    await symlink(join(folder, "gone"), join(folder, "link.jwt"));
    await writeFile(join(folder, "large.jwt"), "x".repeat(1_048_577));
    const entries = await all(open(() => jwtFolder(folder, codec)));
    expect(entries).toMatchObject([
      { ok: false, problem: "it is larger than 1 MiB" },
      { ok: false, problem: "it does not exist" },
    ]);
  });
});

describe("nsc store", () => {
  const put = async (folder: string, name: string, text: string): Promise<void> => {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, `${name}.jwt`), text);
  };
  const nsc = (folder: string) => open(() => nscStore({ folder, codec, operatorName: "OP" }));
  claimsSourceContract({
    newStore: async () => {
      const folder = await newFolder();
      const accounts = join(folder, "stores", "OP", "accounts");
      await mkdir(accounts, { recursive: true });
      // What nsc stores beside the accounts.
      await writeFile(join(folder, "stores", "OP", "OP.jwt"), "the operator's");
      await writeFile(join(accounts, ".DS_Store"), "");
      return {
        put: (name, text) => put(accounts, name, text),
        putUnreadable: async (name) => void (await mkdir(join(accounts, name))),
        newRun: () => nsc(folder),
      };
    },
    missing: () => nsc(join(root, "nowhere")),
  });

  test("can be given as nsc's folder, its stores, or the operator's folder", async () => {
    const folder = await newFolder();
    await put(join(folder, "stores", "OP", "accounts"), "APP", jwt(createAccount()));
    for (const named of [folder, join(folder, "stores"), join(folder, "stores", "OP")])
      expect(await all(nsc(named))).toHaveLength(1);
  });

  test("with several operators, reads only the configured one's accounts, by its name", async () => {
    const folder = await newFolder();
    const own = createAccount();
    await put(join(folder, "OP", "accounts"), "APP", jwt(own));
    await put(join(folder, "OTHER", "accounts"), "APP", jwt(createAccount(), { signer: foreigner }));
    expect(await all(nsc(folder))).toMatchObject([{ jwt: { document: { claims: { sub: idOf(own) } } } }]);
  });

  test("a folder without operators is not a store", async () => {
    const folder = await newFolder();
    await expect(all(nsc(folder))).rejects.toMatchObject({
      code: "source.unavailable",
      message: expect.stringMatching(/not an nsc store/),
    });
  });
});

describeAws(moto, "Secrets Manager prefix", (settings: MotoSettings) => {
  const client = new SecretsManagerClient(settings);
  const under = (prefix: string) => open(() => secretsManagerClaims({ client, prefix, codec, pageSize: 10 }));
  claimsSourceContract({
    newStore: async () => {
      const prefix = `accounts-${++count}/`;
      const names = new Set<string>();
      return {
        put: async (name, text) => {
          const [Name, isNew] = [`${prefix}${name}`, !names.has(name)];
          names.add(name);
          if (isNew) await client.send(new CreateSecretCommand({ Name, SecretString: text }));
          else await client.send(new PutSecretValueCommand({ SecretId: Name, SecretString: text }));
        },
        putUnreadable: async (name) => {
          const SecretBinary = Uint8Array.from([0xff, 0xfe, 0x00]);
          await client.send(new CreateSecretCommand({ Name: `${prefix}${name}`, SecretBinary }));
        },
        newRun: () => under(prefix),
      };
    },
    missing: () => {
      const nowhere = new SecretsManagerClient({
        ...settings,
        endpoint: "http://127.0.0.1:1",
        maxAttempts: 1,
      });
      return open(() => secretsManagerClaims({ client: nowhere, prefix: "accounts/", codec }));
    },
  });

  test("ignores secrets that have the prefix elsewhere in their name", async () => {
    const SecretString = jwt(createAccount());
    await client.send(new CreateSecretCommand({ Name: "other/mine/APP", SecretString }));
    await client.send(new CreateSecretCommand({ Name: "mine/APP", SecretString }));
    expect(await all(under("mine/"))).toMatchObject([{ place: "aws-sm://mine/APP" }]);
  });
});

async function all(source: ClaimsSource): Promise<readonly SourceEntry[]> {
  const entries: SourceEntry[] = [];
  for await (const entry of source.accounts()) entries.push(entry);
  return entries;
}

/** The contract of every source of truth. */
function claimsSourceContract({ newStore, missing }: Kind): void {
  test("returns every account's JWT, including expired and foreign ones", async () => {
    const store = await newStore();
    const keys = [createAccount(), createAccount(), createAccount()] as const;
    await store.put("APP", jwt(keys[0]));
    await store.put("OLD", jwt(keys[1], { exp: nowSeconds() - 60 }));
    await store.put("FOREIGN", jwt(keys[2], { signer: foreigner }));
    const entries = await all(store.newRun());
    const subjects = entries.map((entry) => entry.ok && entry.jwt.document.claims.sub);
    expect(subjects.sort()).toEqual(keys.map(idOf).sort());
  });

  test("looks up one of them, and knows which ones are missing", async () => {
    const store = await newStore();
    const [key, other] = [createAccount(), createAccount()];
    const token = jwt(key);
    await store.put("APP", token);
    const source = store.newRun();
    expect(await source.lookup(idOf(key))).toMatchObject({
      state: "found",
      token,
      claims: { signatureValid: true },
      place: expect.stringContaining("APP"),
    });
    expect(await source.lookup(idOf(other))).toEqual({ state: "absent" });
  });

  test.each([
    ["nonsense", "no JWT at all"],
    ["a user's JWT", `${jwt(createAccount()).split(".")[0]}.${Buffer.from('{"sub":"U"}').toString("base64url")}.AA`],
    ["half of one", jwt(createAccount()).slice(0, 60)],
  ])("%s does not hide the others; a failed lookup may be an unreadable entry", async (_what, text) => {
    const store = await newStore();
    const key = createAccount();
    await store.put("APP", jwt(key));
    await store.put("BAD", text);
    const source = store.newRun();
    const bad = (await all(source)).filter((entry) => !entry.ok);
    expect(bad).toEqual([
      {
        ok: false,
        place: expect.stringContaining("BAD"),
        problem: expect.stringMatching(/not an account JWT/),
      },
    ]);
    expect(await source.lookup(idOf(key))).toMatchObject({ state: "found" });
    expect(await source.lookup(idOf(createAccount()))).toMatchObject({
      state: "unclear",
      problem: expect.stringContaining("BAD"),
    });
    expect(JSON.stringify(bad)).not.toContain(text.slice(0, 50));
  });

  test("an operator's and a user's JWT beside them are no entries: what is missing is missing", async () => {
    const store = await newStore();
    const key = createAccount();
    await store.put("APP", jwt(key));
    const own = signClaims({ sub: operator.id, name: "OP", nats: { type: "operator", version: 2 } }, operatorKey);
    await store.put("OP", `-----BEGIN NATS OPERATOR JWT-----\n${own}\n------END NATS OPERATOR JWT------\n\n`);
    await store.put("USER", signClaims({ sub: createUser().getPublicKey(), nats: { type: "user" } }, key));
    expect(await all(store.newRun())).toHaveLength(1);
    expect(await store.newRun().lookup(idOf(createAccount()))).toEqual({ state: "absent" });
  });

  test("nor does something that can't be read as text", async () => {
    const store = await newStore();
    await store.put("APP", jwt(createAccount()));
    await store.putUnreadable("BAD");
    const entries = await all(store.newRun());
    expect(entries.map(({ ok }) => ok).sort()).toEqual([false, true]);
  });

  test("of several JWTs of one account the newest counts, but a trusted one wins", async () => {
    const store = await newStore();
    const key = createAccount();
    const newer = jwt(key, { iat: nowSeconds() - 10 });
    await store.put("A", jwt(key, { iat: nowSeconds() - 20 }));
    await store.put("B", newer);
    await store.put("C", jwt(key, { iat: nowSeconds(), signer: foreigner }));
    expect(await store.newRun().lookup(idOf(key))).toMatchObject({ token: newer });
  });

  test("reports a signature that is not its issuer's", async () => {
    const store = await newStore();
    const key = createAccount();
    const [header, payload] = jwt(key).split(".");
    await store.put("APP", `${header}.${payload}.${Buffer.alloc(64).toString("base64url")}`);
    expect(await store.newRun().lookup(idOf(key))).toMatchObject({ claims: { signatureValid: false } });
  });

  test.each([
    ["a newline at its end", (token: string) => `${token}\n`],
    [
      "the lines that nsc puts around it",
      (token: string) => `-----BEGIN NATS ACCOUNT JWT-----\n${token}\n------END NATS ACCOUNT JWT------\n`,
    ],
  ])("accepts a JWT with %s", async (_what, around) => {
    const store = await newStore();
    const key = createAccount();
    const token = jwt(key);
    await store.put("APP", around(token));
    expect(await store.newRun().lookup(idOf(key))).toMatchObject({ state: "found", token });
  });

  test("an empty one has no accounts", async () => {
    const source = (await newStore()).newRun();
    expect(await all(source)).toEqual([]);
    expect(await source.lookup(idOf(createAccount()))).toEqual({ state: "absent" });
  });

  test("returns all of many", async () => {
    const store = await newStore();
    for (let index = 0; index < 25; index++) await store.put(`N${index}`, jwt(createAccount()));
    expect(await all(store.newRun())).toHaveLength(25);
  });

  test("a change is seen by the next run, not by this one", async () => {
    const store = await newStore();
    const key = createAccount();
    const [before, after] = [jwt(key), jwt(key, { iat: nowSeconds() + 5 })];
    await store.put("APP", before);
    const run = store.newRun();
    expect(await run.lookup(idOf(key))).toMatchObject({ token: before });
    await store.put("APP", after);
    expect(await run.lookup(idOf(key))).toMatchObject({ token: before });
    expect(await store.newRun().lookup(idOf(key))).toMatchObject({ token: after });
  });

  test("a missing one is unavailable for every request", async () => {
    const source = missing();
    const unavailable = { code: "source.unavailable", retryable: true };
    await expect(all(source)).rejects.toMatchObject(unavailable);
    await expect(source.lookup(idOf(createAccount()))).rejects.toMatchObject(unavailable);
  });
}
