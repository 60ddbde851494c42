import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Incident } from "../../../lib/domain/incidents/incident.ts";
import { pageText, textLines } from "../../../lib/domain/incidents/page-text.ts";
import { onOneLine } from "../../../lib/domain/time/text.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { findAccount } from "../../../lib/usecases/observe/inventory.ts";
import { isExhaustive } from "../../support/exhaustive.ts";
import { commandFaults, shellWords } from "../../support/page-commands.ts";
import { named } from "../../support/page-scenes.ts";
import type { VirtualAccount } from "../../support/virtual/claims.ts";
import { expire, fill, renewByHand, restartAll } from "../../support/virtual/scenes.ts";
import { type VirtualWorld, virtualWorld, WITH_JETSTREAM } from "../../support/virtual/world.ts";

/** Whatever befalls whatever world, and whoever starts a job: each page holds a name and a command that works. */

const MINUTE = 60_000;

type Act = (world: VirtualWorld, account: VirtualAccount) => unknown;
const run = (action: Job["action"], more: Partial<Job> = {}): Act => {
  return (world) =>
    world.run(action, more).catch((thrown: unknown) => {
      if (!(thrown instanceof RelightError) || thrown.code === "internal") throw thrown;
    });
};
const ACTS: Readonly<Record<string, Act>> = {
  "it expires": expire,
  "it is renewed by hand": renewByHand,
  "it is deleted": ({ machines }, { id }) => machines.deleteAccount(id),
  "a limit is lowered": (world, account) => {
    world.machines.force(world.issue(account, { limits: { ...WITH_JETSTREAM, disk_storage: 100 } }));
    world.advance(2_000);
  },
  "a server stops": ({ machines }) => {
    if (machines.server("n1").isUp) machines.kill("n1");
  },
  "a server starts": ({ machines }) => {
    if (!machines.server("n1").isUp) machines.boot("n1");
  },
  "all servers restart": (world) => {
    if (world.machines.servers.every(({ isUp }) => isUp)) restartAll(world);
  },
  "a stream is set back": ({ machines }, { id }) => machines.streamsOf(id).get("ORDERS")?.lose(),
  "nobody answers": ({ faults }) => {
    faults.isDown = true;
  },
  "the servers answer again": ({ faults }) => {
    faults.isDown = false;
  },
  "the key can't be read": ({ state }) => {
    state.signerIsDown = true;
  },
  "the key can be read": ({ state }) => {
    state.signerIsDown = false;
  },
  "ten minutes pass": (world) => world.advance(10 * MINUTE),
  "thirty days pass": (world) => world.advance(30 * 24 * 60 * MINUTE),
  "a sweep's job": run("remediate"),
  "a person heals": run("heal", { trigger: "manual" }),
  "a person renews": run("renew", { trigger: "manual" }),
  "a person looks": run("verify", { trigger: "manual" }),
  "the issuer delivers less": (world, account) =>
    run("push", { trigger: "webhook", token: world.issue(account, { limits: { ...WITH_JETSTREAM, conn: 3 } }) })(
      world,
      account,
    ),
};

const acts = fc.array(fc.constantFrom(...Object.keys(ACTS)), { minLength: 4, maxLength: 14 });
const names = fc.oneof(
  fc.constantFrom(
    "APP",
    "my app",
    "it's",
    "--json",
    "$(reboot)",
    "`id`",
    "A\nB",
    "A\u202EB",
    "*bold* <!channel>",
    "Ä 日本",
  ),
  fc.string({ minLength: 1, maxLength: 100 }),
);
const worlds = fc.record({
  size: fc.constantFrom(1, 3),
  version: fc.constantFrom("2.9.10", "2.10.27", "2.15.1"),
  mode: fc.constantFrom("look" as const, "renew" as const, "heal" as const),
  policy: fc.record({ manual: fc.boolean(), critical: fc.boolean() }),
  memory: fc.boolean(),
  hasAccountKeys: fc.boolean(),
  canRestart: fc.boolean(),
});

test("each page holds a name and a command that the command line accepts, and an account has one open incident", async () => {
  const faultsOf = remembered(commandFaults);
  const wordsOf = remembered(shellWords);
  let pages = 0;
  await fc.assert(
    fc.asyncProperty(worlds, names, acts, async ({ size, memory, ...settings }, name, happened) => {
      const account = named(name);
      const world = virtualWorld({ ...settings, servers: size, accounts: [account] });
      fill(world, { replicas: size, memory }, account);
      await ACTS["a sweep's job"]?.(world, account);
      for (const what of happened) {
        await ACTS[what]?.(world, account);
        await ACTS["a sweep's job"]?.(world, account);
      }
      pages += world.incidents.length;
      for (const incident of world.incidents) {
        expect(incident).toMatchObject({ accountName: onOneLine(name) || account.id, account: account.id });
        const { command = "" } = incident;
        expect(faultsOf(command)).toEqual([]);
        expect(await meant(world, wordsOf(command))).toBe(account.id);
        expectReadable(incident);
      }
      expect(overlaps(world.incidents)).toEqual([]);
    }),
    { numRuns: isExhaustive ? 1_000 : 40 },
  );
  // Or nothing was tried.
  expect(pages).toBeGreaterThan(40);
}, 600_000);

/** The account that a page's command means, as the command line finds it. */
function meant(world: VirtualWorld, words: readonly string[]): Promise<string> {
  const [, command, , text = ""] = words[1] === "jetstream" ? words : [...words.slice(0, 2), "", ...words.slice(2)];
  expect(command).not.toBe("doctor");
  const { settingsById, context, journal } = world;
  const names = { configured: [...settingsById.keys()], settingsOf: context.settingsOf, journal };
  return findAccount(names, text);
}

function expectReadable(incident: Incident): void {
  const lines = textLines(pageText(incident));
  expect(lines[0]).toMatch(/^\[(CRITICAL|WARNING|RESOLVED)\] /);
  expect(lines.join("")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(lines.join("\n").length).toBeLessThan(8_000);
  if (incident.status === "open") expect(incident.impact).toMatch(/\.$/);
  expect(incident.summary).not.toBe("");
  expect(new Set(incident.advice).size).toBe(incident.advice.length);
}

/** Keys that were opened while another was open, and resolutions of what was not open. */
function overlaps(incidents: readonly Incident[]): readonly string[] {
  let open: string | undefined;
  const faults: string[] = [];
  for (const { key, status } of incidents) {
    if (status === "open" && open !== undefined && open !== key) faults.push(`${key} beside ${open}`);
    if (status === "resolved" && open !== key) faults.push(`${key} ended, ${open} is open`);
    open = status === "open" ? key : undefined;
  }
  return faults;
}

/** Shells take time. */
function remembered<T>(work: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const result = known.get(text) ?? work(text);
    known.set(text, result);
    return result;
  };
}
