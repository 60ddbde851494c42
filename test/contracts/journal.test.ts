import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import {
  CreateTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createOperator } from "@nats-io/nkeys";
import fc from "fast-check";
import { waitFor } from "../../lab/wait.ts";
import {
  type DynamoDbJournalSettings,
  dynamoDbJournal,
  JOURNAL_TABLE,
  JOURNAL_TTL,
} from "../../lib/adapters/aws/journal/dynamodb-journal.ts";
import { putLatest } from "../../lib/adapters/aws/journal/dynamodb-latest.ts";
import { entryKey } from "../../lib/adapters/aws/journal/dynamodb-partitions.ts";
import { kindPrefix } from "../../lib/adapters/aws/journal/dynamodb-table.ts";
import { sqliteJournal } from "../../lib/adapters/local/sqlite-journal.ts";
import { jwtCodec, operatorSigner } from "../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { ACTED_ON, type EntryKind, type JournalEntry } from "../../lib/domain/journal/journal.ts";
import type { LastJob } from "../../lib/domain/journal/last-job.ts";
import type { JsonObject } from "../../lib/domain/time/json.ts";
import { redact } from "../../lib/domain/time/redact.ts";
import { type EpochMillis, epochMillis, millis } from "../../lib/domain/time/time.ts";
import type { Clock } from "../../lib/ports/clock.ts";
import type { Journal, JournalQuery } from "../../lib/ports/journal.ts";
import type { Leases } from "../../lib/ports/leases.ts";
import { provedBy, withProof } from "../../lib/usecases/journal/proof.ts";
import { type FakeClock, fakeClock } from "../support/fakes/clock.ts";
import { fakeJournal } from "../support/fakes/journal.ts";
import { describeAws, type MotoSettings, startMoto } from "../support/moto.ts";

const moto = await startMoto();
afterAll(async () => moto.ok && (await moto.stop()));

const scrub = (value: JsonObject): JsonObject => redact(value) as JsonObject;
const ACCOUNT = `A${"A".repeat(55)}` as AccountId;
const OTHER = `A${"B".repeat(55)}` as AccountId;
const START = epochMillis(Date.UTC(2030, 0, 1));

function entry(fields: Partial<JournalEntry> = {}): JournalEntry {
  return { at: START, job: "job-1", account: ACCOUNT, kind: "verdict", data: {}, ...fields };
}

const PROVES = (() => {
  const key = createOperator();
  const operator = { id: key.getPublicKey(), name: "OP", signingKeys: [], strictSigningKeyUsage: false };
  const seed = new TextDecoder().decode(key.getSeed());
  return { operator, signer: async () => operatorSigner(seed, operator) };
})();

/** Opens an empty journal. */
type Open = (clock: Clock) => Promise<Journal & Leases & Partial<AsyncDisposable>>;

describe("fake", () => {
  const open: Open = async (clock) => fakeJournal(clock, { scrub });
  journalContract(open, { runs: 100 });
  latestContract(open);
  accountsContract(open);
  leasesContract(open);
});

describe("SQLite", () => {
  const folders = new Set<string>();
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true });
  });
  const newPath = async () => {
    const folder = await mkdtemp(join(tmpdir(), "relight-journal-"));
    folders.add(folder);
    return join(folder, "deeper", "relight.sqlite");
  };
  const open: Open = async (clock) => sqliteJournal({ path: await newPath(), clock, scrub });
  journalContract(open, { runs: 25 });
  latestContract(open);
  accountsContract(open);
  leasesContract(open);
  sqliteTests(newPath);
});

describeAws(moto, "DynamoDB on moto", (settings) => {
  const raw = new DynamoDBClient(settings);
  const client = DynamoDBDocumentClient.from(raw);
  afterAll(() => raw.destroy());
  let tables = 0;
  const openSettings = async (clock: Clock): Promise<DynamoDbJournalSettings> => {
    tables += 1;
    const table = `relight-${tables}`;
    await raw.send(new CreateTableCommand({ TableName: table, ...JOURNAL_TABLE }));
    return { table, client, clock, scrub };
  };
  const open: Open = async (clock) => dynamoDbJournal(await openSettings(clock));
  journalContract(open, { runs: 15 });
  latestContract(open);
  accountsContract(open);
  leasesContract(open);
  dynamoDbTests(settings, openSettings);
});

function journalContract(open: Open, { runs }: { runs: number }): void {
  test("returns what was appended, oldest first", async () => {
    await using journal = await opened(open);
    const data = {
      text: 'Grüße "∑" \u0000',
      empty: "",
      none: null,
      deep: [{ "": [1.5, -0.1, []] }],
      big: 2 ** 53,
    };
    const entries = [entry({ data }), entry({ kind: "push.started", at: epochMillis(START + 1) })];
    for (const each of entries) await journal.append(each);
    expect(await journal.read({})).toEqual(entries);
    expect(await journal.read({ account: ACCOUNT })).toEqual(entries);
  });

  test("an empty journal returns nothing", async () => {
    await using journal = await opened(open);
    expect(await journal.read({})).toEqual([]);
    expect(await journal.read({ account: ACCOUNT })).toEqual([]);
    expect(await journal.read({ job: "job-1" })).toEqual([]);
  });

  test("keeps the order of appending, whatever the machines' clocks say", async () => {
    await using journal = await opened(open);
    const begun = entry({ kind: "toggle.opened", at: epochMillis(START + 5_000) });
    const closed = entry({ kind: "toggle.closed", at: START });
    await journal.append(begun);
    await journal.append(closed);
    expect(await journal.read({ account: ACCOUNT })).toEqual([begun, closed]);
    expect(await journal.read({ account: ACCOUNT, limit: 1 })).toEqual([closed]);
  });

  test("keeps the order of many entries in one millisecond", async () => {
    await using journal = await opened(open);
    const entries = Array.from({ length: 12 }, (_, index) => entry({ data: { index } }));
    for (const each of entries) await journal.append(each);
    expect(await journal.read({ account: ACCOUNT })).toEqual(entries);
  });

  test("keeps all concurrent entries of one account and millisecond", async () => {
    await using journal = await opened(open);
    const entries = Array.from({ length: 20 }, (_, index) => entry({ data: { index } }));
    await Promise.all(entries.map((each) => journal.append(each)));
    const indices = (await journal.read({ account: ACCOUNT })).map(({ data }) => Number(data["index"]));
    expect(indices.toSorted((a, b) => a - b)).toEqual(entries.map((_, index) => index));
  });

  test("reads all of a journal of many megabytes", async () => {
    await using journal = await opened(open);
    const entries = Array.from({ length: 24 }, (_, index) => entry({ data: { index, text: "x".repeat(100_000) } }));
    for (const each of entries) await journal.append(each);
    for (const query of [{}, { account: ACCOUNT }, { job: "job-1" }] satisfies JournalQuery[])
      expect((await journal.read(query)).map(({ data }) => data["index"])).toEqual(entries.map((_, i) => i));
    const newest = await journal.read({ account: ACCOUNT, limit: 15 });
    expect(newest.map(({ data }) => data["index"])).toEqual(entries.map((_, i) => i).slice(-15));
  });

  test("stores no secret, and does not change the caller's entry", async () => {
    await using journal = await opened(open);
    const seed = `SO${"A".repeat(56)}`;
    const data = { password: "hunter2", note: `found ${seed} here`, deep: [{ seed: "x" }] };
    const before = structuredClone(data);
    await journal.append(entry({ data }));
    const stored = JSON.stringify(await journal.read({}));
    expect(stored).not.toMatch(/hunter2|SOAA/);
    expect(data).toEqual(before);
  });

  test("proofs survive the journal: of entries that later runs act on, large ones, any text", async () => {
    await using journal = await opened(open);
    const data = {
      claims: JSON.stringify({ name: 'Grüße "∑"', pad: "x ".repeat(20_000) }),
      list: [1.5, null],
    };
    const kinds = (Object.keys(ACTED_ON) as EntryKind[]).filter((kind) => ACTED_ON[kind]);
    for (const [index, kind] of kinds.entries())
      await journal.append(await withProof({ signer: PROVES.signer }, entry({ at: AT(index), kind, data })));
    const isProved = provedBy({ codec: jwtCodec, operator: PROVES.operator });
    const read = await journal.read({ account: ACCOUNT, kinds });
    expect(read.map((each) => [each.kind, isProved(each)])).toEqual(kinds.map((kind) => [kind, true]));
    const [first = entry()] = read;
    for (const changed of [{ at: AT(99) }, { job: "job-2" }, { account: OTHER }, { data: { ...first.data, list: [] } }])
      expect(isProved({ ...first, ...changed })).toBe(false);
  });

  test("changes to a result do not change the journal", async () => {
    await using journal = await opened(open);
    await journal.append(entry({ data: { list: [1] } }));
    for (const { data } of await journal.read({})) (data["list"] as number[]).push(2);
    expect(await journal.read({})).toEqual([entry({ data: { list: [1] } })]);
  });

  test("every query returns exactly what matches, the newest ones under a limit", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEntry, { maxLength: 8 }),
        fc.array(anyQuery, { maxLength: 6 }),
        async (entries, queries) => {
          await using journal = await opened(open);
          for (const each of inTime(entries)) await journal.append(each);
          for (const query of queries) expect(await journal.read(query)).toEqual(expected(inTime(entries), query));
        },
      ),
      { numRuns: runs },
    );
  });
}

function AT(offset: number): EpochMillis {
  return epochMillis(START + offset);
}

function latestContract(open: Open): void {
  const started = (fields: Partial<JournalEntry> = {}) =>
    entry({ kind: "job.started", data: { action: "remediate", correlation: "sweep-1" }, ...fields });
  const finished = (fields: Partial<JournalEntry> = {}) =>
    entry({
      kind: "job.finished",
      at: AT(5),
      data: {
        outcome: "healed",
        verdict: "healthy",
        jti: "J1",
        verifiedAt: AT(5),
        expiresAt: AT(9),
        warnAt: AT(7),
        pageAt: AT(8),
        withdrawn: true,
      },
      ...fields,
    });

  const situations: readonly (readonly [string, readonly JournalEntry[], LastJob | undefined])[] = [
    ["never had a job", [entry(), entry({ kind: "claims.seen" })], undefined],
    [
      "has one under way",
      [started(), entry({ at: AT(1) })],
      { state: "running", job: "job-1", since: START, correlation: "sweep-1" },
    ],
    [
      "had one that ended",
      [started(), finished()],
      {
        state: "finished",
        job: "job-1",
        at: AT(5),
        outcome: "healed",
        verdict: "healthy",
        jti: "J1",
        verifiedAt: AT(5),
        expiresAt: AT(9),
        warnAt: AT(7),
        pageAt: AT(8),
        withdrawn: true,
      },
    ],
    [
      "had one that failed",
      [started(), finished({ data: { outcome: "failed", error: { code: "gate.refused" }, verifiedAt: AT(1) } })],
      { state: "finished", job: "job-1", at: AT(5), outcome: "failed", verifiedAt: AT(1) },
    ],
    [
      "ended one, and began another that remembers",
      [started(), finished(), started({ job: "job-2", at: AT(6), data: { verifiedAt: AT(5) } }), entry({ at: AT(7) })],
      { state: "running", job: "job-2", since: AT(6), verifiedAt: AT(5) },
    ],
    [
      "has one that ended on a machine whose clock is behind",
      [started({ at: AT(10) }), finished({ at: AT(3), data: { outcome: "healthy" } })],
      { state: "finished", job: "job-1", at: AT(3), outcome: "healthy" },
    ],
    [
      "has entries of an older version, or what nobody knows",
      [finished({ data: { outcome: "healthy", verdict: "splendid", expiresAt: "soon", jti: 5 } })],
      { state: "finished", job: "job-1", at: AT(5), outcome: "healthy" },
    ],
  ];

  test.each(situations)("latest: an account that %s", async (_, entries, lastJob) => {
    await using journal = await opened(open);
    for (const each of entries) await journal.append(each);
    await journal.append(started({ account: OTHER, job: "another" }));
    expect((await journal.latest([ACCOUNT])).get(ACCOUNT)).toEqual(lastJob);
  });

  test("latest: of hundreds at once, those with jobs; an id given twice is returned once", async () => {
    await using journal = await opened(open);
    const many = Array.from({ length: 230 }, (_, index) => accountOf(index));
    for (const [index, account] of many.entries())
      if (index % 2 === 0) await journal.append(started({ account, job: `job-${index}` }));
    await journal.append(entry({ account: "-", kind: "job.started" }));
    const found = await journal.latest([...many, ...many, OTHER]);
    expect(found.size).toBe(115);
    for (const [index, account] of many.entries())
      expect(found.get(account)?.job).toBe(index % 2 === 0 ? `job-${index}` : undefined);
    expect((await journal.latest([])).size).toBe(0);
  });
}

const accountOf = (index: number): AccountId =>
  `A${String(index)
    .replace(/[0-9]/g, (digit) => "ABCDEFGHIJ"[Number(digit)] ?? "")
    .padStart(55, "Z")}` as AccountId;

async function opened(open: Open, clock: Clock = fakeClock()): Promise<Journal & Leases & AsyncDisposable> {
  const journal = await open(clock);
  return { ...journal, [Symbol.asyncDispose]: async () => journal[Symbol.asyncDispose]?.() };
}

const KINDS: readonly EntryKind[] = ["job.started", "verdict", "push.started", "job.finished"];
const anyEntry: fc.Arbitrary<JournalEntry> = fc.record({
  at: fc.constant(START),
  job: fc.constantFrom("job-1", "job-2"),
  account: fc.constantFrom(ACCOUNT, OTHER, "-" as const),
  kind: fc.constantFrom(...KINDS),
  data: fc.dictionary(fc.string(), fc.jsonValue()).map((data) => scrub(JSON.parse(JSON.stringify(data)))),
});

const anyQuery: fc.Arbitrary<JournalQuery> = fc.record(
  {
    account: fc.constantFrom(ACCOUNT, OTHER, "-" as const),
    job: fc.constantFrom("job-1", "job-2", "job-3"),
    kinds: fc.uniqueArray(fc.constantFrom(...KINDS)),
    limit: fc.nat(6),
  },
  { requiredKeys: [] },
);

/** One millisecond apart, since order across accounts within one millisecond is not promised. */
function inTime(entries: readonly JournalEntry[]): readonly JournalEntry[] {
  return entries.map((each, index) => ({ ...each, at: epochMillis(START + index) }));
}

function expected(
  entries: readonly JournalEntry[],
  { account, job, kinds, limit }: JournalQuery,
): readonly JournalEntry[] {
  const matching = entries
    .filter((each) => account === undefined || each.account === account)
    .filter((each) => job === undefined || each.job === job)
    .filter((each) => kinds === undefined || kinds.includes(each.kind));
  return limit === undefined ? matching : matching.slice(Math.max(0, matching.length - limit));
}

function accountsContract(open: Open): void {
  const claims = (name?: string) => {
    const text = JSON.stringify({
      jti: "J",
      iat: 1,
      iss: "O",
      sub: ACCOUNT,
      ...(name === undefined ? {} : { name }),
      nats: { type: "account", version: 2 },
    });
    return { jti: "J", claims: text };
  };
  const known = async (journal: Journal) => {
    const found: Record<string, string> = {};
    for await (const { account, name, forgotten } of journal.accounts())
      found[account] = forgotten ? `${name}, forgotten` : name;
    return found;
  };

  test("knows the accounts that were seen or deleted, by the latest name, and no others", async () => {
    await using journal = await opened(open);
    const third = `A${"C".repeat(55)}` as AccountId;
    expect(await known(journal)).toEqual({});
    await journal.append(entry({ kind: "claims.seen", data: claims("OLD") }));
    await journal.append(entry({ kind: "verdict", data: { verdict: "healthy" } }));
    await journal.append(entry({ kind: "claims.seen", data: claims("NEW") }));
    await journal.append(entry({ account: OTHER, kind: "account.deleted", data: { how: "ordered" } }));
    // Whoever may order a job may name any account, so that does not make it known.
    await journal.append(entry({ account: third, kind: "job.requested", data: {} }));
    await journal.append(entry({ account: "-", kind: "incident.opened", data: { key: "k" } }));
    expect(await known(journal)).toEqual({ [ACCOUNT]: "NEW", [OTHER]: "" });
    await journal.append(entry({ kind: "account.deleted", data: { how: "seen" } }));
    expect(await known(journal)).toEqual({ [ACCOUNT]: "NEW", [OTHER]: "" });
  });

  test("reports what was forgotten, until it is seen again", async () => {
    await using journal = await opened(open);
    await journal.append(entry({ kind: "claims.seen", data: claims("APP") }));
    await journal.append(entry({ kind: "account.deleted", data: { how: "seen" } }));
    await journal.append(entry({ kind: "account.forgotten", data: { reason: "cleaned up" } }));
    expect(await known(journal)).toEqual({ [ACCOUNT]: "APP, forgotten" });
    await journal.append(entry({ kind: "claims.seen", data: claims() }));
    expect(await known(journal)).toEqual({ [ACCOUNT]: "" });
  });
}

function leasesContract(open: Open): void {
  const MINUTE = millis(60_000);
  test("it is known until when a key is held", async () => {
    const clock = fakeClock(START);
    await using leases = await opened(open, clock);
    expect(await leases.heldUntil("key")).toBeUndefined();
    await leases.acquire("key", "other", MINUTE);
    expect(await leases.heldUntil("key")).toBe(START + MINUTE);
    clock.advance(MINUTE);
    expect(await leases.heldUntil("key")).toBeUndefined();
  });

  type Act = (leases: Leases, clock: FakeClock) => Promise<unknown>;
  const situations: readonly (readonly [string, Act, boolean])[] = [
    ["a free key is given", async () => {}, true],
    ["a held key is not", (leases) => leases.acquire("key", "other", MINUTE), false],
    ["another key is of no concern", (leases) => leases.acquire("key2", "other", MINUTE), true],
    ["its holder gets it again", (leases) => leases.acquire("key", "me", MINUTE), true],
    [
      "a released key is given",
      async (leases) => {
        await leases.acquire("key", "other", MINUTE);
        await leases.release("key", "other");
      },
      true,
    ],
    [
      "who does not hold a key can't release it",
      async (leases) => {
        await leases.acquire("key", "other", MINUTE);
        await leases.release("key", "me");
      },
      false,
    ],
    [
      "a key is held until the last millisecond",
      async (leases, clock) => {
        await leases.acquire("key", "other", MINUTE);
        clock.advance(millis(MINUTE - 1));
      },
      false,
    ],
    [
      "and free when the time is over",
      async (leases, clock) => {
        await leases.acquire("key", "other", MINUTE);
        clock.advance(MINUTE);
      },
      true,
    ],
    [
      "one that was asked for, for no time at all, is free",
      (leases) => leases.acquire("key", "other", millis(0)),
      true,
    ],
    [
      "acquiring again extends",
      async (leases, clock) => {
        await leases.acquire("key", "other", MINUTE);
        clock.advance(millis(MINUTE - 1));
        await leases.acquire("key", "other", MINUTE);
        clock.advance(millis(MINUTE - 1));
      },
      false,
    ],
    ["releasing what nobody holds is no fault", (leases) => leases.release("key", "me"), true],
  ];

  test.each(situations)("lease: %s", async (_, act, given) => {
    const clock = fakeClock();
    await using leases = await opened(open, clock);
    await act(leases, clock);
    expect(await leases.acquire("key", "me", MINUTE)).toBe(given);
  });

  test("lease: of many concurrent requests, one gets it", async () => {
    await using leases = await opened(open);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) => leases.acquire("key", `holder-${index}`, MINUTE)),
    );
    expect(answers.filter(Boolean)).toHaveLength(1);
  });

  test("lease: a holder whose lease expired loses to the next one", async () => {
    const clock = fakeClock();
    await using leases = await opened(open, clock);
    await leases.acquire("key", "slow", MINUTE);
    clock.advance(MINUTE);
    await leases.acquire("key", "next", MINUTE);
    await leases.release("key", "slow");
    expect(await leases.acquire("key", "slow", MINUTE)).toBe(false);
  });

  test("lease: leases are not journal entries", async () => {
    await using journal = await opened(open);
    await journal.acquire("key", "me", MINUTE);
    expect(await journal.read({})).toEqual([]);
  });
}

function sqliteTests(newPath: () => Promise<string>): void {
  const clock = fakeClock();

  test.each([
    ["changed", "UPDATE journal SET kind = 'verdict'"],
    ["deleted", "DELETE FROM journal"],
    ["replaced", "INSERT OR REPLACE INTO journal VALUES (1, 0, '', '', '', '{}')"],
  ])("an entry can't be %s, whoever opens the file", async (_, statement) => {
    const path = await newPath();
    await using journal = await sqliteJournal({ path, clock, scrub });
    await journal.append(entry());
    using database = new DatabaseSync(path);
    expect(() => database.exec(statement)).toThrow("the journal is append-only");
    expect(await journal.read({})).toEqual([entry()]);
  });

  test("a row that somebody else wrote does not hide others", async () => {
    const path = await newPath();
    await using journal = await sqliteJournal({ path, clock, scrub });
    await journal.append(entry({ kind: "claims.seen", data: { name: "APP" } }));
    using database = new DatabaseSync(path);
    const add = database.prepare("INSERT INTO journal (at, job, account, kind, data) VALUES (?, ?, ?, ?, ?)");
    for (const data of ["{", "null", "[]"]) add.run(START, "planted", OTHER, "claims.seen", data);
    expect(await journal.read({ account: OTHER })).toHaveLength(3);
    const known = [];
    for await (const { account, name } of journal.accounts()) known.push([account, name]);
    expect(known).toEqual([
      [ACCOUNT, "APP"],
      [OTHER, ""],
    ]);
  });

  test("only its owner may read the file, including the write-ahead log", async () => {
    const path = await newPath();
    await using journal = await sqliteJournal({ path, clock, scrub });
    await journal.append(entry());
    for (const file of [path, `${path}-wal`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  test("with an age configured, opening it deletes what is older and not needed by later runs", async () => {
    const path = await newPath();
    const old = [
      ...[entry({ kind: "verdict" }), entry({ kind: "claims.seen" }), entry({ kind: "job.started" })],
      ...[entry({ kind: "job.finished" }), entry({ kind: "push.started" })],
      ...[entry({ kind: "job.started", account: OTHER }), entry({ kind: "job.finished", account: OTHER })],
    ];
    const fresh = [entry({ at: AT(1), kind: "verdict" }), entry({ at: AT(1), kind: "job.started", job: "job-2" })];
    {
      await using journal = await sqliteJournal({ path, clock, scrub });
      for (const each of [...old, ...fresh]) await journal.append(each);
    }
    const later = fakeClock(AT(86_400_001));
    await using journal = await sqliteJournal({ path, clock: later, scrub, keeps: millis(86_400_000) });
    expect((await journal.read({ account: ACCOUNT })).map(({ kind, job }) => [kind, job])).toEqual([
      ["claims.seen", "job-1"],
      ["push.started", "job-1"],
      ["verdict", "job-1"],
      ["job.started", "job-2"],
    ]);
    // The newest job of an account stays, however old.
    expect((await journal.read({ account: OTHER })).map(({ kind }) => kind)).toEqual(["job.finished"]);
    using database = new DatabaseSync(path);
    expect(() => database.exec("DELETE FROM journal")).toThrow("the journal is append-only");
  });

  test("outlives the process that wrote it", async () => {
    const path = await newPath();
    {
      await using journal = await sqliteJournal({ path, clock, scrub });
      await journal.append(entry());
    }
    await using again = await sqliteJournal({ path, clock, scrub });
    expect(await again.read({})).toEqual([entry()]);
  });

  test("several processes can create, write and lease from one journal at once", async () => {
    const path = await newPath();
    const results = await Promise.all(["a", "b", "c", "d"].map((job) => runWriter(path, job, 40)));
    expect(results.filter(({ leased }) => leased)).toHaveLength(1);
    await using journal = await sqliteJournal({ path, clock, scrub });
    for (const job of ["a", "b", "c", "d"]) {
      const indices = (await journal.read({ job })).map(({ data }) => data["index"]);
      expect(indices).toEqual(Array.from({ length: 40 }, (_, index) => index));
    }
  });

  test("a process that is killed while it writes together leaves every entry whose append had returned", async () => {
    const path = await newPath();
    const script = join(import.meta.dirname, "sqlite-writer.ts");
    const args = ["--disable-warning=ExperimentalWarning", script, path, "killed", "forever"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk) => (said += chunk));
    await waitFor("two hundred entries", () => said.split("\n").length > 200);
    child.kill("SIGKILL");
    await once(child, "close");
    await using journal = await sqliteJournal({ path, clock, scrub });
    const there = new Set((await journal.read({})).map(({ job, data }) => `${job} ${data["index"]}`));
    const returned = said.split("\n").slice(0, -1);
    expect(returned.filter((line) => !there.has(line))).toEqual([]);
    // Of each account at most the one that was being written, and all before it.
    expect(there.size - returned.length).toBeLessThanOrEqual(5);
    for (const account of ["a", "b", "c", "d", "e"]) {
      const indices = (await journal.read({ job: account })).map(({ data }) => data["index"]);
      expect(indices).toEqual(indices.map((_, index) => index));
    }
  });

  test("an unwritable path is journal.unavailable, with its name", async () => {
    const path = await newPath();
    await using journal = await sqliteJournal({ path, clock, scrub });
    const inside = join(path, "relight.sqlite");
    await expect(sqliteJournal({ path: inside, clock, scrub })).rejects.toMatchObject({
      code: "journal.unavailable",
      message: expect.stringContaining(inside),
    });
    await journal[Symbol.asyncDispose]();
    await expect(journal.append(entry())).rejects.toMatchObject({ code: "journal.unavailable" });
  });

  describe("a file that is not there any more while it is open", () => {
    const lease = millis(1_000);

    test.each<[string, (path: string) => Promise<void>, string]>([
      ["moved away", (path) => rename(path, `${path}.old`), "moved away or deleted"],
      ["deleted", (path) => rm(path), "moved away or deleted"],
      ["replaced", (path) => rename(path, `${path}.old`).then(() => copyFile(`${path}.old`, path)), "replaced"],
    ])("%s: nothing is written, and no other one is opened or made", async (_how, change, why) => {
      const path = await newPath();
      await using journal = await sqliteJournal({ path, clock, scrub });
      await journal.append(entry());
      await change(path);
      const isThere = existsSync(path);
      const message = expect.stringMatching(`${why}.* since this process opened it`);
      const refusal = { code: "journal.unavailable", message };
      await expect(journal.append(entry())).rejects.toMatchObject(refusal);
      await expect(journal.acquire("key", "me", lease)).rejects.toMatchObject(refusal);
      await expect(sqliteJournal({ path, clock, scrub, file: journal.file })).rejects.toMatchObject(refusal);
      expect(existsSync(path)).toBe(isThere);
      // What had been written is still there to be read.
      expect(await journal.read({})).toEqual([entry()]);
    });

    test("put back, it is used again", async () => {
      const path = await newPath();
      await using journal = await sqliteJournal({ path, clock, scrub });
      await rename(path, `${path}.old`);
      await rename(`${path}.old`, path);
      await journal.append(entry());
      await using again = await sqliteJournal({ path, clock, scrub, file: journal.file });
      expect(await again.read({})).toEqual([entry()]);
    });
  });

  test("a file that is not a database is journal.unavailable and unchanged", async () => {
    const path = `${await newPath()}-text`;
    await using _ = await sqliteJournal({ path: path.replace(/-text$/, ""), clock, scrub });
    await writeFile(path, "my precious notes, longer than the header of a database would be ".repeat(20));
    const size = (await stat(path)).size;
    await expect(sqliteJournal({ path, clock, scrub })).rejects.toThrow("not a database");
    expect((await stat(path)).size).toBe(size);
  });
}

async function runWriter(path: string, job: string, count: number): Promise<{ leased: boolean }> {
  const script = join(import.meta.dirname, "sqlite-writer.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, path, job, String(count)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
}

function dynamoDbTests(settings: MotoSettings, openSettings: (clock: Clock) => Promise<DynamoDbJournalSettings>): void {
  test("two writers never overwrite each other, even if a response is lost", async () => {
    const clock = fakeClock();
    const shared = await openSettings(clock);
    const raw = new DynamoDBClient({ ...settings, retryMode: "standard" });
    let puts = 0;
    raw.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const answer = await next(args);
          if (commandName !== "PutItemCommand" || puts++ > 0) return answer;
          throw Object.assign(new Error("socket hang up"), { code: "ECONNRESET", $retryable: {} });
        },
      { step: "deserialize", priority: "low", name: "loseTheFirstAnswer" },
    );
    const unlucky = dynamoDbJournal({ ...shared, client: DynamoDBDocumentClient.from(raw) });
    await unlucky.append(entry({ data: { from: "unlucky" } }));
    await dynamoDbJournal(shared).append(entry({ data: { from: "other" } }));
    raw.destroy();
    expect(puts).toBe(2);
    const read = await dynamoDbJournal(shared).read({ account: ACCOUNT });
    expect(read.map(({ data }) => data["from"])).toEqual(["unlucky", "other"]);
  });

  test("a lease tells DynamoDB in seconds when to delete it; an entry never does", async () => {
    const clock = fakeClock();
    const shared = await openSettings(clock);
    const journal = dynamoDbJournal(shared);
    await journal.append(entry());
    await journal.acquire("key", "me", millis(1_500));
    const lease = await shared.client.send(
      new GetCommand({ TableName: shared.table, Key: { pk: "lease#key", sk: "lease" } }),
    );
    expect(lease.Item?.["expiresAt"]).toBe(START / 1000 + 2);
    const all = await shared.client.send(new ScanCommand({ TableName: shared.table }));
    expect(all.Items?.filter((item) => JOURNAL_TTL.AttributeName in item)).toHaveLength(1);
  });

  test("a query by kind reads nothing else", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal(shared);
    for (let index = 0; index < 30; index += 1) {
      await journal.append(entry({ at: AT(index), kind: "verdict" }));
      await journal.append(entry({ at: AT(index), kind: index % 3 === 0 ? "claims.seen" : "push.started" }));
    }
    const counting = DynamoDBDocumentClient.from(new DynamoDBClient(settings));
    const scanned: number[] = [];
    counting.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        scanned.push((answer.output as { readonly ScannedCount?: number }).ScannedCount ?? 0);
        return answer;
      },
      { step: "initialize" },
    );
    const counted = dynamoDbJournal({ ...shared, client: counting });
    const kinds = ["claims.seen", "push.started", "toggle.opened"] as const;
    expect((await counted.read({ account: ACCOUNT, kinds, limit: 2 })).map(({ at }) => at)).toEqual([AT(28), AT(29)]);
    expect(scanned.toSorted()).toEqual([0, 2, 2]);
    counting.destroy();
  });

  test("no entry is an item in another kind's place: a role can't plant another role's kinds", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal(shared);
    const kinds = ["claims.seen", "job.requested", "incident.opened", "credentials.rotated", "toggle.opened"] as const;
    for (const kind of kinds) await journal.append(entry({ kind, at: AT(kinds.indexOf(kind)) }));
    const honest = await journal.read({});
    expect(honest.map(({ kind }) => kind)).toEqual(kinds);
    for (const own of kinds)
      for (const kind of kinds) {
        const pk = entryKey(own, ACCOUNT);
        if (pk === entryKey(kind, ACCOUNT)) continue;
        const sk = `999999999999999#${kinds.indexOf(kind)}`;
        const data = JSON.stringify({ planted: true });
        const Item = {
          pk,
          sk,
          kindKey: `${kindPrefix(kind)}${sk}`,
          at: START,
          job: "job-1",
          account: ACCOUNT,
          kind,
          data,
        };
        await shared.client.send(new PutCommand({ TableName: shared.table, Item }));
      }
    for (const query of [{}, { account: ACCOUNT }, { job: "job-1" }, { account: ACCOUNT, job: "job-1" }, { kinds }])
      expect(await journal.read(query)).toEqual(honest);
    expect(await journal.read({ account: ACCOUNT, kinds })).toEqual(honest);
    for (const kind of kinds) expect(await journal.read({ account: ACCOUNT, kinds: [kind], limit: 1 })).toHaveLength(1);
  });

  test("an item that somebody else wrote does not hide others", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal(shared);
    await journal.append(entry({ kind: "claims.seen", data: { name: "APP" } }));
    await journal.append(entry({ kind: "job.finished", data: { outcome: "healthy" } }));
    const broken = [{ data: "{" }, { data: "null" }, {}, { zipped: new Uint8Array([1, 2, 3]) }, { at: "x" }];
    for (const [index, fields] of broken.entries()) {
      const sk = `999999999999999#${index}`;
      const planted = { job: "planted", account: ACCOUNT, kind: "claims.seen", at: START, ...fields };
      const keys = { pk: entryKey("claims.seen", ACCOUNT), sk, kindKey: `claims.seen#${sk}` };
      await shared.client.send(new PutCommand({ TableName: shared.table, Item: { ...keys, ...planted } }));
    }
    const noted = {
      pk: `latest#${OTHER}`,
      sk: "latest",
      at: START,
      account: OTHER,
      kind: "job.finished",
      data: "{",
    };
    await shared.client.send(new PutCommand({ TableName: shared.table, Item: noted }));
    for (const query of [{}, { account: ACCOUNT }, { account: ACCOUNT, kinds: ["claims.seen"] as const }]) {
      const data = (await journal.read(query)).filter(({ job }) => job === "planted").map((it) => it.data);
      expect(data).toEqual([{}, {}, {}, {}, {}]);
    }
    expect((await journal.latest([ACCOUNT, OTHER])).get(ACCOUNT)?.job).toBe("job-1");
  });

  test("a newest job is never replaced by an older one that is noted late", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal(shared);
    await journal.append(entry({ kind: "job.started", job: "new" }));
    await putLatest(shared, entry({ kind: "job.finished", job: "old" }), "000000000000001#00000000");
    expect((await journal.latest([ACCOUNT])).get(ACCOUNT)?.job).toBe("new");
  });

  test("keys that DynamoDB omits are requested again, and missing ones are an error", async () => {
    const shared = await openSettings(fakeClock());
    const accounts = Array.from({ length: 12 }, (_, index) => accountOf(index));
    for (const account of accounts) await dynamoDbJournal(shared).append(entry({ kind: "job.started", account }));
    let gives = 5;
    const raw = new DynamoDBClient(settings);
    raw.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const input = args.input as { RequestItems: Record<string, { Keys: unknown[] }> };
          if (commandName !== "BatchGetItemCommand") return next(args);
          const { Keys = [] } = input.RequestItems[shared.table] ?? {};
          const left = Keys.slice(gives);
          // Empty lists are refused.
          const ask = {
            [shared.table]: { ...input.RequestItems[shared.table], Keys: Keys.slice(0, Math.max(gives, 1)) },
          };
          const answer = await next({ ...args, input: { ...input, RequestItems: ask } });
          const output = answer.output as { Responses?: object; UnprocessedKeys?: object };
          if (gives === 0) output.Responses = {};
          if (left.length > 0) output.UnprocessedKeys = { [shared.table]: { Keys: left } };
          return answer;
        },
      { step: "initialize", priority: "low" },
    );
    const partial = dynamoDbJournal({ ...shared, client: DynamoDBDocumentClient.from(raw) });
    expect((await partial.latest(accounts)).size).toBe(12);
    gives = 0;
    await expect(partial.latest(accounts)).rejects.toMatchObject({ code: "journal.unavailable" });
    raw.destroy();
  });

  test("large data is stored compressed, and read as it was", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal(shared);
    const findings = Array.from({ length: 2_000 }, (_, index) => ({ code: "stream.deaf", index }));
    await journal.append(entry({ data: { verdict: "dead", findings } }));
    expect(await journal.read({ account: ACCOUNT })).toEqual([entry({ data: { verdict: "dead", findings } })]);
    const { Items = [] } = await shared.client.send(new ScanCommand({ TableName: shared.table }));
    expect(Items[0]?.["zipped"].length).toBeLessThan(20_000);
    expect(Items[0]).not.toHaveProperty("data");
  });

  test("data that is still too large is cut and marked; the undo data of a remedy is refused", async () => {
    const journal = dynamoDbJournal(await openSettings(fakeClock()));
    const noise = randomBytes(600_000).toString("base64");
    await journal.append(entry({ data: { verdict: "dead", depth: "deep", noise } }));
    const [stored] = await journal.read({ account: ACCOUNT });
    expect(stored?.data).toMatchObject({
      verdict: "dead",
      depth: "deep",
      cut: { noise: { of: noise.length, kept: String(stored?.data["noise"]).length } },
    });
    expect(noise.startsWith(String(stored?.data["noise"]))).toBe(true);
    for (const key of ["claims", "memory", "undo"])
      await expect(
        journal.append(entry({ kind: "toggle.opened", data: { [key]: noise, note: "x" } })),
      ).rejects.toMatchObject({ code: "journal.entry_too_large", retryable: false });
    expect(await journal.read({ account: ACCOUNT })).toHaveLength(1);
  });

  test("with an age configured, only entries that later runs do not need get a time-to-live", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal({ ...shared, keeps: millis(86_400_500) });
    for (const kind of ["verdict", "job.finished", "claims.seen", "incident.opened"] as const)
      await journal.append(entry({ kind }));
    const { Items = [] } = await shared.client.send(new ScanCommand({ TableName: shared.table }));
    const expiries = Items.map(({ pk, kind, expiresAt }) => [String(pk).split("#")[0], kind, expiresAt]);
    const end = START / 1000 + 86_401;
    expect(expiries.toSorted()).toEqual([
      ["account", "claims.seen", undefined],
      ["account", "job.finished", end],
      ["account", "verdict", end],
      ["incident", "incident.opened", undefined],
      ["known", undefined, undefined],
      ["latest", "job.finished", undefined],
    ]);
  });

  test("DynamoDB accepts the documented time-to-live", async () => {
    const { table, client } = await openSettings(fakeClock());
    await client.send(new UpdateTimeToLiveCommand({ TableName: table, TimeToLiveSpecification: JOURNAL_TTL }));
    const answer = await client.send(new DescribeTimeToLiveCommand({ TableName: table }));
    expect(answer.TimeToLiveDescription?.AttributeName).toBe("expiresAt");
  });

  test("a missing table is journal.unavailable, with its name", async () => {
    const shared = await openSettings(fakeClock());
    const journal = dynamoDbJournal({ ...shared, table: "no-such-table" });
    const error = { code: "journal.unavailable", message: expect.stringContaining("no-such-table") };
    await expect(journal.append(entry())).rejects.toMatchObject(error);
    await expect(journal.read({})).rejects.toMatchObject(error);
    await expect(journal.acquire("key", "me", millis(1))).rejects.toMatchObject(error);
  });
}
