import { describe, expect, jest, test } from "@jest/globals";
import { churn } from "../../lab/churn.ts";
import { expire, fill, renewByHand } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { isExhaustive } from "../support/exhaustive.ts";
import { relight } from "../support/resident.ts";

jest.setTimeout(300_000);

/** Each checks, asks for the status, and heals; more of them find rarer moments. */
const LOOKS = Number(process.env["CHURN_LOOKS"] ?? 3);

/** By default each application makes at most five streams a second: without a pause that is most of the test's CPU time. */
const PAUSE = isExhaustive ? 0 : 200;

const createOf = async (size: number): Promise<World> =>
  createWorld({ binary: (await serverBinary("2.10.27")).path, size });

describe.each([1, 3])("streams and consumers are created and deleted all the time, on %i server(s)", (size) => {
  const replicas = size === 1 ? [1] : [1, 3];

  test("a healthy account stays healthy, and nothing is done to it", async () => {
    await using world = await createOf(size);
    await fill(world, { replicas: size, messages: 10 });
    await using busy = await churn(world, { replicas, pause: PAUSE });
    const seen: string[] = [];
    for (let look = 0; look < LOOKS; look++) {
      const { json: verified } = await relight(world, "verify", "APP", "--json");
      seen.push(`verify: ${verified.verdict}${told(verified.findings)}`);
      const { json: status } = await relight(world, "status", "--json");
      const app = status.accounts.find(({ name }: { name: string }) => name === "APP");
      seen.push(`status: ${app.verdict}${told(app.findings)}`);
      const { json: healed } = await relight(world, "heal", "APP", "--json");
      seen.push(`heal: ${healed.outcome} ${healed.verdict}${told(healed.findings)}${JSON.stringify(healed.rungs)}`);
    }
    expect(busy.rounds).toBeGreaterThan(LOOKS);
    expect(seen.filter((line) => !/^(verify|status): healthy$|^heal: healthy healthy\[\]$/.test(line))).toEqual([]);
  });

  test("a dead account is found dead, and healed", async () => {
    await using world = await createOf(size);
    await fill(world, { replicas: size, messages: 10 });
    await expire(world);
    await renewByHand(world);
    // Streams only in memory forbid the toggle.
    await using _busy = await churn(world, { replicas, pause: PAUSE, memory: size > 1 });
    const { json: verified } = await relight(world, "verify", "APP", "--json");
    expect(verified.verdict).toBe("dead");
    const steady = ({ subject }: Found) => ["ORDERS", "JOBS"].includes(subject.stream ?? "");
    expect(verified.findings.filter((found: Found) => !steady(found))).toEqual([]);
    const { json: healed } = await relight(world, "heal", "APP", "--json");
    // A stream that was created during the toggle may run twice until the server restarts.
    const findings = healed.findings.filter(({ code }: Found) => code !== "stream.runs_twice");
    const outcome = healed.findings.length === 0 ? "healed" : "unhealed";
    const verdict = healed.findings.length === 0 ? "healthy" : "degraded";
    expect({ ...healed, findings }).toMatchObject({ outcome, verdict, findings: [] });
    expect(healed.losses ?? []).toEqual([]);
  });
});

interface Found {
  readonly code: string;
  readonly health: string;
  readonly message: string;
  readonly subject: { readonly stream?: string };
}

const told = (findings: readonly Found[]): string =>
  findings.map(({ health, code, message }) => ` [${health} ${code}: ${message}]`).join("");
