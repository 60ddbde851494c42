import { readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { fillPlaced, peerRemove, tagged } from "../../lab/placed.ts";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { relight } from "../support/relight.ts";

jest.setTimeout(150_000);

interface Found {
  readonly code: string;
  readonly health: string;
  readonly message: string;
  readonly subject: { readonly server?: string; readonly stream?: string; readonly consumer?: string };
}

const about = ({ code, subject: { stream, consumer } }: Found): string =>
  [code, stream, consumer].filter((part) => part !== undefined).join(" ");
const codes = (json: { readonly findings: readonly Found[] }): readonly string[] => json.findings.map(about).sort();

/** Runs with the account's key taken out of the configuration. */
async function withoutKey<T>(world: World, work: () => Promise<T>): Promise<T> {
  const file = `${world.home}/relight.yaml`;
  const whole = await readFile(file, "utf8");
  await writeFile(file, whole.replace(/ +signingKey: file:app.nk\n/, ""));
  try {
    return await work();
  } finally {
    await writeFile(file, whole);
  }
}

const verify = async (world: World) => await relight(world, "verify", "APP", "--json");

const healthy = (world: World) =>
  retry(
    "the account to be healthy",
    async () => {
      const { json, exit } = await verify(world);
      expect({ exit, findings: json.findings }).toEqual({ exit: 0, findings: [] });
    },
    90_000,
  );

/** One world per version, in the order of an outage. */
describe.each(sampleOf(["2.9.25", "2.15.2"], VERSIONS))(
  "assets that no server holds are not healthy (nats-server %s)",
  (version) => {
    let world: World;
    let holder: string;
    const server = () => world.servers[Number(holder.at(-1)) - 1];

    beforeAll(async () => {
      world = await createWorld({ binary: (await serverBinary(version)).path, size: 3, config: tagged });
      holder = await fillPlaced(world);
      await healthy(world);
    }, 150_000);
    afterAll(async () => await world?.[Symbol.asyncDispose]());

    test("assets of a crashed server are dead, with its name; verify and doctor agree", async () => {
      await server()?.kill();
      const { json, exit } = await verify(world);
      expect(exit).toBe(2);
      expect(codes(json)).toEqual(
        expect.arrayContaining([
          "consumer.unheld THREE solo",
          "stream.no_majority TWO",
          "stream.replica_away THREE",
          "stream.unheld ONE",
        ]),
      );
      expect(codes(json).join()).not.toMatch(/probe.failed|stream.failing|server.away/);
      // A new leader election may be reported as well.
      const lasting = json.findings.filter(({ code }: Found) => !code.endsWith("no_leader"));
      for (const { subject } of lasting) expect(subject.server).toBe(holder);
      const [one] = json.findings.filter((found: Found) => found.code === "stream.unheld");
      expect(one.message).toMatch(
        `no server holds stream ONE (R1): it is on ${holder}, which does not answer; bring ${holder} back, with its storage; do not peer-remove it: that empties ONE`,
      );
      const doctor = await relight(world, "doctor", "--json");
      const streams = doctor.json.cluster.layers.find(({ id }: { id: string }) => id === "streams");
      expect(streams.verdict).toBe("dead");
      for (const { message } of lasting)
        expect(streams.evidence.map((seen: { message: string }) => seen.message)).toContain(message);
    });

    test("no rung starts, and a person learns what to do", async () => {
      const { json } = await relight(world, "heal", "APP", "--json");
      expect(json).toMatchObject({ outcome: "unhealed", rungs: [], verdict: "dead" });
      expect(json.why).toMatch(`bring ${holder} back`);
    });

    test("without the account's key the journal has them", async () => {
      const { json, exit } = await withoutKey(world, () => verify(world));
      expect(exit).toBe(2);
      expect(codes(json)).toEqual(
        expect.arrayContaining(["consumer.unheld THREE solo", "server.away", "stream.unheld ONE"]),
      );
    });

    test("without the key and without an earlier look they are unknown", async () => {
      const journal = process.env["RELIGHT_JOURNAL"];
      process.env["RELIGHT_JOURNAL"] = `sqlite:${world.home}/fresh.sqlite`;
      try {
        const { json, exit } = await withoutKey(world, () => verify(world));
        expect(json.findings.find(({ code }: Found) => code === "server.away")).toMatchObject({
          health: "unknown",
          subject: { server: holder },
        });
        expect(exit).not.toBe(0);
      } finally {
        if (journal === undefined) delete process.env["RELIGHT_JOURNAL"];
        else process.env["RELIGHT_JOURNAL"] = journal;
        await rm(`${world.home}/fresh.sqlite`, { force: true });
      }
    });

    test("with its server back everything is healthy", async () => {
      await server()?.start();
      await healthy(world);
    });

    test("after a peer-remove, assets that came back empty are lost, until a person accepts it", async () => {
      await server()?.stop();
      // The meta leader has given it up at once, and reports which consumers were ephemeral.
      const stopped = codes((await verify(world)).json);
      expect(stopped.filter((code) => code.includes(".unheld"))).toEqual([
        "consumer.unheld THREE solo",
        "stream.unheld ONE",
      ]);
      await peerRemove(world, holder);
      const lost = await waitFor("ONE and THREE's solo to be lost", async () => {
        const { json } = await verify(world);
        const found = codes(json);
        return found.includes("asset.lost ONE") && found.includes("asset.lost THREE solo") && json;
      });
      expect(lost.findings.find((found: Found) => about(found) === "asset.lost ONE").message).toMatch(
        /stream ONE ends at 0; it ended at 5 \(compared with .*, when the account was last healthy\)/,
      );
      await server()?.start();
      const still = (await verify(world)).json;
      expect(codes(still)).toEqual(expect.arrayContaining(["asset.lost ONE", "asset.lost THREE solo"]));
      const { json } = await relight(world, "acknowledge", "APP", "--reason", "it was a cache", "--json");
      expect(json.acknowledged.length).toBeGreaterThanOrEqual(2);
      expect(codes((await verify(world)).json).join()).not.toMatch(/asset.lost/);
    });
  },
);
