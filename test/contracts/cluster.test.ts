import { describe, expect, test } from "@jest/globals";
import { waitFor } from "../../lab/wait.ts";
import type { Observation } from "../../lib/domain/observation/observation.ts";
import {
  realSubject,
  type Situation,
  type Subject,
  shapeOf,
  summaryOf,
  virtualSubject,
} from "../support/cluster-contract.ts";

/**
 * What happens to an account, and what Relight finds: the same on the virtual cluster, on which use cases are tested,
 * and on real servers. resolver.test.ts compares their claims.
 */

const NAMES = ["CACHE", "JOBS", "KV_B", "ORDERS"] as const;
const DEAF_CONSUMERS = ["consumer.deaf dead CACHE reader", "consumer.deaf dead ORDERS shipping"];
const DEAF = [
  ...DEAF_CONSUMERS,
  ...NAMES.map((name) => `stream.deaf dead ${name}`),
  "stream.direct_deaf dead KV_B",
].sort();
/** After a restart of all servers while the account is expired. */
const DAMAGED = [
  ...["JOBS", "KV_B", "ORDERS"].map((name) => `stream.node_missing dead ${name}`),
  "consumer.node_missing dead ORDERS shipping",
  ...["CACHE", "ORDERS"].map((name) => `stream.failing dead ${name}`),
];
const without = (findings: readonly string[], ...gone: readonly string[]) =>
  findings.filter((finding) => !gone.includes(finding));

interface Scenario extends Situation {
  readonly title: string;
  tell(subject: Subject, look: (observation: Observation) => void): Promise<void>;
}

const findings = async (subject: Subject) => summaryOf(await subject.verify());

const SCENARIOS: readonly Scenario[] = [
  {
    title: "a cluster of 2.10.27 goes deaf when the account expires, and is healed in place",
    version: "2.10.27",
    size: 3,
    tell: async (subject, look) => {
      expect(await findings(subject)).toEqual(["healthy"]);
      look(await subject.observe());
      await subject.expire();
      expect(await findings(subject)).toEqual(["dead", "account.expired dead", ...DEAF]);
      await subject.renew();
      expect(await findings(subject)).toEqual(["dead", ...DEAF]);
      look(await subject.observe());
      await subject.stepDown({ stream: "ORDERS" });
      expect(await findings(subject)).toEqual(["dead", ...without(DEAF, "stream.deaf dead ORDERS")]);
      await subject.stepDown({ stream: "ORDERS", consumer: "shipping" });
      const rest = without(DEAF, "stream.deaf dead ORDERS", "consumer.deaf dead ORDERS shipping");
      expect(await findings(subject)).toEqual(["dead", ...rest]);
      const healed = await subject.heal();
      expect(healed).toMatchObject({ outcome: "healed", verdict: { health: "healthy", findings: [] } });
      expect(new Set(healed.rungs.map(({ rung }) => rung))).toEqual(
        new Set(["step-down-leaders", "scale-up", "toggle-direct-gets"]),
      );
      const start = await subject.killLeaderOf("JOBS");
      const gone = await subject.verify();
      expect(gone.verdict.health).toBe("dead");
      expect(summaryOf(gone)).toContain("stream.unheld dead JOBS");
      expect(summaryOf(gone)).toContain("stream.replica_away degraded ORDERS");
      await start();
    },
  },
  {
    title: "a cluster of 2.15.2 hears on, and loses Raft nodes where it restarts while the account is expired",
    version: "2.15.2",
    size: 3,
    tell: async (subject, look) => {
      expect(await findings(subject)).toEqual(["healthy"]);
      await subject.expire();
      expect(await findings(subject)).toEqual(["dead", "account.expired dead"]);
      await subject.renew();
      expect(await findings(subject)).toEqual(["healthy"]);
      await subject.restartWhileExpired();
      // Until the restarted servers are stable, a fault may appear between two looks, and is not confirmed yet.
      const damaged = await waitFor("what lost its Raft node to be dead", async () => {
        const found = await findings(subject);
        return DAMAGED.every((finding) => found.includes(finding)) && found;
      });
      expect(damaged).not.toContain("stream.failing dead JOBS");
      look(await subject.observe());
      expect(await subject.healHalfway()).toMatchObject({ message: "the process died" });
      const healed = await subject.heal();
      expect(healed.rungs.map(({ rung }) => rung)).toContain("finish-changes");
      if (healed.verdict.health === "healthy") return;
      // Now and then a real server stays deaf to direct gets until it restarts, as in recoveries-restarted.test.ts.
      expect(summaryOf(healed)).toEqual(["degraded", "stream.direct_partly_deaf degraded KV_B"]);
      await subject.restartEach();
      await waitFor("a restart to revive that server", async () => (await findings(subject)).join() === "healthy");
    },
  },
  {
    title: "a server of 2.10.27 that stands alone goes deaf, and a toggle revives it but for what is in memory",
    version: "2.10.27",
    size: 1,
    tell: async (subject, look) => {
      expect(await findings(subject)).toEqual(["healthy"]);
      look(await subject.observe());
      await subject.expire();
      expect(await findings(subject)).toEqual(["dead", "account.expired dead", ...DEAF]);
      await subject.renew();
      expect(await findings(subject)).toEqual(["dead", ...DEAF]);
      const healed = await subject.heal();
      expect(healed.rungs.map(({ rung, result }) => [rung, result])).toEqual([["toggle-jetstream", "helped"]]);
      expect(summaryOf(healed)).toEqual(["healthy"]);
      expect(healed.losses).toEqual(["memory stream CACHE lost its 2 messages"]);
    },
  },
  ...(["2.9.25", "2.15.2"] as const).map(
    (version): Scenario => ({
      title: `streams that are older than tiers count in none, until their servers have started again (${version})`,
      version,
      size: version === "2.9.25" ? 1 : 3,
      tell: async (subject, look) => {
        expect(await findings(subject)).toEqual(["healthy"]);
        await subject.enterTiers();
        expect(await findings(subject)).toEqual(["dead", "limit.outside_tiers dead"]);
        look(await subject.observe());
        await subject.restartEach();
        await waitFor("every stream to count in its tier", async () => {
          return !(await findings(subject)).includes("limit.outside_tiers dead");
        });
      },
    }),
  ),
];

describe.each(SCENARIOS)("$title", ({ tell, ...situation }) => {
  const shapes: Record<"virtual" | "real", unknown[]> = { virtual: [], real: [] };

  test("on virtual servers", async () => {
    await using subject = await virtualSubject(situation);
    await tell(subject, (observation) => shapes.virtual.push(shapeOf(observation)));
  });

  test("on real servers, whose observations have the same shape", async () => {
    await using subject = await realSubject(situation);
    await tell(subject, (observation) => shapes.real.push(shapeOf(observation)));
    expect(shapes.virtual).toEqual(shapes.real);
  });
});
