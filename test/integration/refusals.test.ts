import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator } from "@nats-io/nkeys";
import { nowSeconds, seedOf } from "../../lab/keys.ts";
import { fill } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

describe.each(sampleOf(["2.10.27"], VERSIONS))("the push gate (nats-server %s)", (version) => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary(version)).path, lives: 3_600 });
    await fill(world, { messages: 5 });
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  const later = (): { exp: number; iat: number } => ({ exp: nowSeconds() + 7_200, iat: nowSeconds() + 5 });
  const foreign = createAccount();

  test.each<[string, () => string, string]>([
    ["of an untrusted operator", () => world.sign(world.claims(later()), createOperator()), "untrusted_issuer"],
    ["older than the one in force", () => world.sign(world.claims({ ...later(), iat: nowSeconds() - 600 })), "stale"],
    ["that lowers a limit", () => world.sign(world.claims({ ...later(), limits: { conn: 3 } })), "limit_lowered"],
    ["that changes a permission", () => world.sign({ ...world.claims(later()), name: "OTHER" }), "claims_changed"],
    ["that has expired", () => world.sign(world.claims({ ...later(), exp: nowSeconds() - 1 })), "expired"],
    ["whose signature is not its issuer's", () => tampered(world.sign(world.claims(later()))), "bad_signature"],
  ])("refuses a JWT %s, before it reaches the resolver", async (_situation, make, code) => {
    const { run, pushes } = await pushAndWatch(world, make());
    expect(run.json.error).toMatchObject({ code: "gate.refused" });
    expect(run.json.error.details.refusals.map((refusal: { code: string }) => refusal.code)).toContain(code);
    expect(run.exit).toBe(2);
    expect(pushes).toBe(0);
  });

  test("refuses a JWT that another operator signed, of an unknown account", async () => {
    const claims = { ...world.claims(later()), sub: foreign.getPublicKey() };
    const { run, pushes } = await pushAndWatch(world, world.sign(claims, createOperator()));
    expect(run.json.error).toMatchObject({ code: "gate.refused" });
    expect(pushes).toBe(0);
  });

  test.each([
    ["nonsense", "nonsense", /three parts/],
    ["a user's JWT", "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.AA", /"sub" is not an account/],
    ["another algorithm", `${Buffer.from('{"typ":"JWT","alg":"HS256"}').toString("base64url")}.e30.AA`, /HS256/],
  ])("refuses anything but an account JWT: %s", async (_what, token, message) => {
    const { run, pushes } = await pushAndWatch(world, token);
    expect(run.json.error).toMatchObject({ code: "jwt.malformed", message: expect.stringMatching(message) });
    expect(run.exit).toBe(2);
    expect(pushes).toBe(0);
  });

  test("accepts a plain renewal made elsewhere, and proves it", async () => {
    const claims = world.claims(later());
    const { run, pushes } = await pushAndWatch(world, world.sign(claims));
    expect(run.json).toMatchObject({
      outcome: "pushed",
      verdict: "healthy",
      pushed: { servers: ["lab"], exp: claims["exp"] },
    });
    expect(run.exit).toBe(0);
    expect(pushes).toBe(1);
  });

  test("renew keeps every other claim, and proves the new JWT on the server", async () => {
    const before = await payload(world);
    const { json, exit } = await relight(world, "renew", "APP", "--json");
    expect(json).toMatchObject({ outcome: "renewed", verdict: "healthy", pushed: { servers: ["lab"] } });
    expect(exit).toBe(0);
    const after = await payload(world);
    const rest = (text: string): string => text.replace(/"(exp|iat)":\d+|"(jti|iss)":"[^"]*"/g, "");
    expect(rest(after)).toBe(rest(before));
    expect(JSON.parse(after).exp).toBeGreaterThan(nowSeconds() + 89 * 86_400);
  });
});

describe("with strict_signing_key_usage", () => {
  test("renews with the signing key; refuses the operator's own key before anything is pushed", async () => {
    await using world = await createWorld({
      binary: (await serverBinary("2.15.2")).path,
      strict: true,
      lives: 3_600,
    });
    const seen = await relight(world, "verify", "APP", "--json");
    expect(seen.json).toMatchObject({ verdict: "healthy", depth: "account" });
    const renewed = await relight(world, "renew", "APP", "--json");
    expect(renewed.json).toMatchObject({
      outcome: "renewed",
      pushed: { iss: world.operatorSigningKey.getPublicKey() },
    });

    await writeFile(`${world.home}/operator.nk`, seedOf(world.operator));
    const refused = await relight(world, "renew", "APP", "--json");
    expect(refused.json.error).toMatchObject({ code: "signer.untrusted_key" });
    expect(refused.exit).toBe(2);
  });
});

/** Pushes with the command, while somebody listens to every push that reaches the servers. */
async function pushAndWatch(world: World, token: string) {
  await writeFile(`${world.home}/new.jwt`, token);
  const system = await world.connectAs("system");
  let pushes = 0;
  system.subscribe("$SYS.REQ.CLAIMS.UPDATE", { callback: () => void pushes++ });
  await system.flush();
  const run = await relight(world, "push", "new.jwt", "--json");
  // What was published before this round trip has arrived.
  await system.flush();
  await system.close();
  return { run, pushes };
}

async function payload(world: World): Promise<string> {
  const system = await world.connectAs("system");
  const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`);
  await system.close();
  return Buffer.from(reply.string().split(".")[1] ?? "", "base64url").toString();
}

/** Another payload with the same signature. */
function tampered(token: string): string {
  const [header, body = "", signature] = token.split(".");
  const text = Buffer.from(body, "base64url").toString().replace('"conn":-1', '"conn":-1 ');
  return [header, Buffer.from(text).toString("base64url"), signature].join(".");
}
