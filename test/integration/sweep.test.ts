import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { describe, expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/resident.ts";

/** status, plan and run over all accounts; and the page that a person gets. */

const { path: binary } = await serverBinary("2.10.27");
const SECRET = `whsec_${Buffer.from("a secret of the pager's own").toString("base64")}`;

interface Page {
  readonly type: string;
  readonly data: {
    readonly key: string;
    readonly summary: string;
    readonly evidence: Record<string, unknown>;
    readonly impact: string;
    readonly also: string[];
    readonly advice: string[];
  };
}

/** A pager that checks signatures, as a receiver would. */
async function startPager() {
  const pages: Page[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const headers = request.headers as Record<string, string>;
      pages.push(new Webhook(SECRET).verify(body, headers) as Page);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  return { url: `http://127.0.0.1:${port}/pages`, pages, [Symbol.asyncDispose]: close };
}

async function deadWorld(options: { memory?: boolean; yaml?: string } = {}): Promise<World> {
  const world = await createWorld({ binary, yaml: options.yaml ?? "" });
  await fill(world, { messages: 5, memory: options.memory ?? false });
  await expire(world);
  await renewByHand(world, 90 * 86_400);
  return world;
}

describe("run, one sweep", () => {
  test("renews what is due, leaves the rest alone, and does nothing the second time", async () => {
    await using world = await createWorld({ binary, lives: 3_600 });
    await fill(world, { messages: 5 });
    expect((await relight(world, "status")).exit).toBe(1);

    const first = await relight(world, "run", "--json");
    expect(first.json).toMatchObject({ queued: 2, unreadable: [], failures: [] });
    const app = first.json.results.find(({ account }: { account: string }) => account === world.accountId);
    expect(app).toMatchObject({
      outcome: "renewed",
      verdict: "healthy",
      rungs: [{ rung: "renew", why: "its renewal was due" }],
    });
    expect(app.pushed.exp).toBeGreaterThan(nowSeconds() + 89 * 86_400);
    expect(first.exit).toBe(0);

    const second = await relight(world, "run", "--json");
    expect(second.json.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["healthy", "healthy"]);
    const status = await relight(world, "status", "--json");
    expect(status.json.accounts[0]).toMatchObject({
      name: "APP",
      id: world.accountId,
      window: "fresh",
      verdict: "healthy",
    });
    expect(status.exit).toBe(0);
  });

  test("heals a dead account", async () => {
    await using world = await deadWorld();
    const { json, exit } = await relight(world, "run", "--json");
    expect(json.results.map(({ outcome }: { outcome: string }) => outcome).sort()).toEqual(["healed", "healthy"]);
    expect(exit).toBe(0);
  });
});

describe("plan", () => {
  test("says what it would do and why, and changes neither claims nor journal", async () => {
    await using world = await deadWorld();
    const { json, exit } = await relight(world, "plan", "APP", "--json");
    expect(json.plans).toMatchObject([
      { account: world.accountId, verdict: "dead", steps: [{ do: "toggle-jetstream" }] },
    ]);
    expect(exit).toBe(1);
    expect((await relight(world, "journal", "--json")).json.entries).toEqual([]);
    expect((await relight(world, "verify", "APP")).exit).toBe(2);
  });
});

describe("escalation", () => {
  test("pages a person with the evidence if it may not heal, and resolves when the account is healthy", async () => {
    await using pager = await startPager();
    const yaml = `escalation:\n  - webhook: { url: "${pager.url}", secret: "file:pager.secret" }\n`;
    await using world = await deadWorld({ memory: true, yaml });
    await writeSecret(world);

    const refused = await relight(world, "heal", "APP", "--json");
    expect(refused.json.outcome).toBe("refused");
    const [page] = pager.pages;
    expect(page?.type).toBe("incident.opened");
    expect(page?.data.key).toBe(`relight/${world.operator.getPublicKey()}/${world.accountId}/jetstream_dead`);
    expect(page?.data.summary).toMatch(/^JetStream does not listen/);
    expect(page?.data.impact).toMatch(/^Publishers to .*ORDERS.* get 503 no responders/);
    expect(page?.data.evidence).toMatchObject({
      verdict: { verdict: "dead" },
      rungs: expect.arrayContaining([expect.objectContaining({ result: "refused" })]),
    });
    expect(page?.data.also.join("\n")).toMatch(/2\.10\.27 has nats-server #6806/);

    await allowMemoryLoss(world);
    expect((await relight(world, "heal", "APP", "--json")).json.outcome).toBe("healed");
    await waitFor("the resolution", () => pager.pages.length === 2);
    expect(pager.pages[1]).toMatchObject({ type: "incident.resolved", data: { key: page?.data.key } });
    // Nobody is paged twice.
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
    expect(pager.pages).toHaveLength(2);
  });

  test("a sweep that cannot reach the cluster pages a person, too", async () => {
    await using pager = await startPager();
    const channel = `webhook: { url: "${pager.url}", secret: "file:pager.secret" }`;
    const yaml = `escalation: { unknownAfter: 1s, channels: [{ ${channel} }] }\n`;
    await using world = await createWorld({ binary, yaml });
    await writeSecret(world);
    await world.server.stop();
    // Once it has lasted; an unreachable cluster takes longer than a second.
    expect((await relight(world, "run")).exit).toBe(3);
    expect(pager.pages).toEqual([]);
    const { json, exit } = await relight(world, "run", "--json");
    expect(json.error.code).toBe("nats.unreachable");
    expect(exit).toBe(3);
    expect(pager.pages[0]?.data.key).toMatch(/\/-\/cluster_unreachable$/);
    // Sent a moment ago: not again so soon.
    expect((await relight(world, "run")).exit).toBe(3);
    expect(pager.pages).toHaveLength(1);
    await world.server.start();
    expect((await relight(world, "run")).exit).toBe(0);
    expect(pager.pages.slice(1)).toMatchObject([
      { type: "incident.resolved", data: { key: pager.pages[0]?.data.key } },
    ]);
  });

  test("an unreachable pager loses nothing: the incident is in the journal and sent again", async () => {
    await using world = await deadWorld({
      memory: true,
      yaml: 'escalation:\n  - webhook: { url: "http://127.0.0.1:1/" }\n',
    });
    const { json, exit } = await relight(world, "heal", "APP", "--json");
    expect(json.outcome).toBe("refused");
    expect(exit).toBe(2);
    const { entries } = (await relight(world, "journal", "APP", "--json")).json;
    const opened = entries.find(({ kind }: { kind: string }) => kind === "incident.opened");
    expect(opened.data.delivery).toBe("undeliverable");
  });
});

test("neither output nor the journal's file has a secret", async () => {
  await using world = await deadWorld();
  const runs = [await relight(world, "heal", "APP", "--json", "--verbose"), await relight(world, "journal", "--json")];
  const journal = await readFile(`${world.home}/relight.sqlite`, "latin1");
  const text = [...runs.flatMap(({ stdout, stderr }) => [stdout, stderr]), journal].join("\n");
  for (const name of ["operator.nk", "app.nk", "sys.creds", "operator.jwt"]) {
    const secret = (await readFile(`${world.home}/${name}`, "utf8")).trim();
    expect(text).not.toContain(secret);
    for (const signature of secret.match(/\.[\w-]{80,}/g) ?? []) expect(text).not.toContain(signature);
  }
  // No encoded JWT and no seed, in any form.
  expect(text).not.toMatch(/eyJ[\w-]+\.eyJ|\bS[OAUN][A-Z2-7]{56}\b/);
});

async function writeSecret({ home }: World): Promise<void> {
  await writeFile(`${home}/pager.secret`, SECRET);
}

async function allowMemoryLoss({ home }: World): Promise<void> {
  const file = `${home}/relight.yaml`;
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace("    name: APP\n", "    name: APP\n    allowMemoryLoss: true\n"));
}
