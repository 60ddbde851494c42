import { expect, jest, test } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(120_000);

/** Streams on imported subjects, on a version with nats-server #6498: what the server delivers, and what Relight says. */

const VERSION = "2.10.20";

async function worldWith(size: number): Promise<{ readonly importer: World; readonly exporter: World }> {
  const importer = await createWorld({ binary: (await serverBinary(VERSION)).path, size });
  const exporter = await anotherAccount(importer, "EXPORTER");
  await pushWith(exporter, { exports: [{ name: "data", subject: "data.>", type: "stream" }] });
  return { importer, exporter };
}

async function pushWith(account: World, more: object): Promise<void> {
  const claims = account.claims({ iat: Math.floor(Date.now() / 1_000) + 2 });
  await account.push(account.sign({ ...claims, nats: { ...claims.nats, ...more } }));
}

const importData = ({ importer, exporter }: Awaited<ReturnType<typeof worldWith>>): Promise<void> =>
  pushWith(importer, { imports: [{ name: "data", subject: "data.>", account: exporter.accountId, type: "stream" }] });

async function asApp<T>(account: World, work: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>) {
  const connection = await account.connectAs("app");
  try {
    return await work(await jetstreamManager(connection));
  } finally {
    await connection.close();
  }
}

/** A cluster that has just formed may refuse it for a moment. */
const createStream = (account: World, replicas: number): Promise<unknown> =>
  retry("the stream to be made", () =>
    asApp(account, (manager) => manager.streams.add({ name: "DATA", subjects: ["data.>"], num_replicas: replicas })),
  );

/** Whether what the exporter publishes arrives in the stream. */
async function arrives({ importer, exporter }: Awaited<ReturnType<typeof worldWith>>): Promise<boolean> {
  const count = () => asApp(importer, async (manager) => (await manager.streams.info("DATA")).state.messages);
  const before = await count();
  const connection = await exporter.connectAs("app");
  connection.publish("data.x", "message");
  await connection.flush();
  await connection.close();
  return waitFor("the message", async () => (await count()) > before, { timeout: 2_000 }).catch(() => false);
}

async function verdictOn(world: World) {
  const { json } = await relight(world, "verify", "APP", "--json");
  const codes = [...json.findings, ...json.warnings].map(({ code }: { readonly code: string }) => code);
  return { verdict: json.verdict, codes, findings: json.findings };
}

test("a stream that takes nothing of a newer import is degraded, until its server restarts", async () => {
  const accounts = await worldWith(1);
  await using importer = accounts.importer;
  await createStream(importer, 1);
  await importer.server.stop();
  await importer.server.start();
  await importData(accounts);
  expect(await arrives(accounts)).toBe(false);
  const deaf = await verdictOn(importer);
  expect(deaf).toMatchObject({ verdict: "degraded", codes: ["import.deaf"] });
  expect(deaf.findings[0].message).toMatch(/import on data\.>.*restart lab/);

  await importer.server.stop();
  await importer.server.start();
  expect(await waitFor("the restarted server", () => arrives(accounts))).toBe(true);
  expect(await verdictOn(importer)).toMatchObject({ verdict: "healthy", codes: [] });
});

test("in a cluster a new leader takes it, as the finding says", async () => {
  const accounts = await worldWith(3);
  await using importer = accounts.importer;
  await createStream(importer, 3);
  for (const server of importer.servers) {
    await server.stop();
    await server.start();
    await retry("the stream to answer", () => asApp(importer, (manager) => manager.streams.info("DATA")), 60_000);
  }
  await importData(accounts);
  expect(await arrives(accounts)).toBe(false);
  const deaf = await verdictOn(importer);
  expect(deaf.codes).toEqual(["import.deaf"]);
  expect(deaf.findings[0].message).toContain("`nats stream cluster step-down DATA`");

  const connection = await importer.connectAs("app");
  await connection.request("$JS.API.STREAM.LEADER.STEPDOWN.DATA", "", { timeout: 5_000 });
  await connection.close();
  expect(await waitFor("the new leader", () => arrives(accounts).catch(() => false))).toBe(true);
  expect(await verdictOn(importer)).toMatchObject({ verdict: "healthy", codes: [] });
});

test("a stream that is newer than the import is healthy, without a warning", async () => {
  const accounts = await worldWith(1);
  await using importer = accounts.importer;
  await importData(accounts);
  await createStream(importer, 1);
  expect(await arrives(accounts)).toBe(true);
  expect(await verdictOn(importer)).toMatchObject({ verdict: "healthy", codes: [] });
});
