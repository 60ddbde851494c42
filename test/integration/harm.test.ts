import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { jetstream as jetstreamOf } from "@nats-io/jetstream";
import { createAccount, createUser } from "@nats-io/nkeys";
import { accountClaims, JETSTREAM, UNLIMITED } from "../../lab/claims.ts";
import { type Claims, nowSeconds, signText } from "../../lab/keys.ts";
import { fill } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

const DAY = 86_400;
const USER = createUser().getPublicKey();
const DENY_ALL = { pub: { deny: [">"] }, sub: { deny: [">"] } };
const toPartitions = (count: number) => ({ "parts.*": [{ subject: `parts.{{partition(${count},1)}}` }] });
const toNowhere = (from: string) => ({ [from]: [{ subject: "nowhere.>" }] });
const scopeOf = (world: World) => ({
  kind: "user_scope",
  key: world.accountSigningKey.getPublicKey(),
  role: "r",
  template: { pub: {}, sub: {}, subs: -1, data: -1, payload: -1 },
});
const YES = ["--allow-changes", "--yes"];

/** Claims that servers accept and that do harm. One world, whose last test crashes its server for good. */
describe.each(sampleOf(["2.10.27"], ["2.10.27", "2.15.2"]))("harmful claims (nats-server %s)", (version) => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary(version)).path, lives: 80 * DAY });
    await fill(world, { messages: 5 });
    issued = nowSeconds();
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  let issued: number;
  const inForce = (changes: object = {}): Claims => {
    const claims = world.claims({ exp: nowSeconds() + 81 * DAY, iat: ++issued });
    return { ...claims, ...changes };
  };
  const withNats = (nats: object): Claims => inForce({ nats: { ...inForce().nats, ...nats } });
  const systemClaims = (limits: object): Claims => ({
    ...accountClaims("SYS", world.systemAccount, world.accountSigningKey, { ...UNLIMITED, ...limits }),
    iat: ++issued,
  });
  const systemNats = (nats: object): Claims => {
    const claims = systemClaims({});
    return { ...claims, nats: { ...claims.nats, ...nats } };
  };
  const foreign = createAccount();
  const newAccount = (limits: object): Claims => ({
    ...accountClaims("NEW", foreign, world.accountSigningKey, { ...UNLIMITED, ...limits }),
    iat: nowSeconds(),
  });

  const refused: readonly [string, () => Claims, string][] = [
    ["JetStream on the system account", () => systemClaims(JETSTREAM), "system_jetstream"],
    ["an end in twelve seconds", () => inForce({ exp: nowSeconds() + 12 }), "expires_earlier"],
    ["an end that servers count past", () => inForce({ exp: 253_402_300_799 }), "expires_too_late"],
    ["an issue in fifty years", () => inForce({ iat: nowSeconds() + 50 * 365 * DAY }), "issued_ahead"],
    ["an issue at the end of all numbers", () => inForce({ iat: Number.MAX_SAFE_INTEGER }), "issued_ahead"],
    ["all users revoked ahead", () => withNats({ revocations: { "*": nowSeconds() + DAY } }), "locked_out"],
    ["no signing key any more", () => withNats({ signing_keys: [] }), "signing_key_removed"],
    [
      "tiers beside flat limits",
      () => withNats({ limits: { ...UNLIMITED, ...JETSTREAM, tiered_limits: { R1: { disk_storage: -1 } } } }),
      "tiers_beside_flat",
    ],
    ["a limit that is no number to servers", () => newAccount({ conn: 2 ** 32 }), "limit_misread"],
    ["a new account without connections", () => newAccount({ conn: 0 }), "locked_out"],
    ["a new account without payload", () => newAccount({ payload: 0 }), "locked_out"],
    ["a mapping that counts to nothing", () => withNats({ mappings: toPartitions(0) }), "crashes_servers"],
    ["one that counts to nothing in 32 bits", () => withNats({ mappings: toPartitions(2 ** 32) }), "crashes_servers"],
    ["JetStream's API mapped away", () => withNats({ mappings: toNowhere("$JS.API.>") }), "locked_out"],
    ["more than the server has", () => newAccount({ ...JETSTREAM, mem_storage: 10 ** 13 }), "no_room"],
    ["tiers that no stream has", () => newAccount({ tiered_limits: { r1: { disk_storage: 1 } } }), "limit_misread"],
    ["what servers refuse", () => withNats({ exports: [{ subject: "a..b", type: "service" }] }), "servers_refuse"],
    ["another signing key", () => withNats({ signing_keys: [foreign.getPublicKey()] }), "signing_key_removed"],
    ["a scope for the signing key", () => withNats({ signing_keys: [scopeOf(world)] }), "signing_key_removed"],
    ["nothing allowed any more", () => withNats({ default_permissions: DENY_ALL }), "locked_out"],
    ["Relight's system user revoked", () => systemNats({ revocations: { "*": nowSeconds() } }), "locked_out"],
    ["requests of the system account mapped away", () => systemNats({ mappings: toNowhere(">") }), "locked_out"],
    ["auth callout for the system account", () => systemNats({ authorization: { auth_users: [USER] } }), "locked_out"],
    [
      "no inbox for the system user",
      () => systemNats({ default_permissions: { sub: { allow: ["x"] } } }),
      "locked_out",
    ],
    [
      "the system user's signing key removed",
      () => systemNats({ signing_keys: [foreign.getPublicKey()] }),
      "signing_key_removed",
    ],
  ];
  // What the gate says does not depend on the version: once is enough for all but the first.
  test.each(version === "2.10.27" ? refused : refused.slice(0, 1))(
    "%s is refused, even if forced",
    async (_what, make, code) => {
      const { run, pushes } = await pushAndWatch(world, world.sign(make()), ...YES);
      expect(run.json.error).toMatchObject({ code: "gate.refused" });
      expect(run.json.error.details.refusals.map((refusal: { code: string }) => refusal.code)).toContain(code);
      expect(run.exit).toBe(2);
      expect(pushes).toBe(0);
    },
  );

  test("a key that servers read as another is malformed, and named", async () => {
    const text = JSON.stringify({ jti: "X", iss: world.operator.getPublicKey(), ...inForce() });
    const token = signText(text.replace("{", `{"Exp":${nowSeconds() + 12},`), world.operator);
    const { run, pushes } = await pushAndWatch(world, token, ...YES);
    expect(run.json.error).toMatchObject({
      code: "jwt.malformed",
      message: expect.stringMatching(/"Exp" as "exp"/),
    });
    expect(pushes).toBe(0);
  });

  test("a revocation that no server can store is malformed", async () => {
    const token = world.sign(withNats({ revocations: { [USER]: 253_402_300_800 } }));
    const { run, pushes } = await pushAndWatch(world, token, ...YES);
    expect(run.json.error).toMatchObject({ code: "jwt.malformed" });
    expect(pushes).toBe(0);
  });

  test("a push of another JWT with the id of the one in force is proved by its content", async () => {
    const jti = "the same";
    await world.push(world.sign(inForce({ jti })));
    const changed = withNats({ description: "changed" });
    const { run } = await pushAndWatch(world, world.sign({ ...changed, jti, iat: Number(changed["iat"]) }), ...YES);
    expect(run.json).toMatchObject({ outcome: "pushed" });
    const system = await world.connectAs("system");
    const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.INFO`);
    await system.close();
    expect(reply.string()).toContain('"description":"changed"');
    await world.push(world.sign(inForce()));
  });

  test("an earlier expiry is pushed if a person allows it, and the next renewal works", async () => {
    const token = world.sign(inForce({ exp: nowSeconds() + DAY }));
    const { run } = await pushAndWatch(world, token, "--allow-earlier-expiry");
    expect(run.json).toMatchObject({ outcome: "pushed", pushed: { servers: ["lab"] } });
    const renewed = await relight(world, "renew", "APP", "--json");
    expect(renewed.json).toMatchObject({ outcome: "renewed", verdict: "healthy" });
  });

  test("tiers instead of flat limits are pushed with --restart-follows, and the servers then need restarts", async () => {
    const toTiers = ["jetstream", "limits", "APP", "--to-tiers", "R1", "--yes", "--json"];
    const tiers = withNats({ limits: { ...UNLIMITED, tiered_limits: { R1: { disk_storage: -1 } } } });
    const { run, pushes } = await pushAndWatch(world, world.sign(tiers), ...YES);
    expect(JSON.stringify(run.json.error.details.refusals)).toMatch(/tier_switch.*JOBS, ORDERS.*10120/);
    expect(pushes).toBe(0);
    const done = await relight(world, ...toTiers, "--restart-follows");
    expect(done.json).toMatchObject({
      outcome: "pushed",
      why: expect.stringMatching(/restart the servers now/),
    });
    expect(done.json.findings).toMatchObject([{ code: "limit.outside_tiers", health: "dead" }]);
    await expect(publish(world)).rejects.toThrow(/no JetStream default or applicable tiered limit|10120/);
    await world.server.stop();
    await world.server.start();
    await waitFor("a message to be taken", () =>
      publish(world).then(
        () => true,
        () => false,
      ),
    );
  });

  test("JetStream on the system account is refused even if forced; doctor reports it if it exists, and it can be removed", async () => {
    const order = ["jetstream", "enable", "SYS", "--storage", "1MiB", "--yes", "--force", "--json"];
    const refused = await relight(world, ...order);
    expect(refused.json.error).toMatchObject({ code: "limits.refused" });
    expect(refused.json.error.message).toMatch(/none could start again/);

    await pushSystem(world, systemClaims(JETSTREAM));
    const verified = await relight(world, "verify", "SYS", "--json");
    expect(verified.json.findings.map(({ code }: { code: string }) => code)).toContain("claims.no_start");
    expect(verified.exit).toBe(2);
    const { json: seen } = await relight(world, "doctor", "--json");
    expect(JSON.stringify(seen)).toContain('"noServerWouldStart":["SYS"]');
    const doctor = await relight(world, "doctor");
    expect(doctor.stdout).toMatch(
      /DO NOT RESTART ANY SERVER NOW\s+SYS: the claims of the system account have JetStream/,
    );

    const taken = await relight(
      world,
      "jetstream",
      "limits",
      "SYS",
      "--memory",
      "0",
      "--storage",
      "0",
      "--yes",
      "--json",
    );
    expect(taken.json).toMatchObject({ outcome: "pushed" });
    await world.server.stop();
    await world.server.start();
    expect((await relight(world, "verify", "SYS", "--json")).json.findings).toEqual([]);
  });

  test("a server does not start with JetStream on the system account", async () => {
    issued += 100;
    await pushSystem(world, systemClaims(JETSTREAM));
    await world.server.stop();
    await expect(world.server.start()).rejects.toThrow(/Not allowed to enable JetStream on the system account/);
  });
});

describe("effects of such claims on servers", () => {
  test.each(["2.9.25", "2.10.27"])("nats-server %s crashes on a mapping with an invalid count", async (version) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    const claims = world.claims();
    await world.push(
      world.sign({ ...claims, iat: nowSeconds() + 1, nats: { ...claims.nats, mappings: toPartitions(0) } }),
    );
    const connection = await world.connectAs("app");
    connection.publish("parts.one");
    // Never answered: the server crashes.
    void connection.flush().catch(() => undefined);
    await waitFor("the server to end", () => world.server.pid() === undefined);
    expect(await world.server.panics()).toContain("integer divide by zero");
  });

  test.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))(
    "nats-server %s accepts limits that it can't reserve, and starts without the account's JetStream",
    async (version) => {
      await using world = await createWorld({ binary: (await serverBinary(version)).path });
      await fill(world, { messages: 1 });
      await publish(world);
      await world.push(world.sign({ ...world.claims({ limits: { mem_storage: 10 ** 13 } }), iat: nowSeconds() + 1 }));
      await publish(world);
      await world.server.stop();
      await world.server.start();
      await expect(publish(world)).rejects.toThrow(/jetstream is not enabled/);
    },
  );

  test("nats-server 2.9.25 does not start if the system account imports JetStream's API", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.9.25")).path });
    const claims = world.claims();
    const exports = [{ name: "js", subject: "$JS.API.>", type: "service" }];
    await world.push(world.sign({ ...claims, iat: nowSeconds() + 1, nats: { ...claims.nats, exports } }));
    const imports = [{ name: "js", subject: "$JS.API.>", account: world.accountId, type: "service" }];
    const system = accountClaims("SYS", world.systemAccount, world.accountSigningKey, UNLIMITED);
    await pushSystem(world, { ...system, iat: nowSeconds() + 1, nats: { ...system.nats, imports } });
    await world.server.stop();
    await expect(world.server.start()).rejects.toThrow(/import forms a cycle/);
  });
});

/** Pushes with the command, while somebody listens to every push that reaches the servers. */
async function pushAndWatch(world: World, token: string, ...options: string[]) {
  await writeFile(`${world.home}/new.jwt`, token);
  const system = await world.connectAs("system");
  let pushes = 0;
  system.subscribe("$SYS.REQ.CLAIMS.UPDATE", { callback: () => void pushes++ });
  await system.flush();
  const run = await relight(world, "push", "new.jwt", ...options, "--json");
  // What was published before this round trip has arrived.
  await system.flush();
  await system.close();
  return { run, pushes };
}

async function pushSystem(world: World, claims: Claims): Promise<void> {
  const system = await world.connectAs("system");
  const token = world.sign(claims);
  await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
  const subject = `$SYS.REQ.ACCOUNT.${world.systemAccount.getPublicKey()}.CLAIMS.LOOKUP`;
  await waitFor("the resolver to have it", async () => (await system.request(subject)).string() === token);
  await system.close();
}

async function publish(world: World): Promise<void> {
  const connection = await world.connectAs("app");
  try {
    await jetstreamOf(connection).publish("orders.new", "x", { timeout: 2_000 });
  } finally {
    await connection.close();
  }
}
