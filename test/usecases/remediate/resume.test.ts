import { describe, expect, test } from "@jest/globals";
import type { EntryKind } from "../../../lib/domain/journal/journal.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { type Millis, millis, toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import type { Remediation } from "../../../lib/usecases/remediate/remediation.ts";
import { APP, KEYS, START, virtualWorld } from "../../support/virtual/world.ts";

/** A job that finds an account as crashed jobs left it: usually healthy, and not reported yet. */

const account = APP.id;
const NOW = toSeconds(START);

/** @param exp when the account expires; seconds since 1970. */
function newWorld({ exp = NOW + 90 * 86_400 } = {}) {
  const world = virtualWorld({ servers: 3, accounts: [{ ...APP, iat: NOW, exp }] });
  const { journal, machines } = world;
  // Reports have the journal's times.
  machines.timing.answer = 0;
  const jtiInForce = async (): Promise<string> => {
    const jwt = await world.newContext().resolver.lookup(account);
    return jwt?.document.claims.jti ?? "none";
  };
  return {
    world,
    jtiInForce,
    of: (kind: EntryKind) => journal.entries.filter((entry) => entry.kind === kind),
    /** An entry of a crashed job, a second after the one before. */
    wrote: async (job: string, kind: EntryKind, data: JsonObject = {}): Promise<void> => {
      world.advance(1_000);
      await journal.append({ at: world.now(), job, account, kind, data });
    },
    run: (action: Job["action"] = "remediate", more: Partial<Job> = {}): Promise<Remediation> =>
      world.run(action, more),
  };
}
type Scene = ReturnType<typeof newWorld>;

const RUNG = { rung: "step-down-leaders", why: "deaf" };
const HELPED = { ...RUNG, result: "helped" };

async function crashedWithin(scene: Scene, job: string, more: JsonObject = {}): Promise<void> {
  await scene.wrote(job, "job.started", more);
  await scene.wrote(job, "verdict", { verdict: "dead" });
  await scene.wrote(job, "rung.started", RUNG);
}
const outcomes = (scene: Scene): unknown[] => scene.of("job.finished").map(({ data }) => data["outcome"]);

describe("the next job that ends reports the work of a crashed one", () => {
  test("a rung: healed, once, with its end in the journal, and the time from the first bad look", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "dead");
    scene.world.advance(60_000);
    const result = await scene.run();
    expect(result).toMatchObject({
      outcome: "healed",
      unwellSince: "2030-01-01T00:00:02.000Z",
      healthySince: "2030-01-01T00:01:03.000Z",
    });
    expect(result.rungs).toEqual([
      { ...HELPED, target: account, why: "begun by a job that crashed: deaf", begunBy: "dead" },
    ]);
    expect(scene.of("rung.finished")).toMatchObject([{ data: { ...RUNG, result: "helped", why: expect.any(String) } }]);
    expect(await scene.run()).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(outcomes(scene)).toEqual(["healed", "healthy"]);
  });

  test("a rung that had ended, and a healthy look: recovered when that was seen, not now", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "dead");
    await scene.wrote("dead", "verdict", { verdict: "healthy" });
    await scene.wrote("dead", "rung.finished", HELPED);
    scene.world.advance(1_080_000);
    const result = await scene.run();
    expect(result).toMatchObject({ outcome: "healed", healthySince: "2030-01-01T00:00:04.000Z" });
    expect(result.rungs).toMatchObject([{ result: "helped", begunBy: "dead" }]);
    expect(scene.of("rung.finished")).toHaveLength(1);
  });

  test("two jobs that crashed in a row, the second after it had found the end: the third reports", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "first");
    await scene.wrote("second", "job.started", { resumes: "first" });
    await scene.wrote("second", "verdict", { verdict: "healthy" });
    await scene.wrote("second", "rung.finished", { ...HELPED, begunBy: "first" });
    expect(await scene.run()).toMatchObject({ outcome: "healed", rungs: [{ begunBy: "first" }] });
    expect(await scene.run()).toMatchObject({ outcome: "healthy" });
    expect(outcomes(scene)).toEqual(["healed", "healthy"]);
  });

  test("nothing, if the crashed job had only looked", async () => {
    const scene = newWorld();
    await scene.wrote("dead", "job.started");
    await scene.wrote("dead", "verdict", { verdict: "dead" });
    const result = await scene.run();
    expect(result).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(result.unwellSince).toBeUndefined();
  });

  test("nothing, if the job after the remedy ended, whatever its result", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "dead");
    await scene.wrote("next", "job.started", { resumes: "dead" });
    await scene.wrote("next", "job.finished", { outcome: "escalated" });
    expect(await scene.run()).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(scene.of("rung.finished")).toEqual([]);
  });

  test("also after a person's look, because nobody else will report it", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "dead");
    expect(await scene.run("verify")).toMatchObject({ outcome: "healed", rungs: [{ begunBy: "dead" }] });
  });

  test("and a renewal on top of it: healed, with both steps and the new JWT", async () => {
    const scene = newWorld();
    await crashedWithin(scene, "dead");
    const result = await scene.run("renew");
    expect(result).toMatchObject({ outcome: "healed", pushed: { jti: await scene.jtiInForce() } });
  });
});

describe("a crashed job's push", () => {
  async function diedPushing(scene: Scene, purpose: string, verdict: string, jti: string): Promise<void> {
    await scene.wrote("dead", "job.started");
    await scene.wrote("dead", "verdict", { verdict });
    const jwt = { jti, iss: KEYS.operator.id, iat: NOW, exp: NOW + 90 * 86_400 };
    await scene.wrote("dead", "push.started", { purpose, jwt, changes: [] });
  }
  const PROOF = { servers: ["n1", "n2", "n3"], begunBy: "dead" };

  test.each([
    ["renewal", "dead", "healed", ["renew"]],
    ["renewal", "healthy", "renewed", ["renew"]],
    ["delivered", "dead", "pushed", []],
    ["from the source of truth", "degraded", "healed", []],
    ["key rotation", "healthy", "pushed", []],
  ])("%s of an account that was %s: %s, and its proof is recorded", async (purpose, verdict, outcome, rungs) => {
    const scene = newWorld();
    const jti = await scene.jtiInForce();
    await diedPushing(scene, purpose, verdict, jti);
    const result = await scene.run();
    expect(result).toMatchObject({ outcome, pushed: { jti, servers: PROOF.servers } });
    expect(result.rungs.map(({ rung }) => rung)).toEqual(rungs);
    expect(scene.of("push.proved")).toMatchObject([{ data: { jti, ...PROOF } }]);
    expect(await scene.run()).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(scene.world.machines.pushes).toEqual([]);
  });

  test("that never arrived is not reported", async () => {
    const scene = newWorld();
    await diedPushing(scene, "renewal", "dead", "never sent");
    const result = await scene.run();
    expect(result).toMatchObject({ outcome: "healthy", rungs: [] });
    expect(result.pushed).toBeUndefined();
    expect(scene.of("push.proved")).toEqual([]);
  });

  test("does not prevent a renewal that is due again", async () => {
    const scene = newWorld({ exp: NOW + 3_600 });
    await diedPushing(scene, "renewal", "dead", await scene.jtiInForce());
    scene.world.advance(30_000_000);
    const result = await scene.run();
    expect(result).toMatchObject({ outcome: "healed", pushed: { jti: await scene.jtiInForce() } });
    expect(result.rungs.map(({ rung, begunBy }) => [rung, begunBy])).toEqual([["renew", undefined]]);
    expect(scene.world.machines.pushes).toHaveLength(1);
  });
});

describe("a crashed job's rung that did not help", () => {
  test("is closed as failed, and the account is healed as if it had not been tried", async () => {
    const scene = newWorld({ exp: NOW + 10 });
    await scene.wrote("dead", "job.started");
    await scene.wrote("dead", "verdict", { verdict: "dead" });
    await scene.wrote("dead", "rung.started", { rung: "renew", why: "expired" });
    scene.world.advance(30_000);
    const result = await scene.run();
    expect(result).toMatchObject({
      outcome: "healed",
      rungs: [{ rung: "renew", result: "failed" }, { result: "helped" }],
    });
    expect(scene.of("rung.finished")[0]).toMatchObject({
      data: { rung: "renew", result: "failed", begunBy: "dead" },
    });
  });
});

describe("a busy account", () => {
  async function busyFor(lasts: Millis, waitsWhileBusy: Millis): Promise<string> {
    const scene = newWorld();
    await scene.world.journal.acquire(`account/${account}`, "another", lasts);
    const end = scene.world.run("heal", {}, { waitsWhileBusy });
    return end.then(
      ({ outcome }) => outcome,
      ({ code }) => code,
    );
  }

  test.each<[string, number, number, string]>([
    ["is awaited if allowed: a crashed holder's lease ends by itself", 30_000, 35_000, "healthy"],
    ["is not awaited otherwise", 30_000, 0, "account.busy"],
    ["is given up at the timeout", 30_000, 29_000, "account.busy"],
  ])("%s", async (_what, lasts, waits, end) => {
    expect(await busyFor(millis(lasts), millis(waits))).toBe(end);
  });
});

describe("a check of a busy account", () => {
  test("needs no lease, says so, and leaves nothing in the journal", async () => {
    const { world } = newWorld();
    await world.journal.acquire(`account/${account}`, "another", millis(30_000));
    const end = await world.run("verify");
    expect(end).toMatchObject({ outcome: "verified", verdict: { health: "healthy" } });
    expect(end.unrecorded).toMatch(/^another job is working on .*; its lease ends at \d{4}-.*Z unless it goes on$/);
    expect(await world.journal.read({ account })).toEqual([]);
  });
});

describe("an unreadable secret", () => {
  test("pages about the renewal that needs it, which a healthy look does not resolve", async () => {
    const scene = newWorld({ exp: NOW + 3_600 });
    const error = new RelightError("secret.not_found", "there is no secret");
    const signer = (): Promise<never> => Promise.reject(error);
    const run = () => scene.world.run("remediate", {}, { signer });
    await expect(run()).rejects.toMatchObject({ code: "secret.not_found", details: { stops: "renewal" } });
    await expect(run()).rejects.toMatchObject({ code: "secret.not_found" });
    const classes = scene.world.incidents.map(({ failureClass, status }) => [failureClass, status]);
    expect(classes.filter(([failureClass]) => failureClass === "renewal_failed")).toEqual([["renewal_failed", "open"]]);
    expect(classes.map(([failureClass]) => failureClass)).not.toContain("unknown");
    await scene.run();
    expect(scene.world.incidents.at(-1)).toMatchObject({ status: "resolved" });
  });
});
