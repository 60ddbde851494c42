import { expect, test } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { createDomains, messagesIn } from "../../lab/domains.ts";
import { expire, renewByHand, snapshot } from "../../lab/scenario.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { retry, waitFor } from "../../lab/wait.ts";
import { assertZooWorks, configurations, fillZoo } from "../../lab/zoo.ts";
import { recorded, rungsUsed } from "../support/recoveries.ts";
import { relight } from "../support/relight.ts";

/** A complete deployment: a cluster with one of everything, and a leafnode in another domain. */
test("expired, then renewed, on nats-server 2.10.27, with a leafnode: healed in place, and the leaf's copy follows", async () => {
  const version = "2.10.27";
  const yaml = "leafnodes:\n  - { name: edge-1, account: APP, domain: edge }\n";
  await using pair = await createDomains({ binary: (await serverBinary(version)).path, size: 3, yaml });
  const { hub } = pair;
  await fillZoo(hub);
  const edge = await pair.connectTo("edge");
  const manager = await retry("JetStream on the leaf", () => jetstreamManager(edge));
  const mirror = { name: "ORDERS", external: { api: "$JS.hub.API", deliver: "" } };
  await manager.streams.add({ name: "COPY", mirror });
  await edge.close();
  const copied = (count: number): Promise<unknown> =>
    waitFor(
      `the leaf's copy to have ${count} messages`,
      async () => (await messagesIn(pair, "edge", "COPY")) >= count,
      { timeout: 60_000, interval: 500 },
    );
  await copied(10);
  expect((await relight(hub, "verify", "APP", "--json")).json).toMatchObject({
    verdict: "healthy",
    findings: [],
  });
  const [state, before] = [await snapshot(hub), await configurations(hub)];
  const pids = [...hub.servers, pair.leaf].map((server) => server.pid());

  await expire(hub);
  await renewByHand(hub);
  const healed = await relight(hub, "heal", "APP", "--json");
  const { json, exit } = healed;
  expect({ exit, verdict: json.verdict, findings: json.findings }).toEqual({
    exit: 0,
    verdict: "healthy",
    findings: [],
  });
  expect(await snapshot(hub)).toEqual(state);
  expect(await configurations(hub)).toEqual(before);
  expect([...hub.servers, pair.leaf].map((server) => server.pid())).toEqual(pids);
  await assertZooWorks(hub);
  await copied(11);
  const row = {
    damage: "expired, then renewed (#6806)",
    topology: "cluster of three and a leafnode",
    version,
    rungs: rungsUsed(healed),
    result: "all alive, nothing lost",
  };
  expect(row).toEqual(await recorded(row));
});
