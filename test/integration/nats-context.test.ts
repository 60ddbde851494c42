import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { newCredentials } from "../../lab/keys.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** A context of the `nats` command stands for servers and credentials, on a real server. */

const { path: binary } = await serverBinary("2.10.27");
const world = await createWorld({ binary });
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});
const contexts = join(world.home, "config", "nats", "context");
await mkdir(contexts, { recursive: true });
process.env["XDG_CONFIG_HOME"] = join(world.home, "config");

const [, url = ""] = /"(nats:\/\/[^"]+)"/.exec(await readFile(join(world.home, "relight.yaml"), "utf8")) ?? [];
const operator = "operator: { jwt: file:operator.jwt }\n";
const credentials = newCredentials(world.systemAccount, "context", world.accountSigningKey);
const [, jwt = ""] = /JWT-+\s+(\S+)/.exec(credentials) ?? [];
const [, seed = ""] = /SEED-+\s+(\S+)/.exec(credentials) ?? [];

async function save(name: string, fields: object): Promise<void> {
  await writeFile(join(contexts, `${name}.json`), JSON.stringify({ url, user_jwt: "", tls_first: false, ...fields }));
}

describe("a NATS context", () => {
  test.each([
    ["a credentials file", { creds: join(world.home, "sys.creds") }],
    ["a JWT and a seed", { user_jwt: jwt, user_seed: seed }],
  ])("with %s connects as the system account, from the configuration and from outside", async (_what, fields) => {
    await save("lab", fields);
    await writeFile(join(world.home, "context.yaml"), `cluster: { context: lab }\n${operator}`);
    await writeFile(
      join(world.home, "other.yaml"),
      `cluster: { servers: ["nats://127.0.0.1:9"], systemCredentials: file:none }\n${operator}`,
    );
    for (const args of [
      ["-c", "context.yaml"],
      ["-c", "other.yaml", "--context", "lab"],
    ]) {
      const { json } = await relight(world, ...args, "status", "--json");
      expect(json.accounts.map(({ name }: { name: string }) => name).sort()).toEqual(["APP", "SYS"]);
      const { json: expiries } = await relight(world, ...args, "expiries", "--json");
      expect(expiries.expiries.find(({ kind }: { kind: string }) => kind === "system-credentials").severity).toBe("ok");
    }
  });

  test.each([
    ["a password", { user: "me", password: "secret-password" }],
    ["a token", { token: "secret-token" }],
    ["an nkey", { nkey: join(world.home, "user.nk") }],
  ])("with %s is refused by a server that knows no such user, without the secret", async (_what, fields) => {
    await writeFile(join(world.home, "user.nk"), new TextDecoder().decode(createUser().getSeed()));
    await save("refused", fields);
    const { exit, stdout, stderr } = await relight(world, "--context", "refused", "status", "--json");
    expect({ exit, code: JSON.parse(stdout).error.code }).toEqual({ exit: 2, code: "nats.unauthorized" });
    expect(stdout + stderr).not.toMatch(/secret-|SU[A-Z2-7]{56}/);
  });
});
