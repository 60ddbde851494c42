import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  type GetSecretValueCommandOutput,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, describe, expect, test } from "@jest/globals";
import { secretsManagerClient, secretsManagerSecrets } from "../../lib/adapters/aws/secrets/secrets-manager.ts";
import { createSecrets, keptOf, keptSecrets, withCurrent } from "../../lib/compose/secrets.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Secrets } from "../../lib/ports/secrets.ts";
import { fakeSecrets } from "../support/fakes/secrets.ts";
import { describeAws, type MotoSettings, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const folder = await mkdtemp(join(tmpdir(), "relight-secrets-"));
afterAll(() => rm(folder, { recursive: true }));

/** A place where a test can store secrets under a reference, and a reader of them for one run. */
interface Store {
  readonly store: (value: string) => Promise<{ reference: string; rotate: (value: string) => Promise<void> }>;
  readonly missing: string;
  readonly newRun: () => Secrets;
}

let names = 0;
const newName = () => `secret-${++names}`;
const local = (env: Record<string, string> = {}) => createSecrets({ baseDir: folder, env });

describe("fake", () => {
  const values: Record<string, string> = {};
  secretsContract({
    store: async (value) => {
      const reference = `fake:${newName()}`;
      const rotate = async (next: string) => void Object.assign(values, { [reference]: next });
      await rotate(value);
      return { reference, rotate };
    },
    missing: "fake:missing",
    newRun: () => fakeSecrets(values),
  });
});

describe("file", () => {
  secretsContract({
    store: async (value) => {
      const name = newName();
      const rotate = (next: string) => writeFile(join(folder, name), next);
      await rotate(value);
      return { reference: `file:${name}`, rotate };
    },
    missing: "file:missing",
    newRun: () => local(),
  });

  test("an absolute path is used as it is, a relative one from the configuration's folder", async () => {
    await mkdir(join(folder, "deep", "er"), { recursive: true });
    await writeFile(join(folder, "deep", "er", "it.creds"), "value");
    expect(await local().read("file:deep/er/it.creds")).toBe("value");
    expect(await local().read(`file:${join(folder, "deep", "er", "it.creds")}`)).toBe("value");
  });

  test.each([
    ["one newline", "value\n"],
    ["Windows' newline", "value\r\n"],
    ["several", "value\n\n"],
  ])("%s at the end is not part of the secret", async (_, text) => {
    await writeFile(join(folder, "newline"), text);
    expect(await local().read("file:newline")).toBe("value");
  });

  test.each([
    ["a folder", "file:.", "secret.invalid_reference"],
    ["no path", "file:", "secret.invalid_reference"],
    ["a file taken for a folder", "file:newline/inside", "secret.not_found"],
  ])("%s is refused", async (_, reference, code) => {
    await expect(local().read(reference)).rejects.toMatchObject({ code });
  });
});

describe("environment", () => {
  const env: Record<string, string> = {};
  secretsContract({
    store: async (value) => {
      const name = `SECRET_${++names}`;
      const rotate = async (next: string) => void Object.assign(env, { [name]: next });
      await rotate(value);
      return { reference: `env:${name}`, rotate };
    },
    missing: "env:MISSING",
    newRun: () => local(env),
  });

  test.each([
    ["no name", "env:", "secret.invalid_reference"],
    ["an invalid variable name", "env:A-B", "secret.invalid_reference"],
    ["what every object has", "env:constructor", "secret.not_found"],
  ])("%s is refused", async (_, reference, code) => {
    await expect(local().read(reference)).rejects.toMatchObject({ code });
  });
});

describe("after a refusal", () => {
  const refusal = new RelightError("nats.unauthorized", "no");
  /** Work that is refused until a kept secret was read again. */
  function worker({ kept, heals = true, error = refusal }: { kept: boolean; heals?: boolean; error?: RelightError }) {
    let [isKept, tries] = [kept, 0];
    const renew = (): boolean => {
      const was = isKept;
      isKept = false;
      return was;
    };
    const work = async (): Promise<number> => {
      tries += 1;
      if (isKept || !heals) throw error;
      return tries;
    };
    return { run: () => withCurrent({ read: async () => "", renew }, work), tries: () => tries };
  }

  test("the work is done once more with what the store has now", async () => {
    expect(await worker({ kept: true }).run()).toBe(2);
  });

  test("it stands if the store's own secret is refused, or if it is no refusal", async () => {
    const still = worker({ kept: true, heals: false });
    await expect(still.run()).rejects.toBe(refusal);
    expect(still.tries()).toBe(2);
    const own = worker({ kept: false, heals: false });
    await expect(own.run()).rejects.toBe(refusal);
    expect(own.tries()).toBe(1);
    const away = worker({ kept: true, error: new RelightError("nats.unreachable", "no") });
    await expect(away.run()).rejects.toMatchObject({ code: "nats.unreachable" });
    expect(away.tries()).toBe(1);
  });
});

test("only the system user and the accounts' keys are kept", () => {
  const cluster = { systemCredentials: "aws-sm://relight/system" };
  const accounts = [{ id: "A", signingKey: "aws-sm://relight/accounts#APP" }, { id: "B" }];
  const secrets = keptSecrets();
  expect(keptOf({ cluster, accounts } as never, secrets)?.references).toEqual([
    "aws-sm://relight/system",
    "aws-sm://relight/accounts#APP",
  ]);
  expect(keptOf({ cluster, accounts } as never, undefined)).toBeUndefined();
});

describeAws(moto, "Secrets Manager on moto", (settings) => {
  const client = new SecretsManagerClient(settings);
  afterAll(() => client.destroy());
  const newRun = () => createSecrets({ baseDir: folder, env: {}, secretsManager: () => client });
  secretsContract({
    store: async (value) => {
      const name = await create(client, value);
      const rotate = async (next: string) => {
        await client.send(new PutSecretValueCommand({ SecretId: name, SecretString: next }));
      };
      return { reference: `aws-sm://${name}`, rotate };
    },
    missing: "aws-sm://missing",
    newRun,
  });
  secretsManagerTests(settings, client, newRun);
});

function secretsContract({ store, missing, newRun }: Store): void {
  test("returns the secret with all its lines", async () => {
    const value = "-----BEGIN-----\nGrüße\n\n-----END-----";
    const { reference } = await store(value);
    expect(await newRun().read(reference)).toBe(value);
  });

  test("a secret stays the same within a run; the next run sees the rotated one", async () => {
    const { reference, rotate } = await store("old");
    const run = newRun();
    expect(await run.read(reference)).toBe("old");
    await rotate("new");
    expect(await run.read(reference)).toBe("old");
    expect(await newRun().read(reference)).toBe("new");
  });

  test("a missing secret is secret.not_found, with the reference", async () => {
    const error = { code: "secret.not_found", message: expect.stringContaining(missing), retryable: false };
    await expect(newRun().read(missing)).rejects.toMatchObject(error);
  });
}

async function create(client: SecretsManagerClient, value: string | Uint8Array): Promise<string> {
  const name = `prod/relight/${newName()}`;
  const content = typeof value === "string" ? { SecretString: value } : { SecretBinary: value };
  await client.send(new CreateSecretCommand({ Name: name, ...content }));
  return name;
}

function secretsManagerTests(settings: MotoSettings, client: SecretsManagerClient, newRun: () => Secrets): void {
  test("what is kept is not read again by the next run, until it is refused or old", async () => {
    const [name, other] = [await create(client, '{"A":"old","B":"b"}'), await create(client, "old")];
    let now = 0;
    const secrets = keptSecrets({ monotonic: () => millis(now) }, millis(1_000));
    const keptRun = () =>
      createSecrets({
        baseDir: folder,
        env: {},
        secretsManager: () => client,
        kept: { secrets, references: [`aws-sm://${name}#A`] },
      });
    const put = (id: string, text: string) =>
      client.send(new PutSecretValueCommand({ SecretId: id, SecretString: text }));
    const first = keptRun();
    expect(await first.read(`aws-sm://${name}#A`)).toBe("old");
    expect(await first.read(`aws-sm://${other}`)).toBe("old");
    // It read them itself, so a refusal stands.
    expect(first.renew?.()).toBe(false);
    await put(name, '{"A":"new","B":"b2"}');
    await put(other, "new");

    const second = keptRun();
    expect(await second.read(`aws-sm://${name}#A`)).toBe("old");
    // Nobody said to keep this one.
    expect(await second.read(`aws-sm://${other}`)).toBe("new");
    expect(second.renew?.()).toBe(true);
    expect(await second.read(`aws-sm://${name}#A`)).toBe("new");
    expect(second.renew?.()).toBe(false);

    await put(name, '{"A":"newest","B":"b3"}');
    now += 999;
    expect(await keptRun().read(`aws-sm://${name}#B`)).toBe("b2");
    now += 1;
    expect(await keptRun().read(`aws-sm://${name}#A`)).toBe("newest");
  });

  test("a version in preparation is not returned until it is in force", async () => {
    const name = await create(client, "current");
    const pending = { SecretId: name, SecretString: "pending", VersionStages: ["AWSPENDING"] };
    const { VersionId } = await client.send(new PutSecretValueCommand(pending));
    expect(await newRun().read(`aws-sm://${name}`)).toBe("current");

    const { VersionId: before } = await client.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: "current", VersionStages: ["AWSCURRENT"] }),
    );
    await client.send(
      new UpdateSecretVersionStageCommand({
        SecretId: name,
        VersionStage: "AWSCURRENT",
        MoveToVersionId: VersionId,
        RemoveFromVersionId: before,
      }),
    );
    expect(await newRun().read(`aws-sm://${name}`)).toBe("pending");
  });

  test("a field of a JSON secret", async () => {
    const name = await create(client, JSON.stringify({ seed: "the seed", other: "x" }));
    expect(await newRun().read(`aws-sm://${name}#seed`)).toBe("the seed");
  });

  test("by ARN as well as by name", async () => {
    const { ARN } = await client.send(new CreateSecretCommand({ Name: newName(), SecretString: "value" }));
    expect(await newRun().read(`aws-sm://${ARN}`)).toBe("value");
  });

  test("a binary secret that is text", async () => {
    const name = await create(client, new TextEncoder().encode('{"seed":"Grüße"}'));
    expect(await newRun().read(`aws-sm://${name}#seed`)).toBe("Grüße");
  });

  test.each([
    ["is no JSON", "SECRET-TEXT", "#seed"],
    ["is JSON but no object", '["SECRET-TEXT"]', "#seed"],
    ["lacks the field", '{"other":"SECRET-TEXT"}', "#seed"],
    ["has the field, but as no text", '{"seed":{"x":"SECRET-TEXT"}}', "#seed"],
    ["has only what every object has", '{"x":"SECRET-TEXT"}', "#toString"],
    ["is binary", new Uint8Array([0xff, 0xfe, 0x00]), ""],
    ["has an empty field", '{"seed":"","x":"SECRET-TEXT"}', "#seed"],
  ])("a secret that %s is secret.malformed, and is not shown", async (_, value, fragment) => {
    const reference = `aws-sm://${await create(client, value)}${fragment}`;
    const error: Error = await newRun()
      .read(reference)
      .then(fail, (thrown) => thrown);
    expect(error).toMatchObject({ code: "secret.malformed", message: expect.stringContaining(reference) });
    expect([error.message, error.stack, String(error.cause), JSON.stringify(error)].join()).not.toContain(
      "SECRET-TEXT",
    );
  });

  test("a secret marked for deletion is secret.not_found", async () => {
    const name = await create(client, "value");
    await client.send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: 7 }));
    await expect(newRun().read(`aws-sm://${name}`)).rejects.toMatchObject({ code: "secret.not_found" });
  });

  test.each(["aws-sm://", "aws-sm://#field", "aws-sm://name#"])("%s is not a reference", async (reference) => {
    await expect(newRun().read(reference)).rejects.toMatchObject({ code: "secret.invalid_reference" });
  });

  test("the production client uses only the environment for address and credentials", async () => {
    const name = await create(client, "value");
    const before = { ...process.env };
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: settings.endpoint,
      AWS_REGION: settings.region,
      AWS_ACCESS_KEY_ID: settings.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: settings.credentials.secretAccessKey,
    });
    const production = secretsManagerClient();
    try {
      expect(await secretsManagerSecrets(production).read(`aws-sm://${name}`)).toBe("value");
    } finally {
      production.destroy();
      process.env = before;
    }
  });
}

describe("failures of Secrets Manager", () => {
  test.each(["ThrottlingException", "AccessDeniedException", "InternalServiceError", "TimeoutError"])(
    "%s is secret.unavailable, which is retryable",
    async (name) => {
      const { secrets } = scripted(() => {
        throw Object.assign(new Error("no"), { name });
      });
      const error = { code: "secret.unavailable", retryable: true, message: expect.stringContaining(name) };
      await expect(secrets.read("aws-sm://x")).rejects.toMatchObject(error);
    },
  );

  test("an answer that is not AWSCURRENT is refused", async () => {
    const { secrets } = scripted(() => ({ SecretString: "pending", VersionStages: ["AWSPENDING"] }));
    await expect(secrets.read("aws-sm://x")).rejects.toMatchObject({ code: "secret.unavailable" });
  });

  test("concurrent reads share one, and a failed one is not kept", async () => {
    const { secrets, reads } = scripted((read) => {
      if (read === 1) throw new Error("the network");
      return { SecretString: "value", VersionStages: ["AWSCURRENT"] };
    });
    const both = await Promise.allSettled([secrets.read("aws-sm://x"), secrets.read("aws-sm://x")]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(reads()).toBe(1);
    expect(await Promise.all([secrets.read("aws-sm://x"), secrets.read("aws-sm://x")])).toEqual(["value", "value"]);
    expect(await secrets.read("aws-sm://x")).toBe("value");
    expect(reads()).toBe(2);
  });

  test("asks for AWSCURRENT by name", async () => {
    const { secrets, inputs } = scripted(() => ({ SecretString: "value", VersionStages: ["AWSCURRENT"] }));
    await secrets.read("aws-sm://a/b/c");
    expect(inputs).toEqual([{ SecretId: "a/b/c", VersionStage: "AWSCURRENT" }]);
  });
});

/** A real client with scripted answers; nothing leaves the process. */
function scripted(answer: (read: number) => Partial<GetSecretValueCommandOutput>) {
  const inputs: unknown[] = [];
  const client = new SecretsManagerClient({ region: "nowhere" });
  client.middlewareStack.add(
    () => async (args) => {
      inputs.push(args.input);
      return { response: {}, output: { $metadata: {}, ...answer(inputs.length) } };
    },
    { step: "initialize", priority: "high" },
  );
  const secrets = createSecrets({ baseDir: folder, env: {}, secretsManager: () => client });
  return { secrets, inputs, reads: () => inputs.length };
}

describe("any reference", () => {
  test.each(["", "plain", "http://x", "FILE:x", "aws-kms://key"])("%j has an unknown scheme", async (reference) => {
    await expect(local().read(reference)).rejects.toMatchObject({ code: "secret.invalid_reference" });
  });

  test("a secret in place of its reference is not repeated", async () => {
    const seed = `SO${"A".repeat(56)}`;
    const error: Error = await local()
      .read(seed)
      .then(fail, (thrown) => thrown);
    expect(JSON.stringify(error) + error.stack).not.toContain(seed);
  });

  test.each([
    ["file", "file:blank"],
    ["env", "env:BLANK"],
  ])("an empty %s is secret.malformed", async (_, reference) => {
    await writeFile(join(folder, "blank"), " \n");
    await expect(local({ BLANK: "" }).read(reference)).rejects.toMatchObject({ code: "secret.malformed" });
  });

  test("without secrets at AWS its SDK is never loaded", () => {
    const script = `
      import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ resolve: (name, context, next) => { loaded.push(name); return next(name, context); } });
      const { createSecrets } = await import("./lib/compose/secrets.ts");
      const secrets = createSecrets({ baseDir: ".", env: { A: "value" } });
      console.log(await secrets.read("env:A"), loaded.filter((name) => name.startsWith("@aws-sdk")).length);
      await secrets.read("aws-sm://").catch(() => {});
      console.log(loaded.filter((name) => name.startsWith("@aws-sdk")).length > 0);
    `;
    const cwd = join(import.meta.dirname, "..", "..");
    const env = { PATH: process.env["PATH"] ?? "", AWS_REGION: "nowhere" };
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd,
      env,
      encoding: "utf8",
    });
    expect(child.stdout.trim().split("\n")).toEqual(["value 0", "true"]);
  });
});

function fail(): never {
  throw new Error("it should have failed");
}
