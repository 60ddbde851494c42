import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, fromPublic } from "@nats-io/nkeys";
import { nowSeconds } from "../../lab/keys.ts";
import { fill, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

/** Planted rows in the journal's file: they cause no signature, push or change. */

const { path: binary } = await serverBinary("2.10.27");

function plant({ home }: World, account: string, kind: string, data: object): void {
  const database = new DatabaseSync(`${home}/relight.sqlite`);
  try {
    database
      .prepare("INSERT INTO journal (at, job, account, kind, data) VALUES (?, ?, ?, ?, ?)")
      .run(Date.now(), "planted", account, kind, JSON.stringify(data));
  } finally {
    database.close();
  }
}

async function inResolver(world: World, account: string): Promise<string> {
  const system = await world.connectAs("system");
  const reply = await system.request("$SYS.REQ.CLAIMS.LIST");
  await system.close();
  return (reply.json() as { data?: string[] }).data?.includes(account) ? "listed" : "absent";
}

describe("on a real server", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary, lives: 80 * 86_400 });
    await fill(world, { messages: 5, memory: true });
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
  });
  afterAll(async () => world?.[Symbol.asyncDispose]());

  test.each(["renew", "heal", "run"])("planted claims: %s signs nothing", async (command) => {
    const own = createAccount().getPublicKey();
    const claims = {
      jti: "planted",
      iat: nowSeconds(),
      iss: world.operator.getPublicKey(),
      sub: own,
      name: "MINE",
      nats: { ...(world.claims().nats as object), limits: { conn: -1, subs: -1, disk_storage: -1 } },
    };
    for (const exp of [nowSeconds() - 5, nowSeconds() + 86_400]) {
      plant(world, own, "claims.seen", { jti: "planted", claims: JSON.stringify({ ...claims, exp }) });
      const { json } = await relight(world, command, ...(command === "run" ? [] : [own]), "--json");
      if (command === "renew") expect(json.error).toMatchObject({ code: "account.no_claims" });
      if (command === "renew")
        expect(json.error.message).toContain("nothing proves that the operator ever signed the claims in the journal");
      expect(await inResolver(world, own)).toBe("absent");
    }
  });

  test("the proof of seen claims is not a JWT signature", async () => {
    const database = new DatabaseSync(`${world.home}/relight.sqlite`, { readOnly: true });
    const query = "SELECT data FROM journal WHERE kind = 'claims.seen' AND account = ?";
    const [row] = database.prepare(query).all(world.accountId);
    database.close();
    const { proof, claims } = JSON.parse(String(row?.["data"]));
    const signature = Buffer.from(proof.signature, "base64url");
    const header = Buffer.from(JSON.stringify({ typ: "JWT", alg: "ed25519-nkey" })).toString("base64url");
    const body = `${header}.${Buffer.from(claims).toString("base64url")}`;
    const jwt = Buffer.from(world.sign(JSON.parse(claims)).split(".")[2] ?? "", "base64url");
    const key = fromPublic(proof.by);
    expect(key.verify(Buffer.from(body), jwt)).toBe(true);
    expect(key.verify(Buffer.from(body), signature)).toBe(false);
  });

  test("a planted toggle and configuration: a person is paged, nothing changes", async () => {
    const before = await snapshot(world);
    const system = await world.connectAs("system");
    const jwt = async () => (await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`)).string();
    const token = await jwt();
    const running = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    const more = {
      ...running,
      nats: { ...running.nats, limits: { ...running.nats.limits, mem_storage: -1 } },
    };
    const forged = { stream: "EVIL", config: { name: "EVIL", subjects: ["evil"] }, consumers: [] };
    plant(world, world.accountId, "toggle.opened", {
      jti: running.jti,
      claims: JSON.stringify(more),
      memory: [forged],
    });
    const undo = { before: { name: "ORDERS", subjects: ["stolen.>"], storage: "file" }, consumers: [] };
    plant(world, world.accountId, "reconfigure.opened", { stream: "ORDERS", undo });
    plant(world, world.accountId, "memory.seen", { memory: [forged] });
    const seen = await relight(world, "status", "--json");
    expect(JSON.stringify(seen.json)).toContain("journal.unproved");
    const { json } = await relight(world, "heal", "APP", "--json");
    expect(json.error).toBeUndefined();
    expect(await jwt()).toBe(token);
    await system.close();
    expect(await snapshot(world)).toEqual(before);
    const entries = (await relight(world, "journal", "APP", "--json")).json.entries;
    const pages = entries.filter(({ kind }: { kind: string }) => kind === "incident.opened");
    expect(pages.at(-1)?.data).toMatchObject({ failureClass: "journal_unproved" });
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
  });
});
