import { describe, expect, test } from "@jest/globals";
import { toSeconds } from "../../../lib/domain/time/time.ts";
import { asRelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { confirmRestart } from "../../../lib/usecases/orders/confirm-restart.ts";
import { remediate } from "../../../lib/usecases/remediate/remediate.ts";
import type { Remediation } from "../../../lib/usecases/remediate/remediation.ts";
import { jobDependencies } from "../../support/job-dependencies.ts";
import { crashing, unanswered } from "../../support/virtual/crashes.ts";
import {
  expire,
  type FillOptions,
  fill,
  leftBehind,
  renewByHand,
  restartWhileExpired,
  snapshot,
} from "../../support/virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld, type WorldSettings } from "../../support/virtual/world.ts";

/**
 * Jobs that crash at each of their writes, and the ones after them: nothing is lost, everything is as before, nothing
 * is left open, and the account works, or a person was paged.
 */

interface Case {
  readonly settings: WorldSettings;
  readonly has: FillOptions;
  readonly prepare: (world: VirtualWorld) => void;
  readonly order?: (world: VirtualWorld) => Partial<Job>;
  readonly action?: Job["action"];
  /** What a remedy may lose with permission. */
  readonly mayEmpty?: readonly string[];
}

const deaf = (world: VirtualWorld): void => {
  expire(world);
  renewByHand(world);
};

const CASES: readonly (readonly [string, Case])[] = [
  ["leaders that step down", { settings: { servers: 3, version: "2.10.27" }, has: { replicas: 3 }, prepare: deaf }],
  ["a scale-up", { settings: { servers: 3, version: "2.10.27" }, has: { replicas: 1 }, prepare: deaf }],
  [
    "direct gets that are turned off and on",
    { settings: { servers: 3, version: "2.10.27" }, has: { replicas: 3, bucket: true }, prepare: deaf },
  ],
  ["a toggle", { settings: { servers: 1, version: "2.10.27" }, has: {}, prepare: deaf }],
  [
    "a toggle that empties what is in memory",
    {
      settings: { servers: 1, version: "2.10.27", allowMemoryLoss: true },
      has: { memory: true },
      prepare: deaf,
      mayEmpty: ["CACHE"],
    },
  ],
  ["a touch", { settings: { servers: 3, version: "2.15.1" }, has: { replicas: 3 }, prepare: restartWhileExpired }],
  [
    "a touch of what has one replica",
    {
      settings: { servers: 3, version: "2.15.1" },
      has: { replicas: 1 },
      prepare: restartWhileExpired,
    },
  ],
  [
    "restarts",
    {
      settings: { servers: 3, version: "2.10.27", canRestart: true },
      has: { replicas: 3 },
      prepare: restartWhileExpired,
    },
  ],
  [
    "consumers that are made anew",
    {
      settings: { servers: 3, version: "2.9.10", canRestart: true },
      has: { replicas: 1 },
      prepare: restartWhileExpired,
    },
  ],
  [
    "a renewal of what has expired",
    {
      settings: { servers: 3, version: "2.10.27" },
      has: { replicas: 3 },
      prepare: expire,
      action: "remediate",
    },
  ],
  [
    "a renewal that is due",
    {
      settings: { servers: 3, version: "2.15.1" },
      has: { replicas: 3 },
      prepare: (world) => world.advance(80 * 86_400_000),
      action: "remediate",
    },
  ],
  [
    "an issuer's push",
    {
      settings: { servers: 3, version: "2.15.1" },
      has: { replicas: 3 },
      prepare: () => undefined,
      action: "push",
      order: (world) => ({
        trigger: "webhook",
        token: world.issue(APP, { exp: toSeconds(world.now()) + 200 * 86_400 }),
      }),
    },
  ],
];

/** What a queue does with a job that may be retried. */
async function again(world: VirtualWorld, { action }: Case, job: Partial<Job>): Promise<Remediation> {
  try {
    return await world.run(action, job, { waitsWhileBusy: world.context.timing.busy.timeout });
  } catch (thrown) {
    if (!asRelightError(thrown).retryable) throw thrown;
    world.advance(VISIBILITY);
    return await world.run(action, job);
  }
}
const VISIBILITY = 18 * 60_000;

/** A world with this damage, its state before, and the order that is given then. */
async function sceneOf({ settings, has, prepare, action = "heal", order }: Case) {
  const world = virtualWorld(settings);
  fill(world, has);
  await world.run();
  const before = snapshot(world);
  prepare(world);
  return { world, before, job: world.orderOf(action, order?.(world)) };
}

/** A crashed job's restart prevents all further ones until a person has confirmed it. */
async function confirmedByPerson(world: VirtualWorld): Promise<boolean> {
  if (!leftBehind(world).includes("an open restart")) return false;
  const open = world.journal.entries.findLast(({ kind }) => kind === "restart.opened");
  // The crashed process's lease ends by itself.
  world.advance(60_000);
  await confirmRestart(world.newContext(), String(open?.data["server"]));
  return true;
}

/** The unresolved pages. */
function openPages({ incidents }: VirtualWorld): readonly string[] {
  const last = new Map(incidents.map((incident) => [incident.key, incident]));
  return [...last.values()].flatMap(({ status, summary }) => (status === "open" ? [summary] : []));
}

/** What must be true in the end, whatever happened to the job before. */
async function expectIntact(
  scene: Awaited<ReturnType<typeof sceneOf>>,
  { mayEmpty = [] }: Case,
  { verdict }: Remediation,
  last: number,
): Promise<void> {
  const { world, before } = scene;
  const seen = { last, left: leftBehind(world), verdict: verdict.health, open: openPages(world) };
  expect(seen).toEqual({ last, left: [], verdict: "healthy", open: [] });
  const after = snapshot(world);
  for (const stream of mayEmpty) {
    expect(after).toHaveProperty(stream);
    delete before[stream];
    delete after[stream];
  }
  expect(after).toEqual(before);
}

/** How many times the job writes if nothing happens to it. */
async function writesOf(setting: Case): Promise<number> {
  const { world, job } = await sceneOf(setting);
  const whole = crashing(world.newContext());
  await remediate(jobDependencies(whole.context), job);
  return whole.writes();
}

describe("a job that crashes at any of its writes", () => {
  test.each(CASES)("%s", async (_what, setting) => {
    const writes = await writesOf(setting);
    expect(writes).toBeGreaterThan(3);
    for (let last = 1; last <= writes; last++) {
      const scene = await sceneOf(setting);
      const { world, job } = scene;
      const dying = crashing(world.newContext(), last);
      await expect(remediate(jobDependencies(dying.context), job)).rejects.toThrow("this process is no more");
      let done = await again(world, setting, job);
      if (done.verdict.health !== "healthy") expect(openPages(world)).not.toEqual([]);
      if (await confirmedByPerson(world)) done = await again(world, setting, job);
      await expectIntact(scene, setting, done, last);
    }
  });
});

describe("a job that gets no answer to any of its writes", () => {
  test.each(CASES)("%s", async (_what, setting) => {
    const writes = await writesOf(setting);
    for (let nth = 1; nth <= writes; nth++) {
      const scene = await sceneOf(setting);
      const { world, job } = scene;
      const first = await remediate(jobDependencies(unanswered(world.newContext(), nth)), job).catch(asRelightError);
      expect(first).not.toMatchObject({ code: "internal" });
      let done = await again(world, setting, job);
      if (await confirmedByPerson(world)) done = await again(world, setting, job);
      await expectIntact(scene, setting, done, nth);
    }
  });
});
