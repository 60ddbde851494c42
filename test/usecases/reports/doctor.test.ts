import { expect, test } from "@jest/globals";
import type { ServerCheckup } from "../../../lib/domain/doctor/vitals.ts";
import { diagnose } from "../../../lib/usecases/reports/doctor.ts";
import { fill } from "../../support/virtual/scenes.ts";
import { APP, virtualWorld } from "../../support/virtual/world.ts";

/** How often doctor looks before it reports a critical check, and at what. */

const withConnections = (connections: number): readonly ServerCheckup[] => {
  const slow = { clients: 0, routes: 0, gateways: 0, leafnodes: 0 };
  const vitals = { connections, maxConnections: 100, maxPayload: 2 ** 20, cpu: 0, cores: 1, memory: 0, slow };
  return [{ server: "s1", vitals: { ok: true, value: vitals }, leafnodes: { ok: true, value: [] } }];
};

/** Doctor on a healthy cluster with so many connections at each look; and at which accounts it looked. */
async function doctorSeeing(...connections: readonly number[]) {
  const world = virtualWorld({ servers: 1 });
  fill(world);
  const context = world.newContext();
  let looks = 0;
  const looked: string[] = [];
  const probes: typeof context.probes = {
    ...context.probes,
    checkup: async () => withConnections(connections[looks++] ?? 0),
    observe: async (account, ...more) => {
      looked.push(account);
      return context.probes.observe(account, ...more);
    },
  };
  const diagnosis = await diagnose({
    clock: context.clock,
    timing: context.timing,
    context: async () => ({ ...context, probes }),
    configured: [APP.id],
    monitoring: { check: async () => [] },
  });
  const codes = diagnosis.checks.map(({ code }) => code).filter((code) => code.startsWith("server."));
  return { ...diagnosis, codes, looks, looked };
}

test.each([
  ["a critical check that both looks see counts", [100, 100], ["server.connections_full"], 2],
  ["a critical check that the second look does not see is gone", [100, 95], ["server.connections_near"], 2],
  ["a warning needs no second look", [90], ["server.connections_near"], 1],
  ["a healthy cluster needs none", [10], [], 1],
] as const)("%s", async (_what, connections, codes, looks) => {
  const seen = await doctorSeeing(...connections);
  expect(seen).toMatchObject({ verdict: "healthy", codes, looks });
});

test("the second look is not at accounts that no critical check is about", async () => {
  const once = await doctorSeeing(10);
  const twice = await doctorSeeing(100, 100);
  expect(twice.looked).toEqual(once.looked);
});
