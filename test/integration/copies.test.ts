import { describe, expect, test } from "@jest/globals";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { lacksHeartbeats } from "../../lib/domain/observation/deafness.ts";
import type { OriginFacts } from "../../lib/domain/observation/observation.ts";
import { looking } from "../../lib/usecases/observe/look.ts";
import { openWorldApp } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

/**
 * A mirror of another account's stream. Its server requests the copy's consumer over a service, and receives messages
 * and heartbeats over an imported stream: without that import each attempt succeeds and nothing arrives.
 */
const API = { subject: "$JS.API.CONSUMER.>", type: "service" };
const MESSAGES = { subject: "copies.>", type: "stream" };

async function importFrom(world: World, other: World, imported: readonly (typeof API)[]): Promise<void> {
  const claims = world.claims();
  const imports = imported.map(({ subject, type }) => ({
    name: type,
    subject,
    type,
    account: other.accountId,
    ...(type === "service" ? { local_subject: "from.other.CONSUMER.>" } : {}),
  }));
  await world.push(world.sign({ ...claims, nats: { ...claims.nats, imports } }));
}

/** The account APP mirrors ORDERS of the account OTHER, and has all of it. */
async function mirrored(version: string): Promise<{ world: World; other: World }> {
  const world = await createWorld({ binary: (await serverBinary(version)).path });
  const other = await anotherAccount(world, "OTHER");
  const claims = other.claims();
  const exports = [API, MESSAGES].map((one) => ({ ...one, name: one.type }));
  await other.push(other.sign({ ...claims, nats: { ...claims.nats, exports } }));
  await importFrom(world, other, [API, MESSAGES]);
  await using origin = closing(await other.connectAs("app"));
  await (await jetstreamManager(origin)).streams.add({ name: "ORDERS", subjects: ["orders.*"] });
  await jetstream(origin).publish("orders.1");
  await using app = closing(await world.connectAs("app"));
  const manager = await jetstreamManager(app);
  const external = { api: "from.other", deliver: "copies" };
  await manager.streams.add({ name: "COPY", mirror: { name: "ORDERS", external } });
  const messages = async () => (await manager.streams.info("COPY")).state.messages;
  await waitFor("the mirror to hold the message", async () => (await messages()) === 1, { timeout: 30_000 });
  return { world, other };
}

function closing<T extends { close(): Promise<void> }>(connection: T): T & AsyncDisposable {
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });
}

/** What one look at the account reports about the mirror. */
async function judge(world: World): Promise<{ readonly origin: OriginFacts; readonly codes: readonly string[] }> {
  await using app = await openWorldApp(world);
  const { observation, verdict } = await looking(await app.context(), world.accountId as AccountId)();
  const { streams } = observation;
  const origins = streams.ok ? streams.value[0]?.origins : undefined;
  const origin = origins?.ok === true ? origins.value[0] : undefined;
  if (origin === undefined) throw new Error("the mirror was not seen");
  return { origin, codes: verdict.findings.map(({ code }) => code) };
}

describe.each(sampleOf(["2.9.25", "2.15.2"], VERSIONS))("a mirror (nats-server %s)", (version) => {
  test("is healthy while it gets heartbeats, and not while its server only retries", async () => {
    const { world, other } = await mirrored(version);
    await using _world = world;
    expect((await relight(world, "verify", "APP", "--json")).json).toMatchObject({
      verdict: "healthy",
      findings: [],
    });
    expect((await judge(world)).origin.later).toHaveLength(2);

    await importFrom(world, other, [API]);
    const isSilent = async (): Promise<boolean> => lacksHeartbeats((await judge(world)).origin);
    await waitFor("the mirror to be silent", isSilent, { timeout: 30_000 });
    // Together longer than the time between two attempts, after which its server calls it active.
    for (let looks = 0; looks < 5; looks++) expect((await judge(world)).codes).toEqual(["stream.stalled"]);

    await importFrom(world, other, [API, MESSAGES]);
    await waitFor("the mirror to be heard", async () => !(await isSilent()), { timeout: 60_000 });
  });
});
