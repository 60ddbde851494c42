import { describe, expect, test } from "@jest/globals";
import { serverBinary, VERSIONS } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld, type World } from "../../lab/world.ts";
import { hasQuorum, type MetaGroup, quorumProblems } from "../../lib/domain/observation/meta-group.ts";
import type { Probe } from "../../lib/domain/observation/observation.ts";
import { openWorldApp } from "../support/context.ts";
import { sampleOf } from "../support/exhaustive.ts";

/** The meta group as a new run sees it. */
async function metaOf(world: World): Promise<Probe<MetaGroup | undefined>> {
  await using app = await openWorldApp(world);
  return await (await app.context()).probes.meta();
}

function metaThat(world: World, what: string, is: (meta: MetaGroup) => boolean): Promise<MetaGroup> {
  const look = async (): Promise<MetaGroup | undefined> => {
    const probe = await metaOf(world);
    return probe.ok && probe.value !== undefined && is(probe.value) ? probe.value : undefined;
  };
  return waitFor(`the meta group to be ${what}`, look, { timeout: 60_000 });
}

const healthy = (meta: MetaGroup): boolean => quorumProblems(meta).length === 0;

describe.each(["2.10.27", "2.15.2"] as const)("the meta group of three nats-servers %s", (version) => {
  test("is reported by its leader: complete, one away, quorum lost, complete again", async () => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path, size: 3 });
    const whole = await metaThat(world, "whole", healthy);
    expect(whole.size).toBe(3);
    expect([whole.leader, ...whole.peers.map(({ name }) => name)].sort()).toEqual(["lab-1", "lab-2", "lab-3"]);

    const index = ["lab-1", "lab-2", "lab-3"].findIndex((name) => name !== whole.leader);
    const away = world.servers[index];
    // A killed server is reported as offline only after a minute; a leader reports only how long it was silent.
    await away?.kill();
    const less = await metaThat(world, "without one", (meta) => hasQuorum(meta) && !healthy(meta));
    expect(quorumProblems(less)).toEqual([
      expect.stringMatching(`^(lab-${index + 1} is offline$|the meta leader last heard lab-${index + 1} )`),
    ]);

    const leader = world.servers[Number(less.leader?.at(-1)) - 1];
    await leader?.stop();
    const lost = await metaThat(world, "without quorum", (meta) => !hasQuorum(meta));
    expect(quorumProblems(lost).join()).toMatch(/no quorum|no leader/);

    await Promise.all([away?.start(), leader?.start()]);
    await metaThat(world, "whole again", healthy);
  });
});

test.each(sampleOf(["2.9.25", "2.10.27", "2.15.2"], VERSIONS))(
  "a standalone nats-server %s has none",
  async (version) => {
    await using world = await createWorld({ binary: (await serverBinary(version)).path });
    expect(await metaOf(world)).toEqual({ ok: true, value: undefined });
  },
);
