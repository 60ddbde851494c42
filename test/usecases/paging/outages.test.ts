import { describe, expect, test } from "@jest/globals";
import { FAILURE_CLASSES } from "../../../lib/domain/incidents/classes.ts";
import { commandFaults } from "../../support/page-commands.ts";
import { named, PAGE_SCENES } from "../../support/page-scenes.ts";
import { expire, fill, renewByHand } from "../../support/virtual/scenes.ts";
import { APP, type VirtualWorld, virtualWorld } from "../../support/virtual/world.ts";

/** One page for one outage, whatever it is called meanwhile, and what is on it. */

const DAY = 86_400_000;
const MINUTE = 60_000;
const told = ({ incidents }: VirtualWorld): readonly string[] =>
  incidents.map(({ status, failureClass }) => `${status} ${failureClass}`);
const keys = ({ incidents }: VirtualWorld): ReadonlySet<string> => new Set(incidents.map(({ key }) => key));
const attempt = (world: VirtualWorld, ...order: Parameters<VirtualWorld["run"]>) =>
  world.run(...order).catch(() => undefined);

describe("one outage is one incident", () => {
  test("of an account that expires: not a second page that it is about to", async () => {
    const world = virtualWorld({ policy: { manual: true } });
    fill(world);
    await world.run();
    expire(world);
    for (let sweeps = 0; sweeps < 3; sweeps++) {
      world.advance(4 * MINUTE);
      await world.run();
    }
    expect(told(world)).toEqual(["open account_expired"]);
    const [page] = world.incidents;
    // Users notice it since it expired, not since somebody looked.
    expect(page).toMatchObject({ severity: "critical", since: "2030-01-01T01:00:02.000Z", first: true });
    renewByHand(world);
    await world.run();
    expect(told(world)).toEqual(["open account_expired", "resolved account_expired"]);
    expect(world.incidents[1]).toMatchObject({
      key: page?.key,
      summary: expect.stringMatching(/^the account is valid and works again after 12 min$/),
      was: page?.summary,
    });
  });

  test("that begins as a failed renewal, goes on as an expiry and as dead JetStream, is updated", async () => {
    const world = virtualWorld({ version: "2.10.27" });
    fill(world, { memory: true });
    world.advance(88 * DAY);
    world.state.signerIsDown = true;
    await attempt(world);
    world.advance(3 * DAY);
    await attempt(world);
    renewByHand(world);
    await attempt(world);
    expect(told(world)).toEqual(["open renewal_failed", "open account_expired", "open jetstream_dead"]);
    expect(keys(world).size).toBe(1);
    expect(world.incidents.map(({ was }) => was?.split(",")[0])).toEqual([
      ...[undefined, "the renewal failed", "the renewal failed"],
    ]);
    world.state.signerIsDown = false;
    world.advance(MINUTE);
    await attempt(world, "heal", {}, { policy: { allowMemoryLoss: true } });
    expect(told(world).slice(3)).toEqual(["resolved jetstream_dead"]);
    // It has been down since it expired, whatever was wrong.
    expect(world.incidents.at(-1)?.summary).toMatch(/^JetStream works again after 1 day/);
    expect(world.incidents.at(-1)?.also).toEqual(["Relight healed it: toggle-jetstream."]);
    await attempt(world);
    expect(keys(world).size).toBe(1);
  });

  test("that gets better, but not well, is told so once, and ends when nothing is wrong any more", async () => {
    const world = virtualWorld({ servers: 3 });
    fill(world, { replicas: 1 });
    await world.run();
    world.machines.kill("n1");
    world.machines.kill("n2");
    world.advance(2 * MINUTE);
    await attempt(world);
    world.machines.boot("n1");
    world.advance(2 * MINUTE);
    await attempt(world);
    await attempt(world);
    world.machines.boot("n2");
    world.advance(2 * MINUTE);
    await attempt(world);
    expect(keys(world).size).toBe(1);
    expect(told(world).at(-1)).toMatch(/^resolved/);
    expect(told(world).filter((page) => page.startsWith("resolved"))).toHaveLength(1);
  });

  test("an answer that is missing for a moment changes no page", async () => {
    const world = virtualWorld({ version: "2.10.27" });
    fill(world, { memory: true });
    expire(world);
    renewByHand(world);
    await attempt(world);
    world.faults.isDown = true;
    world.advance(MINUTE);
    await attempt(world);
    world.faults.isDown = false;
    world.advance(MINUTE);
    await attempt(world);
    expect(told(world)).toEqual(["open jetstream_dead"]);
  });
});

describe.each(FAILURE_CLASSES)("a page about %s", (failureClass) => {
  const { play } = PAGE_SCENES[failureClass];

  test("says who, what users notice, and what to type; and it ends", async () => {
    const incidents = await play();
    const [page] = incidents;
    const last = incidents.at(-1);
    expect(page).toMatchObject({ status: "open", failureClass, impact: expect.any(String) });
    expect(page?.accountName).toMatch(/^APP$|^the cluster of OP$|^relight-prod\/sweep-missed$/);
    expect(last).toMatchObject({ status: "resolved", summary: expect.stringMatching(/ after \d+ (s|min|h|days?)\b/) });
    expect(new Set(incidents.map(({ key }) => key)).size).toBe(1);
    for (const { command } of incidents)
      if (command !== undefined && failureClass !== "stack_alarm") expect(commandFaults(command)).toEqual([]);
    expect(page?.command).toBeDefined();
    expect(JSON.stringify(incidents)).not.toMatch(/\bACCOUNT\b/);
  });
});

describe("a command on a page works as typed", () => {
  test.each([
    ["a plain name", "APP-1", "APP-1"],
    ["a name with spaces", "my app", "'my app'"],
    ["a name with letters of other alphabets", "Größe", "'Größe'"],
    ["a name like an option", "--json", undefined],
    ["a name with quotes", "it's", undefined],
    ["a name that a shell would run", "$(reboot)", undefined],
    ["a name of several lines", "APP\nall is healthy", undefined],
    ["a name that hides characters", "APP\u202E\u200B", undefined],
    ["a name like an account's id", `A${"B".repeat(55)}`, undefined],
    ["a very long name", "A".repeat(300), undefined],
  ])("for %s", async (_what, name, typed) => {
    const account = named(name);
    const incidents = await PAGE_SCENES.jetstream_dead.play(account);
    expect(incidents[0]?.command).toBe(`relight heal ${typed ?? account.id}`);
    expect(commandFaults(incidents[0]?.command ?? "")).toEqual([]);
  });

  test("names the configuration where that is not the usual one", async () => {
    const world = virtualWorld({ version: "2.10.27" });
    fill(world, { memory: true });
    expire(world);
    renewByHand(world);
    const installation = { typedName: () => "APP", configFile: "/etc/relight/it's prod.yaml" };
    await attempt(world, "heal", {}, { installation });
    expect(world.incidents[0]?.command).toBe("relight --config '/etc/relight/it'\\''s prod.yaml' heal APP");
    expect(commandFaults(world.incidents[0]?.command ?? "")).toEqual([]);
  });

  test("two configured accounts of one name are told apart", async () => {
    const twin = { ...named("another"), name: "APP" };
    const world = virtualWorld({ version: "2.10.27", accounts: [APP, twin] });
    fill(world, { memory: true });
    expire(world);
    renewByHand(world);
    await attempt(world);
    expect(world.incidents[0]?.command).toBe(`relight heal ${APP.id}`);
  });
});

test("two hundred dead streams make a page that can be read", async () => {
  const world = virtualWorld({ version: "2.10.27" });
  for (let index = 0; index < 200; index++)
    world.machines.addStream(APP.id, {
      name: `S${"x".repeat(100)}${index}`,
      subjects: [`s${index}`],
      storage: "memory",
    });
  world.advance(3_600_000);
  expire(world);
  renewByHand(world);
  await attempt(world);
  const [page] = world.incidents;
  expect(page?.impact).toMatch(/^Publishers to (Sx{58}…(, )?){8} and 192 more get 503 no responders\.$/);
  expect(page?.summary).toMatch(/\(and 199 more findings\)$/);
});

describe("nobody can be called", () => {
  test("is what a job says where no escalation is configured", async () => {
    const world = virtualWorld({ version: "2.10.27", hasAccountKeys: false });
    fill(world, { memory: true });
    expire(world);
    renewByHand(world);
    const escalation = { ...world.escalation, hasChannels: false } as const;
    for (let jobs = 0; jobs < 2; jobs++) {
      const done = await world.run("heal", {}, { escalation });
      expect(done.page?.delivery).toBe("logged");
      expect(done.outcome).not.toBe("escalated");
    }
    // Once there is a channel, what was only logged is paged at once.
    world.advance(MINUTE);
    expect((await world.run("heal")).page).toEqual({ delivery: "delivered" });
    expect((await world.run("heal")).page).toMatchObject({ delivery: "sent_before" });
  });

  test("is what a job says where no channel accepts the page", async () => {
    const world = virtualWorld({ servers: 3 });
    fill(world, { replicas: 1 });
    await world.run();
    world.machines.kill("n1");
    world.advance(2 * MINUTE);
    world.escalation.broken = true;
    expect(await world.run()).toMatchObject({ outcome: "unhealed", page: { delivery: "undeliverable" } });
    world.escalation.broken = false;
    expect(await world.run()).toMatchObject({ outcome: "escalated", page: { delivery: "delivered" } });
  });
});
