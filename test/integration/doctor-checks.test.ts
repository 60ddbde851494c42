import { describe, expect, jest, test } from "@jest/globals";
import { AckPolicy, DiscardPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { createAccount } from "@nats-io/nkeys";
import { nowSeconds, signClaims } from "../../lab/keys.ts";
import { serverBinary, type Version } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import type { Check } from "../../lib/domain/doctor/checks.ts";
import { type Run, relight } from "../support/relight.ts";

jest.setTimeout(120_000);

/** What doctor's checks say about real servers: of claims, which the servers judge themselves, and of JetStream. */

const worldOf = async (version: Version): Promise<World> => createWorld({ binary: (await serverBinary(version)).path });

const checksIn = (run: Run): readonly Check[] => run.json.checks ?? run.json.cluster.checks;

async function pushWith(account: World, more: object): Promise<void> {
  const claims = account.claims({ iat: nowSeconds() + 2 });
  await account.push(account.sign({ ...claims, nats: { ...claims.nats, ...more } }));
}

interface Given {
  readonly what: string;
  readonly entry: object;
  /** The check that says why the import is not in force; absent if it is. */
  readonly code?: string;
}

/**
 * Imports of every kind, each with a subject of its own. Without tokens for another account or subject: resolvers do not
 * store such a JWT (2.10.27, 2.15.2).
 */
function importsOf(importer: World, exporter: World): readonly Given[] {
  const stranger = createAccount();
  const from = { account: exporter.accountId, type: "stream" };
  const token = (subject: string, head: object = {}, key = exporter.account): string =>
    signClaims(
      {
        sub: importer.accountId,
        ...head,
        nats: { subject, kind: "stream", issuer_account: exporter.accountId, type: "activation", version: 2 },
      },
      key,
    );
  const own = (subject: string, head: object = {}): string => {
    const { nats, ...rest } = { sub: importer.accountId, ...head, nats: { subject, kind: "stream" } };
    return signClaims({ ...rest, nats: { ...nats, type: "activation", version: 2 } }, exporter.account);
  };
  const now = nowSeconds();
  return [
    { what: "public", entry: { ...from, subject: "open.a" } },
    {
      what: "a service under another name",
      entry: { ...from, subject: "ask.me", local_subject: "mine", type: "service" },
    },
    { what: "a service with an old `to`", entry: { ...from, subject: "yours", to: "ask.you", type: "service" } },
    { what: "a token of the exporter", entry: { ...from, subject: "kept.a", token: own("kept.a") } },
    {
      what: "a token of a signing key",
      entry: { ...from, subject: "kept.b", token: token("kept.*", {}, exporter.accountSigningKey) },
    },
    { what: "its own place", entry: { ...from, subject: `placed.${importer.accountId}` } },
    {
      what: "nobody",
      entry: { ...from, account: stranger.getPublicKey(), subject: "open.b" },
      code: "import.no_exporter",
    },
    { what: "no export", entry: { ...from, subject: "closed.a" }, code: "import.no_export" },
    { what: "the other type", entry: { ...from, subject: "ask.stream" }, code: "import.no_export" },
    {
      what: "another's place",
      entry: { ...from, subject: `placed.${exporter.accountId}` },
      code: "import.not_its_place",
    },
    { what: "no token", entry: { ...from, subject: "kept.c" }, code: "import.no_token" },
    {
      what: "an expired token",
      entry: { ...from, subject: "kept.f", token: own("kept.f", { exp: now - 60 }) },
      code: "import.token_expired",
    },
    {
      what: "an early token",
      entry: { ...from, subject: "kept.g", token: own("kept.g", { nbf: now + 3_600 }) },
      code: "import.token_early",
    },
    {
      what: "a strange key's token",
      entry: { ...from, subject: "kept.h", token: token("kept.h", {}, stranger) },
      code: "import.token_key",
    },
    {
      what: "a revoked token",
      entry: { ...from, subject: "kept.i", token: own("kept.i", { iat: now - 100 }) },
      code: "import.token_revoked",
    },
  ];
}

/** Each import is the only one, so the server's word about the account is its word about the import. */
async function isComplete(world: World): Promise<boolean> {
  const system = await world.connectAs("system");
  try {
    const answer = await system.request(`$SYS.REQ.ACCOUNT.${world.accountId}.INFO`, "", { timeout: 5_000 });
    return answer.json<{ data: { complete: boolean } }>().data.complete;
  } finally {
    await system.close();
  }
}

describe.each<Version>(["2.10.27", "2.15.2"])("nats-server %s", (version) => {
  test("imports are in force or not, and why: as the server says", async () => {
    await using importer = await worldOf(version);
    const exporter = await anotherAccount(importer, "EXPORTER");
    const revocations = { [importer.accountId]: nowSeconds() - 50 };
    await pushWith(exporter, {
      exports: [
        { name: "open", subject: "open.*", type: "stream" },
        { name: "ask", subject: "ask.>", type: "service" },
        { name: "kept", subject: "kept.*", type: "stream", token_req: true, revocations },
        { name: "placed", subject: "placed.*", type: "stream", account_token_position: 2 },
        { name: "unused", subject: "unused", type: "stream" },
      ],
    });
    await (await exporter.connectAs("app")).close();
    const given = importsOf(importer, exporter);
    const server: Record<string, boolean> = {};
    for (const { what, entry } of given) {
      await pushWith(importer, { imports: [{ name: what, ...entry }] });
      await (await importer.connectAs("app")).close();
      server[what] = await isComplete(importer);
    }
    expect(server).toEqual(Object.fromEntries(given.map(({ what, code }) => [what, code === undefined])));

    await pushWith(importer, { imports: given.map(({ what, entry }) => ({ name: what, ...entry })) });
    const run = await relight(importer, "doctor", "--json");
    expect(run).toMatchObject({ exit: 1, json: { cluster: { verdict: "healthy" } } });
    const found = checksIn(run).filter(({ code }) => code.startsWith("import."));
    expect(found.map(({ code }) => code)).toEqual(given.flatMap(({ code }) => code ?? []));
    for (const one of found) expect(one).toMatchObject({ severity: "critical", evidence: { incompleteOn: ["lab"] } });
    expect(checksIn(run)).toContainEqual(
      expect.objectContaining({ code: "export.unused", about: { account: "EXPORTER" }, severity: "info" }),
    );
    const { stdout } = await relight(importer, "doctor");
    expect(stdout).toContain("the import of stream kept.c from EXPORTER is not in force");
    expect(checksIn(await relight(importer, "verify", "APP", "--json"))).toEqual(found);
    expect((await relight(importer, "doctor", "--nagios")).stdout).toMatch(/^RELIGHT WARNING.*critical_checks=9$/m);
  });

  test("consumers that stop, streams that are nearly full, and accounts with one name", async () => {
    await using world = await worldOf(version);
    await anotherAccount(world, "APP");
    const app = await world.connectAs("app");
    const manager = await retry("JetStream to be enabled", () => jetstreamManager(app));
    const limits = { max_msgs: 10, discard: DiscardPolicy.New };
    await manager.streams.add({ name: "ORDERS", subjects: ["orders.*"], ...limits });
    for (let count = 0; count < 9; count++) await jetstream(app).publish("orders.a");
    const common = { ack_policy: AckPolicy.Explicit };
    await manager.consumers.add("ORDERS", { ...common, durable_name: "stuck", max_ack_pending: 3 });
    await manager.consumers.add("ORDERS", { ...common, durable_name: "fine", max_ack_pending: 30 });
    await manager.consumers.add("ORDERS", { ...common, durable_name: "deserted", deliver_subject: "in.a" });
    await manager.consumers.add("ORDERS", { ...common, durable_name: "served", deliver_subject: "in.b" });
    app.subscribe("in.b", { callback: () => undefined });
    const consumer = await jetstream(app).consumers.get("ORDERS", "stuck");
    for await (const _message of await consumer.fetch({ max_messages: 3, expires: 2_000 }));
    await waitFor("the messages to be pending", async () => (await consumer.info()).num_ack_pending === 3);

    const run = await relight(world, "doctor", "--json");
    expect(run).toMatchObject({ exit: 0, json: { cluster: { verdict: "healthy" } } });
    const about = { account: "APP", stream: "ORDERS" };
    const all = checksIn(run).map(({ code, about: what }) => [code, what]);
    expect(all).toEqual([
      ["account.name_twice", { account: "APP" }],
      ["stream.near_full", about],
      ["consumer.no_subscriber", { ...about, consumer: "deserted" }],
      ["consumer.ack_pending", { ...about, consumer: "stuck" }],
    ]);
    const verified = await relight(world, "verify", "APP", "--json");
    expect(verified.exit).toBe(0);
    expect(checksIn(verified).map(({ code }) => code)).toEqual(all.slice(1).map(([code]) => code));
    await app.close();
  });
});
