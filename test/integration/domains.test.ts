import { describe, expect, test } from "@jest/globals";
import {
  createDomains,
  type Domains,
  type DomainsOptions,
  fillDomains,
  messagesIn,
  publishTo,
} from "../../lab/domains.ts";
import { nowSeconds } from "../../lab/keys.ts";
import { expire, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { openWorldApp } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

const EXPECTED = "leafnodes:\n  - { name: edge-1, account: APP, domain: edge }\n";

async function createPair(version: string, options: Partial<DomainsOptions> = {}): Promise<Domains> {
  const binary = (await serverBinary(version)).path;
  return createDomains({ yaml: EXPECTED, ...options, binary });
}

/** Every copy has everything that its origin has. */
async function allCopied(pair: Domains, fromHub: number, fromEdge: number): Promise<void> {
  const counts = async () => ({
    local: await messagesIn(pair, "hub", "LOCAL"),
    copy: await messagesIn(pair, "edge", "COPY"),
    collected: await messagesIn(pair, "hub", "COLLECTED"),
  });
  const wanted = JSON.stringify({ local: fromHub, copy: fromHub, collected: fromEdge });
  await waitFor(`the copies to have ${wanted}`, async () => JSON.stringify(await counts()) === wanted, {
    timeout: 40_000,
    interval: 500,
  });
}

// biome-ignore lint/suspicious/noExplicitAny: what the command printed
const codesOf = (json: any): string[] => json.findings.map(({ code }: { code: string }) => code);

describe.each(sampleOf(["2.15.2"], ["2.10.27", "2.15.2"]))(
  "a hub and a leaf in two domains (nats-server %s)",
  (version) => {
    test.concurrent.each(["own", "shared"] as const)(
      "with %s system account: healthy, without findings",
      async (system) => {
        await using pair = await createPair(version, { system });
        await fillDomains(pair);
        await publishTo(pair, "hub", 5);
        await publishTo(pair, "edge", 5);
        await allCopied(pair, 5, 5);
        const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
        expect({ exit, findings: json.findings }).toEqual({ exit: 0, findings: [] });
        expect(json.leafnodes).toEqual([{ server: "lab", account: pair.hub.accountId, name: "edge-1" }]);
        const topologies = json.servers.map((server: { topology: string }) => server.topology);
        expect(topologies.sort()).toEqual(system === "own" ? ["standalone"] : ["leaf", "standalone"]);
        expect(json.streams).toBe(system === "own" ? 3 : 5);
      },
    );

    test.concurrent("the hub's account expires and is healed: the leaf and the copies come back, with every message", async () => {
      await using pair = await createPair(version);
      await fillDomains(pair);
      await publishTo(pair, "hub", 5);
      await publishTo(pair, "edge", 5);
      await allCopied(pair, 5, 5);
      await expire(pair.hub);
      await publishTo(pair, "edge", 7);
      const { exit, json } = await relight(pair.hub, "heal", "APP", "--json");
      expect({ exit, codes: codesOf(json), outcome: json.outcome }).toEqual({
        exit: 0,
        codes: [],
        outcome: "healed",
      });
      await publishTo(pair, "hub", 7);
      await allCopied(pair, 12, 12);
      expect(await pair.bound()).toEqual([pair.hub.accountId]);
      expect((await relight(pair.hub, "verify", "APP", "--json")).json.findings).toEqual([]);
    });

    test.concurrent("a leaf with another account's credentials is named, with the stalled copies", async () => {
      await using pair = await createPair(version, { as: "other" });
      await fillDomains(pair);
      const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
      expect({ exit, codes: codesOf(json) }).toEqual({
        exit: 2,
        codes: ["leaf.wrong_account", "domain.silent", "stream.stalled"],
      });
      const [wrong, silent, stalled] = json.findings;
      expect(wrong.evidence).toMatchObject({
        bound: pair.other.getPublicKey(),
        expected: pair.hub.accountId,
      });
      expect(silent.subject).toEqual({ domain: "edge" });
      expect(stalled).toMatchObject({ health: "degraded", subject: { stream: "COLLECTED" } });
      expect(stalled.message).toContain("stalled because leafnode edge-1 is bound to account");
    });

    test.concurrent("a missing leaf is reported; when it is back, everything is healthy", async () => {
      await using pair = await createPair(version);
      await fillDomains(pair);
      await pair.leaf.stop();
      const gone = await relight(pair.hub, "verify", "APP", "--json");
      expect({ exit: gone.exit, codes: codesOf(gone.json) }).toEqual({
        exit: 2,
        codes: ["leaf.missing", "domain.silent", "stream.stalled"],
      });
      await pair.leaf.start();
      const back = await relight(pair.hub, "verify", "APP", "--json");
      expect({ exit: back.exit, findings: back.json.findings }).toEqual({ exit: 0, findings: [] });
    });
  },
);

test.concurrent("nats-server 2.9.25: an account that expired is healed, and the copies on both sides follow", async () => {
  await using pair = await createPair("2.9.25", { yaml: "" });
  await fillDomains(pair);
  await publishTo(pair, "hub", 5);
  await publishTo(pair, "edge", 5);
  await allCopied(pair, 5, 5);
  await expire(pair.hub);
  const { exit, json } = await relight(pair.hub, "heal", "APP", "--json");
  expect({ exit, codes: codesOf(json) }).toEqual({ exit: 0, codes: [] });
  // A standalone hub may be toggled with a leaf attached: this shows that it does no harm.
  expect(json.rungs.at(-1)).toMatchObject({ rung: "toggle-jetstream", result: "helped" });
  await publishTo(pair, "hub", 7);
  await publishTo(pair, "edge", 7);
  await allCopied(pair, 12, 12);
});

test.concurrent("a hub of three with a leaf in its system account: each domain has its own servers and meta group", async () => {
  await using pair = await createPair("2.10.27", { size: 3, system: "shared" });
  await fillDomains(pair);
  const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
  expect({ exit, findings: json.findings }).toEqual({ exit: 0, findings: [] });
  expect(json.servers).toHaveLength(4);
  await using app = await openWorldApp(pair.hub);
  const { probes } = await app.context();
  const sizeOf = async () => {
    const meta = await probes.meta("hub");
    return meta.ok ? meta.value?.size : undefined;
  };
  // A young group adds its third member a moment later.
  await waitFor("the hub's meta group of three", async () => (await sizeOf()) === 3);
  expect(await probes.meta("edge")).toEqual({ ok: true, value: undefined });
  expect(await probes.meta()).toMatchObject({ ok: false, message: expect.stringContaining("edge, hub") });
});

test.concurrent("an account without JetStream on the hub, with a leaf: the API does not answer, and that is the only finding", async () => {
  await using pair = await createPair("2.10.27", { yaml: "" });
  const limits = { mem_storage: 0, disk_storage: 0 };
  await pair.hub.push(pair.hub.sign(pair.hub.claims({ limits, iat: nowSeconds() + 1 })));
  const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
  expect({ exit, findings: json.findings, depth: json.depth }).toEqual({
    exit: 0,
    findings: [],
    depth: "account",
  });
});

test.concurrent("a missing origin: the copy is dead, and the finding says why", async () => {
  await using pair = await createPair("2.10.27");
  await fillDomains(pair);
  // An origin that was heard before: servers report one that never was differently.
  await publishTo(pair, "edge", 1);
  await waitFor("the copy", async () => (await messagesIn(pair, "hub", "COLLECTED")) === 1, {
    timeout: 60_000,
  });
  const edge = await pair.connectTo("edge");
  const deleted = await edge.request("$JS.API.STREAM.DELETE.READINGS", "", { timeout: 10_000 });
  expect(deleted.json()).toMatchObject({ success: true });
  await edge.close();
  // Heartbeats must be missing for ten seconds.
  const found = await waitFor(
    "the finding",
    async () => {
      const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
      return exit === 0 ? undefined : { exit, findings: json.findings };
    },
    { timeout: 90_000, interval: 1_000 },
  );
  expect(found).toMatchObject({
    exit: 2,
    findings: [{ code: "stream.stalled", message: expect.stringContaining("the origin does not exist") }],
  });
});

test.concurrent("nats-server 2.9.10 does not report leafnode names, unlike 2.9.25: unknown, not missing", async () => {
  await using pair = await createPair("2.9.10");
  const { exit, json } = await relight(pair.hub, "verify", "APP", "--json");
  expect({ exit, codes: codesOf(json) }).toEqual({ exit: 3, codes: ["probe.failed"] });
  expect(json.findings[0].message).toContain("does not report the names of leafnodes");
});

test.concurrent("with a shared system account the servers of both domains are found deaf, and unaffected ones are left alone", async () => {
  await using pair = await createPair("2.10.27", { system: "shared" });
  await fillDomains(pair);
  await expire(pair.hub);
  await renewByHand(pair.hub);
  const { json } = await relight(pair.hub, "heal", "APP", "--json");
  const deaf = json.findings.filter(({ code }: { code: string }) => code === "stream.deaf");
  expect(deaf.map(({ subject }: { subject: object }) => subject)).toEqual([
    { server: "lab", stream: "ORDERS" },
    { server: "edge-1", stream: "READINGS" },
  ]);
  expect(json.outcome).toBe("refused");
  expect(json.rungs[0]).toMatchObject({ rung: "toggle-jetstream", result: "refused" });
});
