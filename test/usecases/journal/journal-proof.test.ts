import { describe, expect, test } from "@jest/globals";
import type { AccountId } from "../../../lib/domain/claims/account.ts";
import { parseAccountClaims } from "../../../lib/domain/claims/claims.ts";
import { ACTED_ON, type EntryKind, type JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { PROOF } from "../../../lib/domain/journal/journal-proof.ts";
import { openRestart } from "../../../lib/domain/journal/open-remedies.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { epochMillis, toSeconds } from "../../../lib/domain/time/time.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Job } from "../../../lib/ports/jobs.ts";
import { type Context, record } from "../../../lib/usecases/context/context.ts";
import { provedBy } from "../../../lib/usecases/journal/proof.ts";
import { looking } from "../../../lib/usecases/observe/look.ts";
import { signText, virtualAccount } from "../../support/virtual/claims.ts";
import { virtualKey } from "../../support/virtual/keys.ts";
import { APP, KEYS, NO_JETSTREAM, START, virtualWorld } from "../../support/virtual/world.ts";

/** What somebody who can write to the journal, but has no operator key, can make Relight do: nothing. */
const account = APP.id;
const stranger = virtualAccount("stranger").id;
const iat = toSeconds(START);

const claimsOf = (sub: AccountId, limits: JsonObject, more: JsonObject = {}): string =>
  JSON.stringify({
    jti: "planted",
    iat,
    exp: iat + 60,
    iss: KEYS.operator.id,
    sub,
    name: "APP",
    ...more,
    nats: { limits, type: "account", version: 2 },
  });
const PLANTED = claimsOf(account, { conn: -1, disk_storage: -1, mem_storage: -1 });

function newScene() {
  const world = virtualWorld({
    servers: 3,
    accounts: [{ ...APP, iat, exp: iat + 90 * 86_400, limits: NO_JETSTREAM }],
  });
  const { journal } = world;
  const run = (action: Job["action"], of: AccountId = account, change: Partial<Context> = {}) =>
    world.run(action, { account: of, trigger: "manual" }, change);
  const plant = (kind: EntryKind, data: JsonObject, of: AccountId | "-" = account): Promise<void> =>
    journal.append({ at: world.now(), job: "planted", account: of, kind, data });
  const of = (kind: EntryKind): readonly JournalEntry[] => journal.entries.filter((entry) => entry.kind === kind);
  const isProved = provedBy(world.context);
  const codes = ({ verdict }: Awaited<ReturnType<typeof run>>): readonly string[] =>
    verdict.findings.map(({ code }) => code);
  return { world, journal, run, plant, of, isProved, codes };
}

describe("claims in the journal", () => {
  test("are renewed only with a proof", async () => {
    const { run, plant, world } = newScene();
    await plant("claims.seen", { jti: "planted", claims: claimsOf(stranger, { conn: -1 }) }, stranger);
    for (const action of ["renew", "heal", "remediate"] as const) {
      const error = await run(action, stranger).catch((thrown: RelightError) => thrown);
      if (action === "renew") expect(error).toMatchObject({ code: "account.no_claims" });
      if (action === "renew") expect(String(error)).toContain("nothing proves");
    }
    expect(world.machines.pushes).toEqual([]);
    expect(world.incidents.map(({ summary }) => summary).join()).toContain("nothing proves");
  });

  test.each<[string, string, boolean]>([
    ["nobody signed", PLANTED, false],
    ["another operator signed", PLANTED.replaceAll(KEYS.operator.id, virtualKey("operator", "another").id), true],
    ["are another account's", claimsOf(stranger, { conn: -1 }), true],
  ])("that a server reports and that %s are neither renewed nor signed", async (_what, text, signatureValid) => {
    const { run, world, of, isProved } = newScene();
    const parsed = parseAccountClaims(text);
    if (!parsed.ok) throw new Error(parsed.problem);
    const { document } = parsed;
    const told = {
      server: "n1",
      loaded: true,
      expired: false,
      jetstream: true,
      document,
      signatureValid,
    } as const;
    const probes: Context["probes"] = {
      ...world.context.probes,
      observe: async (...asked) => ({
        ...(await world.context.probes.observe(...asked)),
        running: { ok: true, value: [told] },
        stored: { ok: true, value: undefined },
      }),
    };
    for (const action of ["renew", "heal", "remediate"] as const) {
      const done = await run(action, account, { probes }).catch((thrown: RelightError) => thrown);
      if (action === "renew") expect(done).toMatchObject({ code: "account.no_claims" });
      else expect(done).toMatchObject({ verdict: { health: "unknown" } });
    }
    expect(world.machines.pushes).toEqual([]);
    expect(of("claims.seen").filter(isProved)).toEqual([]);
  });

  test("that were in force are signed, and renewed once the resolver has deleted them", async () => {
    const { run, world, of, isProved } = newScene();
    await run("verify");
    expect(of("claims.seen").map(isProved)).toEqual([true]);
    world.advance(91 * 86_400_000);
    const gone = { ...world.context.resolver, running: async () => [], lookup: async () => undefined };
    const probes: Context["probes"] = {
      ...world.context.probes,
      observe: async (...asked) => ({
        ...(await world.context.probes.observe(...asked)),
        running: { ok: true, value: [] },
        stored: { ok: true, value: undefined },
      }),
    };
    const push: Context["resolver"]["push"] = async () => {
      throw new RelightError("push.rejected", "this is far enough");
    };
    const resolver = { ...gone, push };
    await expect(run("renew", account, { probes, resolver })).rejects.toMatchObject({
      code: "push.rejected",
    });
  });

  test("are not replaced by a later entry without a proof, or a copy of an old one", async () => {
    const { run, plant, journal, of, isProved, world } = newScene();
    await run("verify");
    const [first] = of("claims.seen");
    if (first === undefined) throw new Error("no claims were seen");
    world.advance(60_000);
    await run("renew");
    const renewed = of("claims.seen").at(-1)?.data["jti"];
    await journal.append(first);
    await plant("claims.seen", { jti: "planted", claims: PLANTED });
    await run("verify");
    expect(of("claims.seen").at(-1)).toMatchObject({ data: { jti: renewed } });
    expect(of("claims.seen").map(isProved)).toEqual([true, true, true, false, true]);
  });

  test.each<[string, (entry: JournalEntry) => JournalEntry]>([
    ["claims", (entry) => ({ ...entry, data: { ...entry.data, claims: PLANTED } })],
    ["account", (entry) => ({ ...entry, account: stranger })],
    ["kind", (entry) => ({ ...entry, kind: "toggle.opened" })],
    ["time", (entry) => ({ ...entry, at: epochMillis(entry.at + 1) })],
    ["job", (entry) => ({ ...entry, job: "another" })],
    ["key", (entry) => ({ ...entry, data: { ...entry.data, [PROOF]: { by: stranger, signature: "x" } } })],
  ])("with another %s than was signed are not proved", async (_what, change) => {
    const { run, of, isProved } = newScene();
    await run("verify");
    const [entry] = of("claims.seen");
    if (entry === undefined) throw new Error("no claims were seen");
    expect([isProved(entry), isProved(change(entry))]).toEqual([true, false]);
  });

  test("from before signed entries are signed by the next look, once", async () => {
    const { run, plant, of, isProved, world } = newScene();
    const [running] = await world.context.resolver.running(account);
    const { text, claims } = running?.loaded ? running.document : { text: "", claims: { jti: "" } };
    await plant("claims.seen", { jti: claims.jti, claims: text });
    await run("verify");
    await run("verify");
    expect(of("claims.seen").map(isProved)).toEqual([false, true]);
  });

  test("stay unsigned if the key can't be used, and are not rewritten repeatedly", async () => {
    const { run, of, isProved, world } = newScene();
    world.state.signerIsDown = true;
    for (let looks = 0; looks < 3; looks++) expect((await run("verify")).verdict.health).toBe("healthy");
    expect(of("claims.seen").map(isProved)).toEqual([false]);
  });
});

describe("unproved open remedies", () => {
  test.each<[EntryKind, JsonObject]>([
    ["toggle.opened", { jti: "planted", claims: PLANTED, memory: [{ stream: "S", consumers: [] }] }],
    ["reconfigure.opened", { stream: "S", undo: { before: { name: "S", num_replicas: 1 }, consumers: [] } }],
  ])("%s: a person is paged, once, and nothing is done", async (kind, data) => {
    const { run, plant, world, codes, of } = newScene();
    const limits = { conn: -1, disk_storage: 1_000 };
    world.machines.force(signText(claimsOf(account, limits, { jti: "now", exp: iat + 9_000_000 }), KEYS.operator));
    world.advance(1_000);
    await plant(kind, data);
    expect((await looking(world.context, account)()).verdict.findings).toMatchObject([{ code: "journal.unproved" }]);
    await run("verify");
    expect(world.machines.pushes).toEqual([]);
    expect(world.incidents).toMatchObject([{ failureClass: "journal_unproved", status: "open" }]);
    expect(JSON.stringify(world.incidents)).not.toContain("disk_storage");
    expect(of(kind.replace("opened", "closed") as EntryKind)).toHaveLength(1);
    expect(codes(await run("remediate"))).not.toContain("journal.unproved");
    expect(world.incidents).toMatchObject([{ status: "open" }, { status: "resolved" }]);
    expect(world.machines.pushes).toEqual([]);
  });

  test("a toggle stays open as long as the account has no JetStream", async () => {
    const { run, plant, world, codes } = newScene();
    await plant("toggle.opened", { jti: "planted", claims: PLANTED, memory: [] });
    for (let jobs = 0; jobs < 2; jobs++) expect(codes(await run("heal"))).toContain("journal.unproved");
    expect(world.machines.pushes).toEqual([]);
    expect(world.incidents.filter(({ failureClass }) => failureClass === "journal_unproved")).toHaveLength(1);
  });

  test("a proved toggle is not closed by an unproved entry, nor reopened by a copy of itself", async () => {
    const { plant, run, world, journal, of } = newScene();
    const limits = { conn: -1, disk_storage: 1_000 };
    const original = claimsOf(account, limits, { jti: "now", exp: iat + 9_000_000 });
    const opened = { jti: "now", off: "off", claims: original, memory: [] };
    await record(world.context, { id: "died", account }, "toggle.opened", opened);
    await plant("toggle.closed", { jti: "planted" });
    world.machines.force(signText(claimsOf(account, limits, { jti: "newer", exp: iat + 9_000_000 }), KEYS.operator));
    world.advance(1_000);
    await run("verify");
    // Newer claims are in force: they stay, and the toggle ends.
    expect(world.machines.pushes).toEqual([]);
    expect(of("toggle.closed").at(-1)).toMatchObject({ data: { jti: "newer" } });
    const [copy] = of("toggle.opened");
    if (copy !== undefined) await journal.append(copy);
    await run("verify");
    expect(of("toggle.closed")).toHaveLength(2);
  });
});

test("a started restart is not closed by an unproved entry", async () => {
  const { plant, world, journal, isProved } = newScene();
  const run = { id: "r", account: "-" } as const;
  const open = () => openRestart(journal.entries, isProved)?.server;
  await plant("restart.opened", { server: "n9", for: account }, "-");
  expect(open()).toBe("n9");
  await plant("restart.closed", { server: "n9" }, "-");
  expect(open()).toBeUndefined();
  await record(world.context, run, "restart.opened", { server: "n1", for: account });
  await plant("restart.closed", { server: "n1" }, "-");
  await plant("restart.opened", { server: "n2", for: account }, "-");
  expect(open()).toBe("n1");
  await record(world.context, run, "restart.closed", { server: "n1" });
  expect(open()).toBeUndefined();
});

test("an opening entry is not written without a proof, because nobody could finish the remedy", async () => {
  const { world, journal } = newScene();
  world.state.signerIsDown = true;
  const job = { id: "j", account };
  for (const kind of Object.keys(ACTED_ON) as EntryKind[]) {
    const writing = record(world.context, job, kind, { stream: "S" });
    if (ACTED_ON[kind] && kind.endsWith(".opened"))
      await expect(writing).rejects.toMatchObject({ code: "secret.unavailable" });
    else await writing;
  }
  expect(journal.entries.filter(({ kind }) => kind === "toggle.opened")).toEqual([]);
});
