import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { createAccount } from "@nats-io/nkeys";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, forgetJwt, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

const yaml = (onDifference: string): string => `source: { from: "nsc:nsc", onDifference: ${onDifference} }\n`;

/** Puts a JWT into the world's nsc store. */
async function store(world: World, name: string, token: string): Promise<void> {
  const folder = join(world.home, "nsc", "stores", "LAB", "accounts", name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.jwt`), token);
}

async function inResolver(world: World, account = world.accountId): Promise<string> {
  const connection = await world.connectAs("system");
  try {
    const subject = `$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`;
    // Up to 2.9 a server without the account stays silent.
    const reply = await connection.request(subject, "", { timeout: 5_000 }).catch(() => undefined);
    return reply?.string() ?? "";
  } finally {
    await connection.close();
  }
}

/** A world with an nsc store that has the account as it is in force, and the system account. */
async function worldWithSource(version: string, onDifference: string, lives = 80 * 86_400): Promise<World> {
  const world = await createWorld({
    binary: (await serverBinary(version)).path,
    yaml: yaml(onDifference),
    lives,
  });
  await store(world, "APP", await inResolver(world));
  await store(world, "SYS", await inResolver(world, world.systemAccount.getPublicKey()));
  return world;
}

const newer = () => ({ iat: nowSeconds() + 2, exp: nowSeconds() + 80 * 86_400 });
const payloadOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
const codes = (json: { findings: readonly { code: string }[] }) => json.findings.map(({ code }) => code);
const resultOf = (json: { results: readonly { account: string }[] }, account: string) =>
  json.results.find((result) => result.account === account);

describe.each(sampleOf(["2.10.27"], VERSIONS))("a source of truth (nats-server %s)", (version) => {
  test("diff and verify show the differences, claim by claim, and no secret", async () => {
    await using world = await worldWithSource(version, "page");
    expect((await relight(world, "diff", "APP", "--json")).json.accounts).toMatchObject([
      { state: "same", differences: [] },
    ]);
    expect((await relight(world, "verify", "APP", "--json")).json.findings).toEqual([]);

    const claims = world.claims({ ...newer(), limits: { conn: 500 } });
    const activation = world.sign(world.claims());
    const imports = [
      { name: "orders", subject: "orders.>", account: world.accountId, token: activation, type: "stream" },
    ];
    await store(world, "APP", world.sign({ ...claims, nats: { ...claims.nats, imports } }));
    const differs = await relight(world, "diff", "APP", "--json");
    expect(differs.exit).toBe(1);
    const [{ differences }] = differs.json.accounts;
    expect(differences).toMatchObject([{ from: "source", to: "resolver" }]);
    expect(differences[0].changes).toContainEqual({ path: "nats.limits.conn", before: 500, after: -1 });
    const text = await relight(world, "diff");
    expect(text.stdout).toContain("nats.limits.conn: 500 → -1");
    expect(text.stdout).toContain("nats.imports");
    for (const shown of [differs.stdout, text.stdout])
      for (const secret of [activation, activation.slice(-40), activation.slice(0, 60)])
        expect(shown).not.toContain(secret);
    const verdict = await relight(world, "verify", "APP", "--json");
    expect(codes(verdict.json)).toEqual(["source.differs"]);
    expect(verdict.exit).toBe(1);

    await rm(join(world.home, "nsc", "stores", "LAB", "accounts", "APP"), { recursive: true });
    expect(codes((await relight(world, "verify", "APP", "--json")).json)).toEqual(["source.unknown_account"]);
    await store(world, "BAD", "no JWT");
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
      verdict: "unknown",
      findings: [{ code: "source.unavailable", message: expect.stringContaining("BAD.jwt") }],
    });
    expect((await relight(world, "diff", "APP")).exit).toBe(3);
    await rm(join(world.home, "nsc"), { recursive: true });
    expect(codes((await relight(world, "verify", "APP", "--json")).json)).toEqual(["source.unavailable"]);
  });

  test("push: a sweep pushes newer claims of the source, and an account that the cluster lacks", async () => {
    await using world = await worldWithSource(version, "push");
    await store(world, "APP", world.sign(world.claims({ ...newer(), limits: { mem_storage: 90_000_000 } })));
    const key = createAccount();
    const fresh = world.sign({
      ...accountClaims("NEW", key, world.accountSigningKey, UNLIMITED),
      ...newer(),
    });
    await store(world, "NEW", fresh);
    expect((await relight(world, "diff", "NEW")).exit).toBe(2);
    const plan = await relight(world, "plan", "NEW", "--json");
    expect(plan.json.plans[0].steps[0]).toMatchObject({ do: "push-difference" });

    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({
      outcome: "healed",
      verdict: "healthy",
      rungs: [{ rung: "reconcile" }],
    });
    expect(resultOf(json, key.getPublicKey())).toMatchObject({ verdict: "healthy" });
    expect(await inResolver(world, key.getPublicKey())).toBe(fresh);
    expect((await relight(world, "diff")).exit).toBe(0);
    const again = await relight(world, "run", "--json");
    expect(again.json.results.every(({ outcome }: { outcome: string }) => outcome === "healthy")).toBe(true);
  });

  test("push: an edit in a store that was not pulled is pushed, and the renewal stays", async () => {
    await using world = await worldWithSource(version, "push");
    const copy = world.claims({ exp: payloadOf(await inResolver(world)).exp });
    const renewed = (await relight(world, "renew", "APP", "--json")).json.pushed;
    // As nsc edit does: the end of its copy, and now as the time of issue.
    await store(world, "APP", world.sign({ ...copy, iat: nowSeconds() + 2, name: "RENAMED" }));
    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({
      verdict: "healthy",
      rungs: [{ rung: "reconcile", result: "helped" }],
    });
    expect(payloadOf(await inResolver(world))).toMatchObject({ name: "RENAMED", exp: renewed.exp });
    // An end of its own is what somebody wants; the gate asks a person.
    await store(world, "APP", world.sign({ ...copy, iat: nowSeconds() + 4, exp: renewed.exp - 40 * 86_400 }));
    const refused = resultOf((await relight(world, "run", "--json")).json, world.accountId);
    expect(refused).toMatchObject({ rungs: [{ rung: "reconcile", result: "refused" }] });
    expect(payloadOf(await inResolver(world))).toMatchObject({ exp: renewed.exp });
  });

  test("push: the gate refuses a lowered limit as always, and nothing changes", async () => {
    await using world = await worldWithSource(version, "push");
    const before = await inResolver(world);
    await store(world, "APP", world.sign(world.claims({ ...newer(), limits: { conn: 5 } })));
    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({
      verdict: "degraded",
      rungs: [{ rung: "reconcile", result: "refused", why: expect.stringMatching(/lowers nats.limits.conn/) }],
    });
    expect(await inResolver(world)).toBe(before);
    const { entries } = (await relight(world, "journal", "APP", "--json")).json;
    const opened = entries.filter(({ kind }: { kind: string }) => kind === "incident.opened");
    expect(opened.map(({ data }: { data: { failureClass: string } }) => data.failureClass)).toContain("push_refused");
  });

  test("push: the source's claims replace newer ones in force, signed again", async () => {
    await using world = await worldWithSource(version, "push");
    await world.push(world.sign({ ...world.claims({ ...newer() }), name: "RENAMED" }));
    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({ outcome: "healed", verdict: "healthy" });
    expect((await relight(world, "diff", "APP", "--json")).json.accounts).toMatchObject([
      { name: "APP", state: "same" },
    ]);
  });

  test("adopt: the claims in force stay, and are silent until either side changes", async () => {
    await using world = await worldWithSource(version, "adopt");
    const before = await inResolver(world);
    await store(world, "APP", world.sign(world.claims({ ...newer(), limits: { conn: 5 } })));
    expect(codes((await relight(world, "verify", "APP", "--json")).json)).toEqual(["source.differs"]);
    expect((await relight(world, "run")).exit).toBe(0);
    expect(await inResolver(world)).toBe(before);
    expect((await relight(world, "verify", "APP", "--json")).json.findings).toEqual([]);
    expect((await relight(world, "renew", "APP")).exit).toBe(0);
    expect((await relight(world, "diff", "APP")).exit).toBe(1);

    await store(world, "APP", world.sign(world.claims({ ...newer(), limits: { conn: 6 } })));
    expect(codes((await relight(world, "verify", "APP", "--json")).json)).toEqual(["source.differs"]);
  });
});

/** The resolver deleted the expired JWT, and after a restart no server has it loaded. */
async function forget(world: World): Promise<void> {
  await forgetJwt(world);
  await world.server.stop();
  await world.server.start();
}

describe.each(["2.10.27"])("an account that the resolver deleted after it expired (nats-server %s)", (version) => {
  test("is restored from the source of truth, although Relight never saw it", async () => {
    await using world = await worldWithSource(version, "page", 3_600);
    await fill(world, { messages: 5 });
    // The source's JWT has expired, too.
    await store(
      world,
      "APP",
      world.sign(world.claims({ iat: nowSeconds() - 600, exp: nowSeconds() - 1, limits: { streams: 50 } })),
    );
    await expire(world);
    await forget(world);
    expect((await relight(world, "diff", "APP")).exit).toBe(2);
    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({
      verdict: "healthy",
      rungs: [{ rung: "renew", why: "it had expired, and the resolver deleted it" }],
    });
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
    const [, payload = ""] = (await inResolver(world)).split(".");
    expect(Buffer.from(payload, "base64url").toString()).toContain('"streams":50');
  });

  test("is restored from the journal, without a source", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, lives: 3_600 });
    await fill(world, { messages: 5 });
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
    await expire(world);
    await forget(world);
    const { json } = await relight(world, "run", "--json");
    // It was last seen with an hour left, which has not passed: it looks deleted.
    expect(resultOf(json, world.accountId)).toMatchObject({
      verdict: "dead",
      findings: [{ code: "account.gone" }],
    });
    expect((await relight(world, "renew", "APP", "--json")).json.error.code).toBe("account.deleted");
    const renewed = await relight(world, "renew", "APP", "--undelete", "--json");
    expect(renewed.json).toMatchObject({ outcome: "renewed", verdict: "healthy" });
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });

  test("is restored by a sweep, if the journal has the expired claims", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, lives: 3_600 });
    await fill(world, { messages: 5 });
    await expire(world);
    expect((await relight(world, "verify", "APP")).exit).toBe(2);
    await forget(world);
    const { json } = await relight(world, "run", "--json");
    expect(resultOf(json, world.accountId)).toMatchObject({
      verdict: "healthy",
      rungs: [{ rung: "renew" }],
    });
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });
});
