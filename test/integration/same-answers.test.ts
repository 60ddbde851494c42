import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import type { NatsConnection } from "@nats-io/transport-node";
import { UNLIMITED } from "../../lab/claims.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { receiver } from "../support/escalation-contract.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(300_000);

/**
 * `verify`, `status`, `doctor`, `plan` and the pages say the same of the same account: one server with an account in each
 * of many states.
 */

const DAY = 86_400;
const CONNECTIONS = 8;

interface Seen {
  readonly verdict: string;
  readonly codes: readonly string[];
  readonly warnings: readonly string[];
}

interface Coded {
  readonly code: string;
  readonly message: string;
}

const codes = (list: readonly Coded[]): readonly string[] => list.map(({ code }) => code).sort();
const clients: NatsConnection[] = [];
let world: World;
let pager: Awaited<ReturnType<typeof receiver>>;

const limited = async (account: World, limits: object): Promise<void> =>
  account.push(account.sign(account.claims({ iat: nowSeconds() + 1, limits })));

/** Accounts whose keys Relight does not have. */
const KEYLESS = ["UNTOLD"];

/** Each state, and what is to be said of it. */
const STATES: Readonly<Record<string, readonly [(account: World) => Promise<void>, Omit<Seen, "warnings">]>> = {
  WELL: [async (account) => fill(account, { messages: 3 }), { verdict: "healthy", codes: [] }],
  DEAF: [
    async (account) => {
      // What is in memory keeps `run` from toggling.
      await fill(account, { messages: 3, memory: true });
      await expire(account);
      await renewByHand(account, 80 * DAY);
    },
    { verdict: "dead", codes: ["consumer.deaf", "stream.deaf"] },
  ],
  FULL: [
    async (account) => {
      await fill(account, { messages: 3 });
      // A limit below what is in use would make streams deaf (#6766).
      await limited(account, { conn: CONNECTIONS });
      for (let left = CONNECTIONS; left > 0; left--) clients.push(await account.connectAs("app"));
    },
    { verdict: "degraded", codes: ["limit.connections"] },
  ],
  UNUSED: [async () => undefined, { verdict: "healthy", codes: [] }],
  CALLOUT: [
    async (account) => {
      await fill(account, { messages: 3 });
      const claims = account.claims({ iat: nowSeconds() + 1 });
      const authorization = { auth_users: [createUser().getPublicKey()] };
      await account.push(account.sign({ ...claims, nats: { ...claims.nats, authorization } }));
    },
    { verdict: "healthy", codes: [] },
  ],
  UNTOLD: [
    async (account) => {
      await fill(account, { messages: 3 });
      const claims = account.claims({ iat: nowSeconds() + 1 });
      const tier = { disk_storage: 1_000_000, mem_storage: 1_000_000, streams: -1, consumer: -1 };
      const limits = { ...UNLIMITED, tiered_limits: { R1: tier } };
      await account.push(account.sign({ ...claims, nats: { ...claims.nats, limits } }));
    },
    { verdict: "unknown", codes: ["limit.tiers_unproven"] },
  ],
  CRAMPED: [
    async (account) => {
      await limited(account, { disk_storage: 900_000_000 });
      clients.push(await account.connectAs("app"));
    },
    { verdict: "dead", codes: ["jetstream.not_enabled"] },
  ],
};

beforeAll(async () => {
  pager = await receiver(200);
  const hook = `webhook: { url: "${pager.url}", secret: "file:hook.key" }`;
  const yaml = `escalation:\n  unknownAfter: 1s\n  channels:\n    - ${hook}\n`;
  // Every account is promised memory.
  const jetstream = ", max_mem: 2G";
  world = await createWorld({ binary: (await serverBinary("2.10.27")).path, yaml, jetstream });
  await writeFile(join(world.home, "hook.key"), `whsec_${Buffer.alloc(32, 7).toString("base64")}`);
  // Reserved once a client has connected.
  await limited(world, { disk_storage: 900_000_000 });
  clients.push(await world.connectAs("app"));
  const accounts: string[] = [];
  for (const [name, [begin]] of Object.entries(STATES)) {
    const account = await anotherAccount(world, name);
    const key = KEYLESS.includes(name) ? "" : ", signingKey: file:shared.nk";
    accounts.push(`  - { id: ${account.accountId}, name: ${name}${key} }`);
    await begin(account);
  }
  const file = join(world.home, "relight.yaml");
  const yamlNow = await readFile(file, "utf8");
  await writeFile(file, yamlNow.replace("accounts:\n", `accounts:\n${accounts.join("\n")}\n`));
  await writeFile(join(world.home, "shared.nk"), new TextDecoder().decode(world.accountSigningKey.getSeed()));
});
afterAll(async () => {
  for (const client of clients) await client.close();
  await world[Symbol.asyncDispose]();
  await pager[Symbol.asyncDispose]();
});

test("the same verdict, the same findings and the same warnings", async () => {
  const verified: Record<string, Seen & { readonly messages: readonly string[] }> = {};
  for (const name of Object.keys(STATES)) {
    const { json } = await relight(world, "verify", name, "--json");
    const { verdict, findings, warnings } = json;
    const messages = findings.map(({ message }: Coded) => message);
    verified[name] = { verdict, codes: codes(findings), warnings: codes(warnings), messages };
    const [, wanted] = STATES[name] ?? [];
    expect({ name, verdict, codes: [...new Set(codes(findings))] }).toEqual({ name, ...wanted });
  }
  const status = (await relight(world, "status", "--json")).json.accounts;
  const plans = (await relight(world, "plan", "--json")).json.plans;
  const { cluster } = (await relight(world, "doctor", "--json")).json;
  const evidence = cluster.layers.flatMap(({ evidence }: { evidence: readonly object[] }) => evidence);
  for (const [name, { messages, ...seen }] of Object.entries(verified)) {
    const of = (rows: readonly { name: string; verdict: string; findings: Coded[]; warnings: Coded[] }[]) => {
      const row = rows.find((it) => it.name === name);
      return row && { verdict: row.verdict, codes: codes(row.findings), warnings: codes(row.warnings) };
    };
    expect({ name, status: of(status), plan: of(plans) }).toEqual({ name, status: seen, plan: seen });
    const about = evidence.filter((it: { about?: string }) => it.about === name);
    const worse = about.filter(({ health }: { health: string }) => health !== "healthy");
    expect({ name, isWell: worse.length === 0 }).toEqual({ name, isWell: seen.verdict === "healthy" });
    for (const message of messages) expect(worse).toContainEqual(expect.objectContaining({ message }));
    const warned = cluster.warnings.filter((it: { about: string }) => it.about === name);
    expect({ name, warnings: codes(warned) }).toEqual({ name, warnings: seen.warnings });
  }
});

test("pages are sent for those that are not healthy, and name their findings", async () => {
  await relight(world, "run", "--json");
  const pages = pager.received.map(({ body }) => JSON.parse(body));
  const named = (name: string): string =>
    JSON.stringify(pages.filter((page) => JSON.stringify(page).includes(`"${name}`)));
  for (const [name, [, { verdict }]] of Object.entries(STATES)) {
    const paged = named(name) !== "[]";
    expect({ name, paged }).toEqual({ name, paged: verdict !== "healthy" });
  }
  expect(named("CRAMPED")).toMatch(/900 MB of disk can't be reserved.*900 MB to APP/);
  expect(named("FULL")).toContain("connections (conn) are in use");
  expect(named("DEAF")).toMatch(/does not listen/);
  expect(named("UNTOLD")).toMatch(/nothing proves that .* in one .*signingKey/);
});
