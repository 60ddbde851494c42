import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, test } from "@jest/globals";
import { encodeUser, fmtCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, fill, renewByHand, snapshot, symptoms } from "../../lab/scenario.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import type { JournalEntry } from "../../lib/domain/journal/journal.ts";
import { openWorldApp } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";
import { spawnWatch, startWatch, type Watch } from "../support/watch.ts";

/** `relight watch` beside real servers: events in the cluster have their effect without a command. */

const { path: binary } = await serverBinary("2.10.27");
const WORKS = { apiInfo: "ok", streamInfo: "ok", publish: "ok", fetch: "ok" };

/** The time within which an event must have had its effect; milliseconds. */
const SOON = 30_000;

async function journalOf(world: World): Promise<readonly JournalEntry[]> {
  await using app = await openWorldApp(world);
  return app.journal.read({ account: await app.findOffline(world.accountId) });
}

const eventJobs = (entries: readonly JournalEntry[]): readonly JournalEntry[] =>
  entries.filter(({ kind, data }) => kind === "job.started" && data["trigger"] === "event");

/** Pushes claims as somebody else would, and waits until the job for that push is reported. */
async function pushAndWait(world: World, watch: Watch, limits: object = {}) {
  const jti = crypto.randomUUID();
  await world.push(world.sign({ ...world.claims({ iat: nowSeconds() + 5, limits }), jti }));
  return watch.until(`the job for ${jti}`, ({ what, reason }) => what === "job" && reason.includes(jti), SOON);
}

/** A user of the account with a lifetime in seconds. */
async function newUser({ accountSigningKey, accountId }: World, name: string, lives: number) {
  const user = createUser();
  const terms = { exp: nowSeconds() + lives };
  const token = await encodeUser(name, user, accountSigningKey, { issuer_account: accountId }, terms);
  return { user, credentials: fmtCreds(token, user) };
}

const connectWith = ({ server }: World, credentials: Uint8Array): Promise<NatsConnection> =>
  connect({ servers: server.url, reconnect: false, authenticator: credsAuthenticator(credentials) });

describe.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))("nats-server %s", (version) => {
  test("an account that expires is renewed and healed, and Relight's own pushes start nothing", async () => {
    const server = await serverBinary(version);
    await using world = await createWorld({ binary: server.path });
    await fill(world, { messages: 5 });
    const before = await snapshot(world);
    await using watch = await startWatch(world);
    await expire(world);
    const healed = await watch.until("the renewal", ({ what, pushed }) => what === "job" && pushed, SOON);
    expect(healed).toMatchObject({ account: world.accountId, name: "APP", verdict: "healthy" });
    expect(healed["rungs"][0]).toMatchObject({ rung: "renew", why: "it had expired" });
    expect(await snapshot(world)).toEqual(before);
    expect(await symptoms(world)).toEqual(WORKS);

    // What follows this push came after all of Relight's own.
    await pushAndWait(world, watch);
    expect(await watch.stop()).toBe(0);
    const entries = await journalOf(world);
    const own = entries.flatMap(({ kind, data }) => (kind === "push.started" ? [data["jwt"]] : []));
    const jobs = eventJobs(entries);
    expect(own.length).toBeGreaterThan(0);
    for (const { jti } of own as { jti: string }[])
      expect(jobs.filter(({ data }) => String(data["reason"]).includes(jti))).toEqual([]);
    // One for the push of the expiring claims and the expiry (two if they are noticed separately), and the last.
    expect([2, 3]).toContain(jobs.length);
  });
});

describe.each(sampleOf(["2.10.27"], VERSIONS))("nats-server %s", (version) => {
  test("a user that expires is named, and starts no job", async () => {
    const server = await serverBinary(version);
    await using world = await createWorld({ binary: server.path });
    await using watch = await startWatch(world);
    const { user, credentials } = await newUser(world, "shorty", 6);
    const client = await connectWith(world, credentials);
    await client.closed();
    const told = await watch.until("the user's expiry", ({ kind }) => kind === "client-expired");
    expect(told).toMatchObject({ userName: "shorty", user: user.getPublicKey(), action: { do: "note" } });
    await pushAndWait(world, watch);
    expect(await watch.stop("SIGTERM")).toBe(0);
    expect(eventJobs(await journalOf(world))).toHaveLength(1);
  });

  test("many refused clients of an account are one job", async () => {
    const server = await serverBinary(version);
    await using world = await createWorld({ binary: server.path });
    await using watch = await startWatch(world);
    const { credentials } = await newUser(world, "late", -10);
    const refused = async (): Promise<boolean> => {
      const clients = Array.from({ length: 5 }, () => connectWith(world, credentials));
      const ends = await Promise.allSettled(clients);
      expect(ends.map(({ status }) => status)).not.toContain("fulfilled");
      return watch.notes.some(({ what }) => what === "job");
    };
    // Clients come again until they are noticed: all at once, a busy machine times them out instead of refusing.
    await waitFor("the storm to be noticed", refused, { timeout: 80_000 });
    const told = await watch.until("the job", ({ what }) => what === "job", SOON);
    expect(told).toMatchObject({ reason: "servers refuse many of its clients", verdict: "healthy" });
    expect(watch.stderr()).toMatch(/"level":40.*auth-failed/);
    await pushAndWait(world, watch);
    await watch.stop();
    expect(eventJobs(await journalOf(world))).toHaveLength(2);
  });
});

test("somebody's push that kills JetStream (#6766) is found and healed at once", async () => {
  await using world = await createWorld({ binary });
  await fill(world, { messages: 5 });
  await using watch = await startWatch(world);
  // JetStream's own clients count, too: one connection is below current usage even without another client.
  const told = await pushAndWait(world, watch, { conn: 1 });
  expect(told).toMatchObject({ outcome: "healed", verdict: "healthy" });
  expect(told["rungs"]).toMatchObject([{ rung: "toggle-jetstream", result: "helped" }]);
  expect(await symptoms(world)).toEqual(WORKS);
});

test("a pushed text that is no account JWT is noted and ignored", async () => {
  await using world = await createWorld({ binary });
  await using watch = await startWatch(world);
  const system = await world.connectAs("system");
  await system.request("$SYS.REQ.CLAIMS.UPDATE", "no JWT", { timeout: 2_000 });
  await system.close();
  const told = await watch.until("the note", ({ kind }) => kind === "push-unreadable");
  expect(told["action"].do).toBe("note");
  expect(await watch.stop()).toBe(0);
});

test("a server that stops and returns: lost once, regained once, swept once", async () => {
  await using world = await createWorld({ binary });
  await using watch = await startWatch(world);
  const sweeps = (): number => watch.notes.filter(({ what }) => what === "sweep").length;
  await world.server.stop();
  await watch.until("the loss", ({ kind }) => kind === "connection-lost");
  await world.server.start();
  await watch.until("the return", ({ kind }) => kind === "connection-regained", 30_000);
  await waitFor("the sweep", () => sweeps() === 2, { timeout: 30_000 });
  // It listens again.
  await pushAndWait(world, watch);
  expect(await watch.stop()).toBe(0);
  const kinds = watch.notes.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "connection-lost")).toHaveLength(1);
  expect(kinds.filter((kind) => kind === "connection-regained")).toHaveLength(1);
  expect(sweeps()).toBe(2);
  expect(watch.notes.findLast(({ what }) => what === "sweep")).toMatchObject({ queued: 2 });
});

test("Ctrl-C while the cluster is away ends it as usual", async () => {
  await using world = await createWorld({ binary });
  await using watch = await startWatch(world);
  await world.server.kill();
  await watch.until("the loss", ({ kind }) => kind === "connection-lost");
  expect(await watch.stop()).toBe(0);
});

describe("an account that is already dead", () => {
  async function deadWorld(): Promise<World> {
    const world = await createWorld({ binary });
    await fill(world);
    await expire(world);
    await renewByHand(world, 90 * 86_400);
    return world;
  }
  const kindsOf = async (world: World) => (await journalOf(world)).map(({ kind }) => kind);

  test("Ctrl-C during a remedy: the step is finished, exit 0", async () => {
    await using world = await deadWorld();
    const before = await snapshot(world);
    await using watch = spawnWatch(world);
    await waitFor("the toggle", async () => (await kindsOf(world)).includes("toggle.opened"), {
      interval: 5,
    });
    expect(await watch.stop()).toBe(0);
    expect(await kindsOf(world)).toContain("toggle.closed");
    expect((await relight(world, "verify", "APP")).exit).toBe(0);
    expect(await snapshot(world)).toEqual(before);
  });

  test("a manual heal at the same time: nothing is done twice", async () => {
    await using world = await deadWorld();
    const before = await snapshot(world);
    await using watch = spawnWatch(world);
    const byHand = await Promise.all([relight(world, "heal", "APP"), relight(world, "heal", "APP")]);
    // Healthy in the end, or another job was working.
    for (const { exit } of byHand) expect([0, 3]).toContain(exit);
    await watch.until("the sweep", ({ what }) => what === "sweep");
    expect(await watch.stop()).toBe(0);
    expect((await kindsOf(world)).filter((kind) => kind === "toggle.opened")).toHaveLength(1);
    expect(await snapshot(world)).toEqual(before);
    expect(await symptoms(world)).toEqual(WORKS);
  });
});

describe.each(sampleOf(["2.15.2"], VERSIONS))("a cluster of nats-server %s", (version) => {
  test("a stream's new leader, and a server that leaves and joins, are noticed and checked", async () => {
    const server = await serverBinary(version);
    await using world = await createWorld({ binary: server.path, size: 3 });
    await fill(world, { messages: 5, replicas: 3 });
    await using watch = await startWatch(world);
    const app = await world.connectAs("app");
    await app.request("$JS.API.STREAM.LEADER.STEPDOWN.ORDERS", "", { timeout: 5_000 });
    await app.close();
    const told = await watch.until("the election", ({ kind }) => kind === "leader-elected");
    expect(told).toMatchObject({ account: world.accountId, asset: "stream ORDERS", action: { do: "job" } });
    await watch.until("the job", ({ what, verdict }) => what === "job" && verdict === "healthy");

    await world.servers[2]?.stop();
    await watch.until("the stop", ({ kind, server: name }) => kind === "server-stopped" && name === "lab-3");
    await world.servers[2]?.start();
    await watch.until("the return", ({ kind, server: name }) => kind === "server-joined" && name === "lab-3");

    await Promise.all([world.servers[1]?.kill(), world.servers[2]?.kill()]);
    const lost = await watch.until("the lost quorum", ({ kind }) => kind === "quorum-lost", 60_000);
    expect(lost).toMatchObject({ account: world.accountId, action: { do: "job" } });
    expect(await watch.stop()).toBe(0);
  });
});

describe("it ends at once", () => {
  test("with credentials of another account", async () => {
    await using world = await createWorld({ binary });
    await writeFile(`${world.home}/sys.creds`, await readFile(`${world.home}/app.creds`));
    const { exit, json } = await relight(world, "watch", "--json");
    expect({ exit, code: json.error.code }).toEqual({ exit: 2, code: "nats.not_system_account" });
  });

  test("with a user of the system account that may not subscribe", async () => {
    await using world = await createWorld({ binary });
    const user = createUser();
    const { systemAccount, accountSigningKey } = world;
    const token = await encodeUser("narrow", user, accountSigningKey, {
      issuer_account: systemAccount.getPublicKey(),
      sub: { allow: ["_INBOX.>"], deny: [] },
    });
    await writeFile(`${world.home}/sys.creds`, fmtCreds(token, user));
    await using watch = spawnWatch(world);
    const told = await watch.until("the error", ({ what }) => what === "error");
    expect(told["error"].code).toBe("nats.unauthorized");
    expect(await watch.exit).toBe(2);
  });

  test("without a server, and with a wrong configuration", async () => {
    await using world = await createWorld({ binary });
    const wrong = await relight(world, "watch", "--sweep-every", "soon");
    expect(wrong).toMatchObject({ exit: 3, stdout: "" });
    await world.server.stop();
    const { exit, json } = await relight(world, "watch", "--json");
    expect({ exit, code: json.error.code }).toEqual({ exit: 3, code: "nats.unreachable" });
  });
});
