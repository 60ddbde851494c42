import { randomUUID } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { afterAll, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import type { Context as LambdaContext } from "aws-lambda";
import { newCredentials, seedOf } from "../../lab/keys.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { describeAws, startMoto } from "../support/moto.ts";
import { relight } from "../support/relight.ts";

/**
 * The handler on the events of events/, against moto's Secrets Manager and a real server that requires signing keys.
 * The test plays Secrets Manager's part: it labels the new version and calls the steps.
 */
const moto = await startMoto();
const environment = { ...process.env };
afterAll(async () => {
  process.env = environment;
  if (moto.ok) await moto.stop();
});

const STEPS = ["create", "set", "test", "finish"] as const;
const context = {
  awsRequestId: "test-request",
  functionName: "rotate-credentials",
  getRemainingTimeInMillis: () => 60_000,
} as LambdaContext;

describeAws(moto, "rotate-credentials", (settings) => {
  const client = new SecretsManagerClient(settings);
  let world: World;
  let Name: string;
  let arn: string;
  let token: string;
  let names = 0;

  beforeAll(async () => {
    const { endpoint, region, credentials } = settings;
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      RELIGHT_LOG_LEVEL: "silent",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    });
    world = await createWorld({ binary: (await serverBinary("2.10.27")).path, strict: true });
    process.env["RELIGHT_CONFIG"] = `${world.home}/relight.yaml`;
    await writeFile(`${world.home}/sys-signing.nk`, seedOf(world.accountSigningKey));
  });
  afterAll(async () => {
    client.destroy();
    await world?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    Name = `relight/nats-${++names}`;
    const systemCredentials = await readFile(`${world.home}/sys.creds`, "utf8");
    const SecretString = JSON.stringify({ systemCredentials, other: "stays" });
    const { ARN = "" } = await client.send(new CreateSecretCommand({ Name, SecretString }));
    arn = ARN;
    token = randomUUID();
    await configure("file:sys-signing.nk");
  });

  /** relight.yaml with the secret as the system credentials, and a key that signs their successors. */
  async function configure(signingKey: string, more = ""): Promise<void> {
    const lines = (await readFile(`${world.home}/relight.yaml`, "utf8"))
      .replace(/systemCredentials: .*/, `systemCredentials: "aws-sm://${Name}#systemCredentials"`)
      .replace(/\nrotation: .*/s, "");
    const rotation = `\nrotation: { systemSigningKey: "${signingKey}"${more} }\n`;
    await writeFile(`${world.home}/relight.yaml`, `${lines.trimEnd()}${rotation}`);
  }

  /** What Secrets Manager does before it calls the first step. */
  async function begin(): Promise<void> {
    const RotationLambdaARN = "arn:aws:lambda:eu-central-1:123456789012:function:external";
    const order = { SecretId: Name, ClientRequestToken: token, RotationLambdaARN };
    await client.send(new RotateSecretCommand({ ...order, RotationRules: { AutomaticallyAfterDays: 30 } }));
  }

  async function step(name: (typeof STEPS)[number], changes: object = {}) {
    const text = await readFile(new URL(`../../events/rotate-credentials.${name}.json`, import.meta.url), "utf8");
    const event = { ...JSON.parse(text), SecretId: arn, ClientRequestToken: token, ...changes };
    const { handler } = await import("../../functions/rotate-credentials.ts");
    return handler(event, { ...context } as never) as Promise<{ outcome: string }>;
  }

  async function value(VersionStage: string): Promise<{ systemCredentials: string; other: string }> {
    const { SecretString = "" } = await client.send(new GetSecretValueCommand({ SecretId: Name, VersionStage }));
    return JSON.parse(SecretString);
  }

  const labels = async () =>
    (await client.send(new DescribeSecretCommand({ SecretId: Name }))).VersionIdsToStages ?? {};

  async function answers(credentials: string): Promise<boolean> {
    const authenticator = credsAuthenticator(Buffer.from(credentials));
    const connection = await connect({ servers: world.server.url, reconnect: false, authenticator });
    const reply = await connection.request("$SYS.REQ.SERVER.PING.STATSZ", "", { timeout: 2_000 });
    await connection.close();
    return reply.string().includes("statsz");
  }

  const userOf = (credentials: string) => {
    const [, payload = ""] = /eyJ[\w-]+\.([\w-]+)\./.exec(credentials) ?? [];
    return JSON.parse(Buffer.from(payload, "base64url").toString());
  };

  test("creates, proves and promotes a new user, step by step; a repeated step changes nothing", async () => {
    await begin();
    const old = await value("AWSCURRENT");
    expect(await step("create")).toMatchObject({ outcome: "done" });
    const pending = await value("AWSPENDING");
    expect(await step("create")).toMatchObject({ outcome: "already-done" });
    expect(await value("AWSPENDING")).toEqual(pending);
    expect(pending.other).toBe("stays");
    expect(userOf(pending.systemCredentials).sub).not.toBe(userOf(old.systemCredentials).sub);
    expect(userOf(pending.systemCredentials).nats).toEqual(userOf(old.systemCredentials).nats);
    expect(userOf(pending.systemCredentials)).not.toHaveProperty("exp");
    expect(await value("AWSCURRENT")).toEqual(old);

    expect(await step("set")).toMatchObject({ outcome: "nothing-to-do" });
    expect(await step("test")).toMatchObject({ outcome: "done" });
    expect(await step("test")).toMatchObject({ outcome: "done" });
    expect(await step("finish")).toMatchObject({ outcome: "done" });
    expect(await value("AWSCURRENT")).toEqual(pending);
    expect((await labels())[token]).toContain("AWSCURRENT");
    for (const name of STEPS) expect(await step(name)).toMatchObject({ outcome: "already-done" });

    // The old user keeps working, and Relight itself uses the new one from its next run on.
    expect(await answers(old.systemCredentials)).toBe(true);
    expect(await answers(pending.systemCredentials)).toBe(true);
    const { json } = await relight(world, "journal", "--json");
    const [entry] = json.entries.filter(({ kind }: { kind: string }) => kind === "credentials.rotated");
    expect(entry.data).toMatchObject({ name: arn, version: token });
    expect((await relight(world, "verify", "APP", "--json")).json.account).toBe(world.accountId);
  });

  test("a configured lifetime limits the new user", async () => {
    await configure("file:sys-signing.nk", ", userLifetime: 90d");
    await begin();
    await step("create");
    const { iat, exp } = userOf((await value("AWSPENDING")).systemCredentials);
    expect(exp - iat).toBe(90 * 86_400);
  });

  test("a user that servers refuse, or of another account, is never promoted", async () => {
    await writeFile(`${world.home}/foreign.nk`, seedOf(createAccount()));
    await configure("file:foreign.nk");
    await begin();
    const old = await value("AWSCURRENT");
    await step("create");
    await expect(step("test")).rejects.toMatchObject({ code: "nats.unauthorized" });
    await expect(step("finish")).rejects.toMatchObject({ code: "nats.unauthorized" });
    expect(await value("AWSCURRENT")).toEqual(old);

    token = randomUUID();
    await begin();
    const systemCredentials = newCredentials(world.account, "app", world.accountSigningKey);
    const order = { SecretId: Name, ClientRequestToken: token, VersionStages: ["AWSPENDING"] };
    const SecretString = JSON.stringify({ systemCredentials });
    await client.send(new PutSecretValueCommand({ ...order, SecretString }));
    await expect(step("test")).rejects.toMatchObject({ code: "nats.not_system_account" });
    expect(await value("AWSCURRENT")).toEqual(old);
  });

  test("anything but a running rotation of this secret is refused, and nothing changes", async () => {
    const refused = { code: "rotation.refused" };
    await expect(step("create")).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("not enabled"),
    });
    await begin();
    const before = await labels();
    const current = Object.keys(before).find((id) => before[id]?.includes("AWSCURRENT"));
    expect(await step("create", { ClientRequestToken: current })).toMatchObject({ outcome: "already-done" });
    await expect(step("create", { ClientRequestToken: randomUUID() })).rejects.toMatchObject(refused);
    await expect(step("create", { Step: "dropSecret" })).rejects.toMatchObject(refused);
    await expect(step("test")).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("createSecret"),
    });
    await expect(step("finish")).rejects.toMatchObject(refused);
    const other = await client.send(new CreateSecretCommand({ Name: `other-${token}`, SecretString: "x" }));
    await expect(step("create", { SecretId: other.ARN })).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining("cluster.systemCredentials"),
    });
    await expect(step("create", { SecretId: "missing" })).rejects.toMatchObject({ code: "secret.not_found" });
    expect(await labels()).toEqual(before);
  });
});
