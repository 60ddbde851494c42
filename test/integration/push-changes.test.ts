import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createOperator } from "@nats-io/nkeys";
import { nowSeconds } from "../../lab/keys.ts";
import { fill, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { runJobOn } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

describe.each(sampleOf(["2.10.27"], VERSIONS))("push --allow-changes (nats-server %s)", (version) => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({ binary: (await serverBinary(version)).path, lives: 3_600 });
    await fill(world, { messages: 5 });
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  let made = 0;
  const later = () => ({ exp: nowSeconds() + 7_200, iat: nowSeconds() + ++made });
  const push = async (token: string, ...args: string[]) => {
    await writeFile(`${world.home}/new.jwt`, token);
    return relight(world, "push", "new.jwt", "--json", ...args);
  };
  const running = async (): Promise<string> => {
    const system = await world.connectAs("system");
    const reply = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.LOOKUP`);
    await system.close();
    return reply.string();
  };

  test("changes beyond a renewal need both the option and a yes", async () => {
    const before = await running();
    const changed = world.sign({ ...world.claims(later()), name: "OTHER" });
    expect((await push(changed)).json.error).toMatchObject({ code: "gate.refused" });
    const asked = await push(changed, "--allow-changes");
    expect(asked.json.error).toMatchObject({ code: "usage", message: expect.stringMatching(/--yes/) });
    expect(await running()).toBe(before);
    const done = await push(changed, "--allow-changes", "--yes");
    expect(done.json).toMatchObject({ outcome: "pushed", verdict: "healthy" });
    expect(done.json.pushed.changes).toContainEqual({ path: "name", before: "APP", after: "OTHER" });
    expect(await running()).toBe(changed);
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
  });

  test.each<[string, () => string, string]>([
    ["an untrusted issuer", () => world.sign(world.claims(later()), createOperator()), "untrusted_issuer"],
    ["a JWT that is older", () => world.sign({ ...world.claims({ iat: nowSeconds() - 600 }), name: "X" }), "stale"],
    ["a lowered limit", () => world.sign(world.claims({ ...later(), limits: { conn: 3 } })), "limit_lowered"],
    ["one that has expired", () => world.sign(world.claims({ ...later(), exp: nowSeconds() - 1 })), "expired"],
  ])("nobody can allow %s", async (_what, make, code) => {
    const before = await running();
    const { json, exit } = await push(make(), "--allow-changes", "--yes");
    expect(json.error).toMatchObject({ code: "gate.refused" });
    expect(json.error.details.refusals.map((refusal: { code: string }) => refusal.code)).toContain(code);
    expect(exit).toBe(2);
    expect(await running()).toBe(before);
  });

  test("a plain renewal asks nothing", async () => {
    const [, payload = ""] = (await running()).split(".");
    const { name } = JSON.parse(Buffer.from(payload, "base64url").toString());
    const renewed = world.sign({ ...world.claims(later()), name });
    expect((await push(renewed, "--allow-changes")).json).toMatchObject({ outcome: "pushed" });
  });

  test("a yes to differences from one JWT does not apply to another", async () => {
    const token = world.sign({ ...world.claims(later()), name: "THIRD" });
    const refused = runJobOn(world, "push", () => ({}), {
      token,
      acceptedOver: "a JWT that is not in force",
    });
    await expect(refused).rejects.toMatchObject({ code: "gate.refused" });
  });
});
