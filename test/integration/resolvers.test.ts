import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { nowSeconds } from "../../lab/keys.ts";
import type { ResolverKind } from "../../lab/resolvers.ts";
import { expire, fill, symptoms } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/resident.ts";

jest.setTimeout(180_000);

/** Every kind of resolver: looking works, changes take the way that the kind has, and nothing is opened in vain. */

const DAY = 86_400;
const WORDS = {
  full: "full resolver",
  cache: "cache resolver",
  memory: "MEMORY or URL",
  url: "MEMORY or URL",
} as const;

async function worldOf(version: string, ...kinds: readonly [ResolverKind, ...ResolverKind[]]): Promise<World> {
  const { path: binary } = await serverBinary(version);
  const resolver = (index: number): ResolverKind => kinds[index] ?? kinds[0];
  return createWorld({ binary, size: kinds.length, resolver, lives: 80 * DAY });
}

const kindsIn = async (world: World): Promise<readonly string[]> => {
  const { json } = await relight(world, "journal", "APP", "--json");
  return json.entries.map(({ kind }: { kind: string }) => kind);
};

/** Replaces text of relight.yaml, and puts it back afterwards. */
async function configured<T>({ home }: World, from: string, to: string, work: () => Promise<T>): Promise<T> {
  const file = join(home, "relight.yaml");
  const before = await readFile(file, "utf8");
  await writeFile(file, before.replace(from, to));
  try {
    return await work();
  } finally {
    await writeFile(file, before);
  }
}

describe.each<[ResolverKind, string]>([
  ["memory", "2.10.27"],
  ["url", "2.9.25"],
  ["cache", "2.10.27"],
])("with a %s resolver on %s", (kind, version) => {
  let world: World;
  beforeAll(async () => {
    world = await worldOf(version, kind);
  });
  afterAll(async () => await world[Symbol.asyncDispose]());

  test("an account that no server has loaded is pushed to nobody, and nothing is journaled as a push", async () => {
    const token = world.sign(world.claims({ exp: nowSeconds() + 90 * DAY, iat: nowSeconds() + 1 }));
    const file = join(world.home, "app.jwt");
    await writeFile(file, token);
    const pushed = await configured(world, "    signingKey: file:app.nk\n", "", () =>
      relight(world, "push", file, "--allow-changes", "--yes", "--json"),
    );
    expect(pushed.json.error).toMatchObject({ code: "push.nowhere", message: expect.stringContaining(WORDS[kind]) });
    expect(await kindsIn(world)).not.toContain("push.started");
  });

  test("looking works and names it", async () => {
    await fill(world, { messages: 5 });
    for (const command of ["status", "plan", "expiries", "doctor", "diff"]) {
      const { exit, stdout, stderr } = await relight(world, command);
      expect({ command, exit, stderr }).toEqual({ command, exit: 0, stderr: "" });
      if (command === "status" || command === "doctor") expect(stdout).toContain(WORDS[kind]);
      if (command === "diff") expect(stdout).toContain("APP: same");
    }
    const { json } = await relight(world, "verify", "APP", "--json");
    expect(json).toMatchObject({ verdict: "healthy", depth: "account", warnings: [] });
    expect(json.servers).toMatchObject([{ resolver: kind === "cache" ? "cache" : "memory-or-url" }]);
  });

  test("limits change, and a rotation is refused where a restart would undo it", async () => {
    const changed = await relight(world, "jetstream", "limits", "APP", "--storage", "500MiB", "--yes", "--json");
    expect(changed.json).toMatchObject({
      verdict: "healthy",
      pushed: { servers: ["lab"], forgotten: expect.any(String) },
    });
    const [from, to] = [world.operator, world.operatorSigningKey].map((key) => key.getPublicKey());
    const rotation = await relight(world, "rotate-key", "--from", String(from), "--to", String(to), "--json");
    const problems = rotation.json.problems.filter((problem: string) => problem.includes("does not keep"));
    expect(problems).toHaveLength(kind === "cache" ? 0 : 1);
  });

  test("a dead account is renewed and healed, and what a restart brings back is said", async () => {
    await expire(world);
    const healed = await relight(world, "heal", "APP", "--json");
    expect(healed.json).toMatchObject({
      outcome: "healed",
      verdict: "healthy",
      rungs: [{ rung: "renew" }, { rung: "toggle-jetstream" }],
      pushed: { forgotten: expect.stringContaining(kind === "cache" ? "cache resolver" : "a restart of lab") },
    });
    expect(await symptoms(world)).toMatchObject({ publish: "ok", fetch: "ok" });
    const codes = healed.json.warnings.map(({ code }: { code: string }) => code);
    expect(codes).toEqual(kind === "cache" ? [] : ["resolver.not_kept"]);
    expect((await relight(world, "run", "--json")).json.failures).toEqual([]);
  });

  test("after a restart the account has what the resolver kept, and nothing stays open", async () => {
    await world.server.stop();
    await world.server.start();
    const { json, exit } = await relight(world, "verify", "APP", "--json");
    const found = json.findings.map(({ code, message }: { code: string; message: string }) => ({ code, message }));
    const older = { code: "claims.overwritten", message: expect.stringContaining("brought back by a restart of lab") };
    expect({ exit, found, warnings: json.warnings }).toEqual({
      exit: kind === "cache" ? 0 : 1,
      found: kind === "cache" ? [] : [older],
      warnings: [],
    });
    expect((await kindsIn(world)).filter((it) => it.startsWith("toggle.")).at(-1)).toBe("toggle.closed");
  });
});

test("in a cluster of all kinds each server gets what it takes, and the one that forgets is named", async () => {
  await using world = await worldOf("2.10.27", "full", "cache", "memory");
  await fill(world, { messages: 5, replicas: 3 });
  await expire(world);
  const healed = await relight(world, "heal", "APP", "--json");
  expect(healed.json).toMatchObject({ outcome: "healed", verdict: "healthy" });
  expect([...healed.json.pushed.servers].sort()).toEqual(["lab-1", "lab-2", "lab-3"]);
  expect(healed.json.pushed.forgotten).toMatch(/^a restart of lab-3 \(MEMORY or URL resolver\)/);
  const { stdout } = await relight(world, "status");
  for (const part of ["full resolver on lab-1", "cache resolver on lab-2", "MEMORY or URL resolver on lab-3"])
    expect(stdout).toContain(part);
  expect((await relight(world, "doctor")).stdout).toContain("cache resolver on lab-2");
});

describe("a resolver that cannot write", () => {
  /** The account's JWT on the last server. */
  const fileOf = ({ servers, accountId }: World): string =>
    join(servers.at(-1)?.folder ?? "", "jwt", `${accountId}.jwt`);

  /** Not even root may replace a folder by a file. */
  async function spoil(world: World): Promise<void> {
    const file = fileOf(world);
    await rm(file);
    await mkdir(join(file, "in the way"), { recursive: true });
  }

  test("is named, and the renewal is not taken for done", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, lives: 5_000 });
    await fill(world);
    await spoil(world);
    const { exit, json } = await relight(world, "renew", "APP", "--json");
    expect(exit).toBe(2);
    expect(json.error).toMatchObject({
      code: "push.rejected",
      message: expect.stringMatching(/^servers rejected the JWT: lab: /),
    });
    const { stdout } = await relight(world, "journal", "APP");
    expect(stdout).not.toContain("push.proved");
    // What the resolver holds is unknown: neither healthy nor dead.
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
      verdict: "unknown",
      findings: [{ code: "probe.failed", message: expect.stringMatching(/resolver's claims/) }],
    });
  });

  test("of one server in a cluster leaves the account degraded, and names that server", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3, lives: 5_000 });
    await fill(world);
    await spoil(world);
    const { json } = await relight(world, "renew", "APP", "--json");
    expect(json.error).toMatchObject({ code: "push.rejected", message: expect.stringMatching(/lab-3: /) });
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
      verdict: "degraded",
      findings: [{ code: "claims.drift", subject: { server: "lab-3" } }],
    });
  });

  test("of one server that still has the older JWT is named, whichever server answers first", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, size: 3, lives: 5_000 });
    await fill(world);
    const [system, file] = [await world.connectAs("system"), fileOf(world)];
    const older = await readFile(file, "utf8");
    await world.push(world.sign(world.claims({ iat: nowSeconds() + 1, exp: nowSeconds() + 9_000 })));
    await world.servers.at(-1)?.stop();
    await writeFile(file, older);
    await world.servers.at(-1)?.start();
    await system.close();
    for (let look = 0; look < 5; look++)
      expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
        verdict: "degraded",
        findings: [{ code: "claims.drift", subject: { server: "lab-3" } }],
      });
  });

  /** As `prlimit --fsize=500` and a push leave it (2.10.27). */
  test("whose disk was full in the middle of a push has half a JWT, which a later push replaces", async () => {
    await using world = await createWorld({ binary: (await serverBinary("2.10.27")).path, lives: 80 * DAY });
    await fill(world);
    const file = fileOf(world);
    await writeFile(file, (await readFile(file, "utf8")).slice(0, 500));
    const { json } = await relight(world, "verify", "APP", "--json");
    expect(json).toMatchObject({
      verdict: "degraded",
      findings: [{ code: "account.not_in_resolver", message: expect.stringContaining("only a part of it") }],
    });
    expect((await relight(world, "doctor")).stdout).toMatch(/do not restart any server[\s\S]*APP/i);
    const { results } = (await relight(world, "run", "--json")).json;
    expect(results.find(({ name }: { name: string }) => name === "APP")).toMatchObject({
      verdict: "healthy",
      outcome: "healed",
      rungs: [{ rung: "push-again", result: "helped" }],
    });
    expect(await readFile(file, "utf8")).toMatch(/^[^.]+\.[^.]+\.[\w-]{86}$/);
  });
});

test("an account whose claims keep Relight's users out is judged as the system account sees it, and pages nobody", async () => {
  await using world = await worldOf("2.15.2", "full");
  await fill(world, { messages: 5 });
  const plain = world.claims({ iat: nowSeconds() + 1 });
  const authorization = { auth_users: [createUser().getPublicKey()] };
  await world.push(world.sign({ ...plain, nats: { ...plain.nats, authorization } }));
  const { json, exit } = await relight(world, "verify", "APP", "--json");
  expect({ exit, ...json }).toMatchObject({ exit: 0, verdict: "healthy", depth: "system", findings: [] });
  expect(json.warnings).toMatchObject([{ code: "account.kept_out", message: expect.stringContaining("auth callout") }]);
  const swept = await relight(world, "run", "--json");
  expect(swept.json.results.map(({ outcome }: { outcome: string }) => outcome)).toEqual(["healthy", "healthy"]);
  expect(await kindsIn(world)).not.toContain("incident.opened");
});
