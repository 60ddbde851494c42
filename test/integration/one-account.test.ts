import { mkdir, readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator } from "@nats-io/transport-node";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { newCredentials, nowSeconds, seedOf, signText } from "../../lab/keys.ts";
import { fill } from "../../lab/scenario.ts";
import { serverBinary, WITH_DEFECT } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { anotherAccount, createWorld, type World } from "../../lab/world.ts";
import { sampleOf } from "../support/exhaustive.ts";
import { type Run, relight } from "../support/relight.ts";

/** Claims that servers accept and run, and that Relight can't read or can't calculate with. */
interface Broken {
  readonly what: string;
  readonly claims?: object;
  readonly text?: (payload: string) => string;
  readonly header?: string;
  /** Relight's message about it. */
  readonly problem: RegExp;
  readonly code?: "claims.uncountable";
  /** Servers treat its clients as those of an expired account. */
  readonly isRefused?: boolean;
}

const BROKEN: readonly Broken[] = [
  {
    what: "an end that no date holds",
    claims: { exp: 9_999_999_999_999 },
    problem: /too large for servers/,
    code: "claims.uncountable",
  },
  { what: "a null end", claims: { exp: null }, problem: /"exp" is not a time/ },
  { what: "a negative begin", claims: { nbf: -1 }, problem: /"nbf" is not a time/ },
  { what: "an end before all time", claims: { exp: -1 }, problem: /"exp" is not a time/, isRefused: true },
  { what: "no id", claims: { jti: undefined }, problem: /"jti" is missing/ },
  {
    what: "a key that servers fold",
    text: (payload) => payload.replace("{", `{"Exp":${nowSeconds() + 900_000},`),
    problem: /"Exp"/,
  },
  {
    what: "the header of the first JWTs",
    header: '{"typ":"jwt","alg":"ed25519"}',
    problem: /algorithm is "ed25519"/,
  },
];

const part = (text: string): string => Buffer.from(text).toString("base64url");

function signBroken(world: World, { claims, text = (it) => it, header }: Broken, key: KeyPair): string {
  const base = {
    jti: crypto.randomUUID(),
    iat: nowSeconds(),
    iss: world.operator.getPublicKey(),
    ...accountClaims("BROKEN", key, world.accountSigningKey, UNLIMITED),
  };
  const payload = text(JSON.stringify({ ...base, ...claims }));
  if (header === undefined) return signText(payload, world.operator);
  const body = `${part(header)}.${part(payload)}`;
  return `${body}.${Buffer.from(world.operator.sign(Buffer.from(body))).toString("base64url")}`;
}

const rowOf = (rows: readonly Run["json"][], wanted: object): Run["json"] =>
  rows.find((row) => Object.entries(wanted).every(([key, value]) => row[key] === value));

/** One world with healthy accounts, and one broken in each way. `run`, which writes, comes near the end. */
describe.each(sampleOf(["2.10.27"], WITH_DEFECT))("one account's fault (nats-server %s)", (version) => {
  let world: World;
  let good: World;
  /** Relight can't read its key. */
  let keyless: World;
  /** Relight can't read its JWT in the source of truth. */
  let garbled: World;
  const broken = BROKEN.map((it) => ({ ...it, key: createAccount() }));
  const rows = broken.map((it) => ({ ...it, id: it.key.getPublicKey() }));
  const to = createOperator();
  const ask = (...args: string[]): Promise<Run> => relight(world, ...args, "--json");

  beforeAll(async () => {
    world = await createWorld({
      binary: (await serverBinary(version)).path,
      lives: 80 * 86_400,
      signingKeys: [to.getPublicKey()],
      yaml: 'source: { from: "folder:jwts" }\n',
    });
    await fill(world, { messages: 5 });
    good = await anotherAccount(world, "GOOD");
    keyless = await anotherAccount(world, "KEYLESS");
    garbled = await anotherAccount(world, "GARBLED");
    for (const other of [good, keyless, garbled]) {
      // Otherwise all accounts together would be promised more memory than the server has.
      const claims = other.claims({ limits: { mem_storage: 0 }, iat: nowSeconds() + 1 });
      await other.push(other.sign(claims));
      await load(other.account);
    }
    for (const it of broken) await breakAccount(it, it.key);
    await fillSource();
    await configure();
    expect((await ask("verify", "GOOD")).exit).toBe(0);
    plant();
  });
  afterAll(async () => await world?.[Symbol.asyncDispose]());

  /** A server loads an account when its first client connects. */
  async function load(account: KeyPair): Promise<void> {
    const authenticator = credsAuthenticator(Buffer.from(newCredentials(account, "user")));
    const client = await connect({ servers: world.server.url, reconnect: false, authenticator });
    await client.close();
  }

  async function breakAccount(how: Broken, key: KeyPair): Promise<void> {
    const token = signBroken(world, how, key);
    const system = await world.connectAs("system");
    const reply = await system.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
    expect(reply.json()).toMatchObject({ data: { code: 200 } });
    await load(key).catch((refused: unknown) => {
      if (!how.isRefused) throw refused;
    });
    const info = `$SYS.REQ.ACCOUNT.${key.getPublicKey()}.INFO`;
    await waitFor(`${how.what} to run`, async () => {
      const answer = await system.request(info, "", { timeout: 2_000 });
      return answer.json<{ data?: { jwt?: string } }>().data?.jwt === token;
    });
    await system.close();
  }

  /** What the resolver holds, by account. */
  async function held(): Promise<ReadonlyMap<string, string>> {
    const system = await world.connectAs("system");
    const found = new Map<string, string>();
    const replies = await system.requestMany("$SYS.REQ.CLAIMS.PACK", "", {
      strategy: "sentinel",
      maxWait: 5_000,
    });
    for await (const reply of replies) {
      const [account = "", token = ""] = reply.string().split("|");
      if (token !== "") found.set(account, token);
    }
    await system.close();
    return found;
  }

  /** The source of truth has what runs, including the broken ones, and an unreadable JWT of one account. */
  async function fillSource(): Promise<void> {
    await mkdir(`${world.home}/jwts`);
    for (const [account, token] of await held()) await writeFile(`${world.home}/jwts/${account}.jwt`, token);
    const claims = part(JSON.stringify({ sub: garbled.accountId }));
    await writeFile(`${world.home}/jwts/${garbled.accountId}.jwt`, `e30.${claims}.AAAA`);
  }

  async function configure(): Promise<void> {
    await writeFile(`${world.home}/operator.nk`, seedOf(to));
    const file = `${world.home}/relight.yaml`;
    const more = `  - id: ${keyless.accountId}\n    name: KEYLESS\n    signingKey: file:gone.nk\n`;
    await writeFile(file, (await readFile(file, "utf8")).replace("accounts:\n", `accounts:\n${more}`));
  }

  /** Rows in the journal that Relight did not write: with impossible times, and without their fields. */
  function plant(): void {
    const database = new DatabaseSync(`${world.home}/relight.sqlite`);
    const row = database.prepare("INSERT INTO journal (at, job, account, kind, data) VALUES (?, ?, ?, ?, ?)");
    for (const kind of ["verdict", "gate.refused", "memory.seen", "loss.found", "rotation.started"]) {
      row.run(9_000_000_000_000_000n, "planted", createAccount().getPublicKey(), kind, "{}");
      row.run(-9_000_000_000_000_000n, "planted", createAccount().getPublicKey(), kind, "garbage");
    }
    database.close();
  }

  test("status shows the others as usual, and says what is wrong with each and what to do", async () => {
    const { exit, json } = await ask("status");
    expect(exit).toBe(3);
    for (const name of ["APP", "GOOD", "SYS"])
      expect(rowOf(json.accounts, { name })).toMatchObject({ verdict: "healthy", findings: [] });
    for (const { id, problem, code = "claims.unreadable", isRefused } of rows) {
      const row = rowOf(json.accounts, { id });
      expect(row).toMatchObject({ verdict: "unknown", window: "unknown", expiresAt: null });
      expect(rowOf(row.findings, { code }).message).toMatch(problem);
      expect(rowOf(row.findings, { code }).message).toMatch(/relight push FILE/);
      if (isRefused) expect(rowOf(row.findings, { code }).message).toMatch(/refuse its clients.*--undelete/);
    }
    expect(rowOf(json.accounts, { name: "KEYLESS" })).toMatchObject({
      verdict: "unknown",
      window: "perpetual",
    });
    expect(rowOf(json.accounts, { name: "GARBLED" })).toMatchObject({
      verdict: "unknown",
      window: "perpetual",
    });
    const { stdout } = await relight(world, "status");
    for (const { id } of rows) expect(stdout).toContain(id.slice(0, 8));
  });

  test("expiries still watches the operator, the credentials and the others", async () => {
    const { exit, json } = await ask("expiries");
    expect(exit).toBe(3);
    for (const kind of ["operator", "system-credentials", "system-account"])
      expect(rowOf(json.expiries, { kind, severity: "ok" })).toBeDefined();
    for (const what of ["APP", "GOOD", "KEYLESS", "GARBLED"])
      expect(rowOf(json.expiries, { what })).toMatchObject({ severity: "ok" });
    for (const { id, problem } of rows)
      expect(rowOf(json.expiries, { account: id, severity: "unknown" }).message).toMatch(problem);
  });

  test("rotate-key plans the others, and keeps a key that an account may still need", async () => {
    const keys = ["--from", world.operator.getPublicKey(), "--to", to.getPublicKey()];
    const { exit, json } = await ask("rotate-key", ...keys);
    expect([json.state, json.problems, exit]).toEqual(["planned", [], 1]);
    const names = json.waves.flat().map(({ name }: Run["json"]) => name);
    expect(names.sort()).toEqual(["APP", "GARBLED", "GOOD", "KEYLESS"]);
    for (const { id, problem } of rows) expect(rowOf(json.unknown, { account: id }).problem).toMatch(problem);
  });

  // What follows from the same looks does not depend on the version: once is enough.
  if (version !== "2.10.27") return;

  test("plan projects the others, and names the broken ones", async () => {
    const { exit, json } = await ask("plan");
    expect(exit).toBe(1);
    expect(rowOf(json.plans, { name: "GOOD" })).toMatchObject({ verdict: "healthy", steps: [] });
    for (const { id } of rows)
      expect(rowOf(json.plans, { account: id })).toMatchObject({
        verdict: "unknown",
        steps: [{ do: "escalate" }],
      });
    const calendar = await ask("plan", "--until", "90d");
    expect(calendar.exit).toBe(1);
    const renewals = calendar.json.days.flatMap((day: Run["json"]) => day.renewals);
    expect(rowOf(renewals, { name: "APP" })).toBeDefined();
    expect(calendar.json.unknown).toHaveLength(rows.length);
    for (const { id, problem } of rows) expect(rowOf(calendar.json.unknown, { account: id }).problem).toMatch(problem);
  });

  test("diff compares the others", async () => {
    const { exit, json } = await ask("diff");
    expect(exit).toBe(3);
    for (const name of ["APP", "GOOD", "KEYLESS", "SYS"])
      expect(rowOf(json.accounts, { name })).toMatchObject({ state: "same", notes: [] });
    expect(rowOf(json.accounts, { name: "GARBLED" })).toMatchObject({ state: "unknown" });
    for (const { id, code } of rows)
      expect(rowOf(json.accounts, { account: id }).state).toBe(code === undefined ? "unknown" : "same");
  });

  test("doctor checks the others", async () => {
    const { exit, json } = await ask("doctor");
    expect(exit).toBe(3);
    expect(json.cluster.doNotRestart).toEqual([]);
    const text = JSON.stringify(json.cluster.layers);
    for (const name of ["APP", "GOOD"])
      expect(text).toContain(`{"about":"${name}","health":"healthy","message":"its claims are in force"}`);
    for (const { id, code } of rows) expect(text).toContain(code === undefined ? id : "is too large for servers");
  });

  test("verify of a healthy account needs no other, and journal shows readable entries", async () => {
    expect(await ask("verify", "GOOD")).toMatchObject({ exit: 0, json: { verdict: "healthy" } });
    for (const { id } of rows) expect(await ask("verify", id)).toMatchObject({ exit: 3, json: { verdict: "unknown" } });
    const { exit, stdout } = await relight(world, "journal");
    expect(exit).toBe(0);
    expect(stdout).toContain("rotation.started");
    expect((await ask("journal")).json.entries.length).toBeGreaterThan(10);
  });

  test("run does the others' jobs, and leaves the broken accounts unchanged", async () => {
    // What servers consider expired they delete within a minute.
    const lasting = async () => {
      const over = rows.filter(({ isRefused }) => isRefused).map(({ id }) => id);
      return [...(await held())].filter(([account]) => !over.includes(account));
    };
    const before = await lasting();
    const { exit, json } = await ask("run");
    expect(exit).toBe(3);
    expect(json.failures).toEqual([]);
    for (const { accountId } of [world, good])
      expect(rowOf(json.results, { account: accountId })).toMatchObject({ outcome: "healthy" });
    for (const { id } of rows)
      expect(rowOf(json.results, { account: id })).toMatchObject({
        verdict: "unknown",
        outcome: "unhealed",
        rungs: [],
      });
    expect(await lasting()).toEqual(before);
  });

  test("a JWT that is issued again, as the finding advises, repairs it", async () => {
    for (const { id, key, code, isRefused } of rows) {
      const claims = accountClaims("BROKEN", key, world.accountSigningKey, UNLIMITED);
      const times = { iat: nowSeconds() + 1, exp: nowSeconds() + 80 * 86_400 };
      await writeFile(`${world.home}/new.jwt`, world.sign({ ...claims, ...times }, to));
      const leave = [...(code === undefined ? [] : ["--allow-earlier-expiry"]), ...(isRefused ? ["--undelete"] : [])];
      const { json } = await ask("push", "new.jwt", ...leave);
      expect([id, json.error?.message, json.outcome]).toEqual([id, undefined, "pushed"]);
    }
  });
});
