import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/resident.ts";

/** The expiry policy as its user sees it, on a real server. */

const { path: binary } = await serverBinary("2.10.27");

/** Gives the world's only configured account this policy. */
async function setPolicy({ home }: World, policy: string): Promise<void> {
  const file = `${home}/relight.yaml`;
  const text = (await readFile(file, "utf8")).replace(/ {4}policy: .*\n/, "");
  await writeFile(file, text.replace("    name: APP\n", `    name: APP\n    policy: ${policy}\n`));
}

async function incidents(world: World): Promise<string[]> {
  const { entries } = (await relight(world, "journal", "APP", "--json")).json;
  return entries
    .filter(({ kind }: { kind: string }) => kind.startsWith("incident."))
    .map(({ kind, data }: { kind: string; data: { key: string } }) => `${kind} ${data.key.split("/").at(-1)}`);
}

const outcomeOf = async (world: World): Promise<string> => {
  const { results } = (await relight(world, "run", "--json")).json;
  return results.find(({ account }: { account: string }) => account === world.accountId).outcome;
};

describe("a manual account", () => {
  test("warns once, is renewed only by a person, which ends the alarm", async () => {
    await using world = await createWorld({ binary, lives: 3_600 });
    await setPolicy(world, "{ manual: true, renewBefore: 2h, pageBefore: 90m }");
    const status = await relight(world, "status", "--json");
    const app = { name: "APP", manual: true, alarm: "page", window: "due", renewAt: null };
    expect(status.json.accounts[0]).toMatchObject(app);
    expect(status.exit).toBe(2);
    expect((await relight(world, "plan", "APP")).stdout).toContain("a person renews it");

    expect(await outcomeOf(world)).toBe("healthy");
    expect(await outcomeOf(world)).toBe("healthy");
    expect(await incidents(world)).toEqual(["incident.opened expiry_imminent"]);

    expect((await relight(world, "renew", "APP")).exit).toBe(0);
    expect((await incidents(world)).at(-1)).toBe("incident.resolved expiry_imminent");
    expect((await relight(world, "status")).exit).toBe(0);
  });

  test("that has expired is not renewed by heal either", async () => {
    await using world = await createWorld({ binary });
    await fill(world, { messages: 5 });
    await expire(world);
    await setPolicy(world, "{ manual: true }");
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json).toMatchObject({ outcome: "unhealed", why: expect.stringContaining("by hand"), rungs: [] });
    expect(exit).toBe(2);
  });
});

describe("a critical account", () => {
  test("that somebody changed is not renewed until a person orders it", async () => {
    await using world = await createWorld({ binary, lives: 90 * 86_400 });
    await setPolicy(world, "{ critical: true }");
    expect(await outcomeOf(world)).toBe("healthy");
    // Valid now: claims that are not valid yet are not due, and would be known by then.
    const changed = world.claims({ exp: nowSeconds() + 3_600, iat: nowSeconds(), limits: { conn: 7 } });
    await world.push(world.sign(changed));

    expect(await outcomeOf(world)).toBe("healthy");
    expect(await outcomeOf(world)).toBe("healthy");
    expect((await incidents(world)).filter((line) => line.endsWith("readings_disagree"))).toEqual([
      "incident.opened readings_disagree",
    ]);
    const plan = await relight(world, "plan", "APP", "--json");
    expect(plan.json.plans[0].renewal).toEqual({
      decision: "disagree",
      why: "its claims differ from the journal's in nats.limits.conn",
    });
    expect(plan.exit).toBe(1);

    expect((await relight(world, "renew", "APP")).exit).toBe(0);
    expect((await incidents(world)).filter((line) => line.startsWith("incident.resolved"))).toEqual([
      "incident.resolved readings_disagree",
    ]);
  });

  test("is renewed if its readings agree", async () => {
    await using world = await createWorld({ binary, lives: 3_600 });
    await setPolicy(world, "{ critical: true }");
    await fill(world, { messages: 5 });
    expect(await outcomeOf(world)).toBe("renewed");
  });
});

test("plan --until shows the renewals of each day, and refuses an invalid time", async () => {
  await using world = await createWorld({ binary, lives: 90 * 86_400 });
  const { json, exit } = await relight(world, "plan", "--until", "80d", "--json");
  expect(json.days).toHaveLength(1);
  const [renewal] = json.days[0].renewals;
  expect(renewal).toMatchObject({
    name: "APP",
    account: world.accountId,
    kind: "renewal",
    inBlackout: false,
  });
  expect(json.days[0].day).toBe(renewal.at.slice(0, 10));
  const status = await relight(world, "status", "--json");
  expect(status.json.accounts[0].renewAt).toBe(renewal.at);
  expect({ exit, storms: json.storms, unknown: json.unknown }).toEqual({ exit: 0, storms: [], unknown: [] });

  const storm = await relight(world, "plan", "APP", "--until", "80d");
  expect(storm.stdout).toContain("APP");
  expect((await relight(world, "plan", "--until", "soon")).exit).toBe(3);
});
