import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DisableKeyCommand,
  GetPublicKeyCommand,
  type KeySpec,
  KMSClient,
  ScheduleKeyDeletionCommand,
  SignCommand,
  UpdateAliasCommand,
} from "@aws-sdk/client-kms";
import { CreateSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, fromPublic, fromSeed } from "@nats-io/nkeys";
import fc from "fast-check";
import { seedOf, signClaims } from "../../lab/keys.ts";
import { fill, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { kmsKey } from "../../lib/adapters/aws/keys/kms-key.ts";
import { remoteSigner } from "../../lib/adapters/nats/account/operator-key.ts";
import { jwtCodec } from "../../lib/adapters/nats/jwt/jwt-codec.ts";
import { openSigner } from "../../lib/compose/adapters-of.ts";
import { createSecrets } from "../../lib/compose/secrets.ts";
import { parseConfig } from "../../lib/config/config.ts";
import type { ClaimsDocument } from "../../lib/domain/claims/claims.ts";
import { encodePublicKey } from "../../lib/domain/claims/nkey.ts";
import type { Operator } from "../../lib/domain/claims/operator.ts";
import type { RelightError } from "../../lib/errors.ts";
import type { Signer } from "../../lib/ports/keys.ts";
import { describeAws, type MotoSettings, startMoto } from "../support/moto.ts";
import { relight } from "../support/relight.ts";

/**
 * One suite for every kind of key reference, up to a real server that accepts the signature. KMS is moto's, with
 * Ed25519 added by scripts/moto_ed25519.py: its requests and refusals are as AWS documents them, its signatures are
 * real. A scripted client below covers throttling and missing permissions.
 */
const moto = await startMoto();
const folder = await mkdtemp(join(tmpdir(), "relight-signer-"));
const environment = { ...process.env };
beforeAll(() => {
  if (!moto.ok) return;
  const { endpoint, region, credentials } = moto.settings;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
});
afterAll(async () => {
  process.env = environment;
  await rm(folder, { recursive: true });
  if (moto.ok) await moto.stop();
});

/** A new operator key, stored somewhere. */
interface Kept {
  readonly reference: string;
  readonly publicKey: string;
}

const account = createAccount().getPublicKey();
const documentOf = (more: object = {}) => {
  const claims = { sub: account, name: "APP", nats: { limits: {}, ...more, type: "account", version: 2 } };
  return jwtCodec.decode(signClaims(claims, createOperator())).document;
};
const naming = (document: ClaimsDocument, issuer: string): ClaimsDocument => ({
  ...document,
  text: document.text.replace(document.claims.iss, issuer),
});
const operatorWith = (signingKeys: readonly string[], own = createOperator().getPublicKey(), strict = false) =>
  ({ id: own, name: "OP", signingKeys, strictSigningKeyUsage: strict }) satisfies Operator;

/** From the configuration's text, as compose does it. */
async function open(reference: string, operator: Operator, env: Record<string, string> = {}): Promise<Signer> {
  const yaml = `cluster: { servers: [a], systemCredentials: file:c }\noperator: { jwt: file:o, signingKey: "${reference}" }\n`;
  const config = parseConfig(yaml, join(folder, "relight.yaml"));
  const { signingKey = "none" } = config.operator;
  return openSigner(signingKey, createSecrets({ baseDir: folder, env }), operator);
}

const env: Record<string, string> = {};
let names = 0;

describe("a seed in a file", () => {
  signerContract(async () => {
    const key = createOperator();
    const name = `key-${++names}.nk`;
    await writeFile(join(folder, name), `${seedOf(key)}\n`);
    return { reference: `file:${join(folder, name)}`, publicKey: key.getPublicKey() };
  });
});

describe("a seed in the environment", () => {
  signerContract(async () => {
    const key = createOperator();
    const name = `SIGNER_${++names}`;
    env[name] = seedOf(key);
    process.env[name] = seedOf(key);
    return { reference: `env:${name}`, publicKey: key.getPublicKey() };
  });
});

describeAws(moto, "a seed in Secrets Manager", (settings) => {
  const client = new SecretsManagerClient(settings);
  afterAll(() => client.destroy());
  signerContract(async () => {
    const key = createOperator();
    const Name = `relight/signer-${++names}`;
    const SecretString = JSON.stringify({ seed: seedOf(key) });
    await client.send(new CreateSecretCommand({ Name, SecretString }));
    return { reference: `aws-sm://${Name}#seed`, publicKey: key.getPublicKey() };
  });
});

describeAws(moto, "a key in KMS, by its ARN", (settings) => {
  const client = new KMSClient(settings);
  afterAll(() => client.destroy());
  signerContract(async () => {
    const { arn, publicKey } = await createKey(client);
    return { reference: `aws-kms://${arn}`, publicKey };
  });
  kmsTests(settings, client);
});

function signerContract(keep: () => Promise<Kept>): void {
  test("its signature verifies, to the byte, with its public key", async () => {
    const { reference, publicKey } = await keep();
    const signer = await open(reference, operatorWith([publicKey]), env);
    expect(signer.publicKey).toBe(publicKey);
    const document = documentOf({ note: "<&> é" });
    const token = await signer.sign(naming(document, publicKey));
    expect(jwtCodec.decode(token)).toMatchObject({
      signatureValid: true,
      document: { text: naming(document, publicKey).text, claims: { iss: publicKey, sub: account } },
    });
  });

  test("an operator that does not know the key refuses it", async () => {
    const { reference, publicKey } = await keep();
    const operator = operatorWith([createOperator().getPublicKey()]);
    await expect(open(reference, operator, env)).rejects.toMatchObject({
      code: "signer.untrusted_key",
      details: { key: publicKey, trusted: [operator.id, ...operator.signingKeys] },
    });
  });

  test("the operator's own key signs, unless signing keys are required", async () => {
    const { reference, publicKey } = await keep();
    await expect(open(reference, operatorWith([], publicKey), env)).resolves.toMatchObject({ publicKey });
    await expect(open(reference, operatorWith([], publicKey, true), env)).rejects.toMatchObject({
      code: "signer.untrusted_key",
      message: expect.stringContaining("strict_signing_key_usage"),
    });
  });

  test.each([
    ["2.10.27", false],
    ["2.15.2", true],
  ] as const)(
    "nats-server %s runs an account that `relight renew` renewed with it (strict: %s)",
    async (version, strict) => {
      const { reference, publicKey } = await keep();
      await using world = await createWorld({
        binary: (await serverBinary(version)).path,
        strict,
        lives: 3_600,
        signingKeys: [publicKey],
      });
      await fill(world, { messages: 3 });
      const yaml = await readFile(`${world.home}/relight.yaml`, "utf8");
      await writeFile(`${world.home}/relight.yaml`, yaml.replace("file:operator.nk", `"${reference}"`));
      const { exit, json } = await relight(world, "renew", "APP", "--json");
      expect(json.findings).toEqual([]);
      expect(json).toMatchObject({ outcome: "renewed", verdict: "healthy", pushed: { iss: publicKey } });
      expect(exit).toBe(0);
      expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
    },
  );
}

async function createKey(client: KMSClient, spec: KeySpec = "ECC_NIST_EDWARDS25519") {
  const usage = spec === "SYMMETRIC_DEFAULT" ? {} : { KeyUsage: "SIGN_VERIFY" as const };
  const order = { KeySpec: spec, ...usage };
  const { KeyMetadata } = await client.send(new CreateKeyCommand(order));
  const { Arn: arn = "", KeyId: id = "" } = KeyMetadata ?? {};
  if (spec !== "ECC_NIST_EDWARDS25519") return { arn, id, publicKey: "" };
  const { PublicKey = new Uint8Array() } = await client.send(new GetPublicKeyCommand({ KeyId: id }));
  return { arn, id, publicKey: encodePublicKey(PublicKey.slice(-32), "operator") };
}

function kmsTests(settings: MotoSettings, client: KMSClient): void {
  const alias = async (id: string): Promise<string> => {
    const AliasName = `alias/relight-${++names}`;
    await client.send(new CreateAliasCommand({ AliasName, TargetKeyId: id }));
    return AliasName;
  };

  test("the same by key id and by alias", async () => {
    const { id, publicKey } = await createKey(client);
    for (const name of [id, await alias(id)])
      expect((await open(`aws-kms://${name}`, operatorWith([publicKey]))).publicKey).toBe(publicKey);
  });

  test("an alias that is moved midway does not change the key", async () => {
    const [old, next] = [await createKey(client), await createKey(client)];
    const AliasName = await alias(old.id);
    const signer = await open(`aws-kms://${AliasName}`, operatorWith([old.publicKey, next.publicKey]));
    await client.send(new UpdateAliasCommand({ AliasName, TargetKeyId: next.id }));
    const document = documentOf();
    const token = await signer.sign(naming(document, old.publicKey));
    expect(jwtCodec.decode(token).signatureValid).toBe(true);
    const renewed = await open(`aws-kms://${AliasName}`, operatorWith([next.publicKey]));
    expect(renewed.publicKey).toBe(next.publicKey);
  });

  test("4096 bytes are signed; one more is refused with its reason, before KMS is called", async () => {
    const { arn, publicKey } = await createKey(client);
    const signer = await open(`aws-kms://${arn}`, operatorWith([publicKey]));
    const sizeOf = (text: string): number => {
      const header = Buffer.from('{"typ":"JWT","alg":"ed25519-nkey"}').toString("base64url");
      return `${header}.${Buffer.from(text).toString("base64url")}`.length;
    };
    const document = documentOf();
    const pad = (count: number) => ({ ...document, text: `${document.text}${" ".repeat(count)}` });
    let fits = 0;
    while (sizeOf(pad(fits + 1).text) <= 4096) fits++;
    expect(sizeOf(pad(fits).text)).toBeGreaterThan(4093);
    await expect(signer.sign(pad(fits))).resolves.toContain(".");
    await expect(signer.sign(pad(fits + 1))).rejects.toMatchObject({
      code: "signer.too_large",
      retryable: false,
      details: { size: sizeOf(pad(fits + 1).text), most: 4096 },
    });
    // KMS itself would have refused it, too.
    const order = { KeyId: arn, MessageType: "RAW", SigningAlgorithm: "ED25519_SHA_512" } as const;
    const tooLong = new SignCommand({ ...order, Message: Buffer.alloc(4097) });
    await expect(client.send(tooLong)).rejects.toMatchObject({ name: "ValidationException" });
  });

  test("an account too large for KMS is refused, and nothing is pushed", async () => {
    const { arn, publicKey } = await createKey(client);
    await using world = await createWorld({
      binary: (await serverBinary("2.10.27")).path,
      lives: 3_600,
      signingKeys: [publicKey],
    });
    const claims = world.claims({ exp: Math.floor(Date.now() / 1000) + 3_600 });
    const large = world.sign({ ...claims, nats: { ...claims.nats, description: "x".repeat(4_000) } });
    await world.push(large);
    const yaml = await readFile(`${world.home}/relight.yaml`, "utf8");
    await writeFile(`${world.home}/relight.yaml`, yaml.replace("file:operator.nk", `"aws-kms://${arn}"`));
    const { exit, json } = await relight(world, "renew", "APP", "--json");
    expect(json.error).toMatchObject({ code: "signer.too_large", details: { most: 4096 } });
    expect(exit).toBe(2);
    const entries = (await relight(world, "journal", "APP", "--json")).json.entries;
    expect(entries.map(({ kind }: { kind: string }) => kind)).not.toContain("push.started");
  });

  test.each<[string, KeySpec]>([
    ["another curve's", "ECC_NIST_P256"],
    ["an RSA", "RSA_2048"],
    ["a symmetric", "SYMMETRIC_DEFAULT"],
  ])("%s key is unusable", async (_what, spec) => {
    const { arn } = await createKey(client, spec);
    await expect(open(`aws-kms://${arn}`, operatorWith([]))).rejects.toMatchObject({
      code: "signer.unusable_key",
      retryable: false,
    });
  });

  test("a disabled key, one marked for deletion and a missing one are unusable, each with its reason", async () => {
    const [disabled, deleted] = [await createKey(client), await createKey(client)];
    await client.send(new DisableKeyCommand({ KeyId: disabled.id }));
    await client.send(new ScheduleKeyDeletionCommand({ KeyId: deleted.id }));
    const missing = "00000000-0000-0000-0000-000000000000";
    for (const [id, reason] of [
      [disabled.id, "DisabledException"],
      [deleted.id, "KMSInvalidStateException"],
      [missing, "NotFoundException"],
    ])
      await expect(open(`aws-kms://${id}`, operatorWith([]))).rejects.toMatchObject({
        code: "signer.unusable_key",
        message: expect.stringContaining(`${reason}`),
      });
  });

  test("a key that is disabled midway fails when it should sign", async () => {
    const { arn, id, publicKey } = await createKey(client);
    const signer = await open(`aws-kms://${arn}`, operatorWith([publicKey]));
    await client.send(new DisableKeyCommand({ KeyId: id }));
    await expect(signer.sign(documentOf())).rejects.toMatchObject({ code: "signer.unusable_key" });
  });

  test("the emulation refuses what KMS documents that it refuses", async () => {
    const { arn } = await createKey(client);
    const Message = Buffer.alloc(64);
    const digest = { MessageType: "DIGEST", SigningAlgorithm: "ED25519_SHA_512" } as const;
    await expect(client.send(new SignCommand({ KeyId: arn, Message, ...digest }))).rejects.toMatchObject({
      name: "ValidationException",
    });
    expect(settings.endpoint).toContain("127.0.0.1");
  });
}

describe("failures of KMS", () => {
  test.each([
    ["ThrottlingException", "signer.unavailable", true],
    ["KMSInternalException", "signer.unavailable", true],
    ["DependencyTimeoutException", "signer.unavailable", true],
    ["KeyUnavailableException", "signer.unavailable", true],
    ["TimeoutError", "signer.unavailable", true],
    ["CredentialsProviderError", "signer.unavailable", true],
    ["AccessDeniedException", "signer.denied", false],
    ["InvalidKeyUsageException", "signer.unusable_key", false],
    ["KMSInvalidStateException", "signer.unusable_key", false],
  ])("%s is %s, at the start and when it should sign", async (name, code, retryable) => {
    const fail = () => {
      throw Object.assign(new Error("private text"), { name });
    };
    const error = { code, retryable, message: expect.stringContaining(name) };
    const atStart = await kmsKey("aws-kms://k", scripted({ GetPublicKeyCommand: fail })).catch((e) => e);
    expect(atStart).toMatchObject(error);
    expect((atStart as RelightError).message).not.toContain("private text");
    const key = await kmsKey("aws-kms://k", scripted({ GetPublicKeyCommand: goodKey, SignCommand: fail }));
    await expect(key.sign(new Uint8Array(1))).rejects.toMatchObject(error);
  });

  test("requests a plain Ed25519 signature of the raw message, with the key that its alias pointed to", async () => {
    const asked: unknown[] = [];
    const client = scripted({
      GetPublicKeyCommand: (input) => {
        asked.push(input);
        return goodKey();
      },
      SignCommand: (input) => {
        asked.push(input);
        return { Signature: new Uint8Array(64) };
      },
    });
    const key = await kmsKey("aws-kms://alias/relight", client);
    await key.sign(Buffer.from("message"));
    expect(asked).toEqual([
      { KeyId: "alias/relight" },
      {
        KeyId: "arn:aws:kms:eu-central-1:1:key/k",
        Message: Buffer.from("message"),
        MessageType: "RAW",
        SigningAlgorithm: "ED25519_SHA_512",
      },
    ]);
  });

  test("anything but an Ed25519 signature is not put into a JWT", async () => {
    const short = scripted({
      GetPublicKeyCommand: goodKey,
      SignCommand: () => ({ Signature: new Uint8Array(63) }),
    });
    const key = await kmsKey("aws-kms://k", short);
    await expect(key.sign(new Uint8Array(1))).rejects.toMatchObject({ code: "signer.unusable_key" });
  });

  test("the gate refuses a signature by another key, because the codec finds it invalid", async () => {
    const client = scripted({
      GetPublicKeyCommand: goodKey,
      SignCommand: () => ({ Signature: new Uint8Array(64) }),
    });
    const signer = remoteSigner(await kmsKey("aws-kms://k", client), operatorWith([good.getPublicKey()]));
    expect(jwtCodec.decode(await signer.sign(documentOf())).signatureValid).toBe(false);
  });
});

const good = createOperator();
const SPKI = "302a300506032b6570032100";
function rawKeyOf(publicKey: string): Buffer {
  const bits = [...publicKey]
    .map((char) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(char).toString(2).padStart(5, "0"))
    .join("");
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((eight) => Number.parseInt(eight, 2))).subarray(1, 33);
}
const goodKey = () => ({
  KeyId: "arn:aws:kms:eu-central-1:1:key/k",
  PublicKey: Buffer.concat([Buffer.from(SPKI, "hex"), rawKeyOf(good.getPublicKey())]),
});

/** A real client with scripted answers; nothing leaves the process. */
function scripted(answers: Record<string, (input: unknown) => object>): KMSClient {
  const client = new KMSClient({ region: "nowhere" });
  client.middlewareStack.add(
    (_next, { commandName = "" }) =>
      async (args) => ({ response: {}, output: { $metadata: {}, ...answers[commandName]?.(args.input) } }),
    { step: "initialize", priority: "high" },
  );
  return client;
}

describe("an operator's nkey from the bytes of its public key", () => {
  test("is what the library makes of the seed, for any key", () => {
    fc.assert(
      fc.property(fc.constant(0), () => {
        const key = createOperator();
        expect(encodePublicKey(rawKeyOf(key.getPublicKey()), "operator")).toBe(key.getPublicKey());
        expect(fromSeed(key.getSeed()).getPublicKey()).toBe(key.getPublicKey());
      }),
      { numRuns: 20 },
    );
  });

  test("passes the library's checksum, for any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const nkey = encodePublicKey(bytes, "operator");
        expect(nkey).toMatch(/^O[A-Z2-7]{55}$/);
        expect(fromPublic(nkey).getPublicKey()).toBe(nkey);
      }),
    );
  });
});
