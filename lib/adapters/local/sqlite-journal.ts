import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import pRetry from "p-retry";
import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import {
  type EntryKind,
  EXPIRING_KINDS,
  type JournalEntry,
  MAKES_KNOWN,
  nameSeen,
} from "../../domain/journal/journal.ts";
import { type LastJob, lastJobOf } from "../../domain/journal/last-job.ts";
import { entryData, type JsonObject } from "../../domain/time/json.ts";
import { type EpochMillis, epochMillis, type Millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Journal, JournalledAccount, JournalQuery } from "../../ports/journal.ts";
import type { Leases } from "../../ports/leases.ts";
import { groupCommit } from "./group-commit.ts";
import { assertSameFile, type FileIdentity, identityOf, makeFile, makeFolder } from "./open-file.ts";

/** How long to wait while another process writes, in milliseconds. */
const BUSY_TIMEOUT = 5_000;

const IS_KNOWN = `kind IN (${MAKES_KNOWN.map((kind) => `'${kind}'`).join(", ")})`;

/** Triggers keep the journal append-only for every program; `seq` is the order of appending. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS journal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    job TEXT NOT NULL,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS journal_by_account ON journal (account, seq);
  CREATE INDEX IF NOT EXISTS journal_by_job ON journal (job, seq);
  CREATE INDEX IF NOT EXISTS journal_by_age ON journal (kind, at);
  CREATE INDEX IF NOT EXISTS journal_of_accounts ON journal (account, seq) WHERE ${IS_KNOWN};
  CREATE TRIGGER IF NOT EXISTS journal_never_changes BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS journal_never_forgets BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TRIGGER IF NOT EXISTS journal_never_replaces BEFORE INSERT ON journal
    WHEN EXISTS (SELECT 1 FROM journal WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
  CREATE TABLE IF NOT EXISTS leases (
    key TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
  ) STRICT;
`;

const APPEND = "INSERT INTO journal (at, job, account, kind, data) VALUES (?, ?, ?, ?, ?)";

const ACQUIRE = `
  INSERT INTO leases (key, holder, until) VALUES (:key, :holder, :until)
  ON CONFLICT (key) DO UPDATE SET holder = excluded.holder, until = excluded.until
  WHERE leases.holder = excluded.holder OR leases.until <= :now
`;

export interface SqliteJournalSettings {
  /** The database file; its folder is created if missing. */
  readonly path: string;
  /** For the expiry of leases. */
  readonly clock: Clock;
  /** Redacts an entry's data before it is stored. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long to keep entries that no later run needs, applied when the journal is opened; forever by default. */
  readonly keeps?: Millis | undefined;
  /** The file that it must be, because this process opened it before: then nothing is created. */
  readonly file?: FileIdentity | undefined;
}

export interface SqliteJournal extends Journal, Leases, AsyncDisposable {
  readonly file: FileIdentity;
}

/**
 * The journal and the leases in one SQLite file, readable only by its owner. Several processes may use it at once. Each
 * entry is on disk when `append` returns; what is appended and leased at once shares a transaction. Once the
 * file is no longer the one at `path`, nothing is written any more, because the next process would not find it.
 * @throws RelightError `journal.unavailable` naming the file.
 */
export async function sqliteJournal(settings: SqliteJournalSettings): Promise<SqliteJournal> {
  const { path, clock, scrub, keeps } = settings;
  const attempt = <T>(work: () => T): T => attemptAt(path, work);
  const { database, file } = await openWithRetry(() => attempt(() => openDatabase(path, settings.file)));
  if (keeps !== undefined) attempt(() => forget(database, epochMillis(clock.now() - keeps)));
  const statement = statementsOf(database);
  const group = groupCommit(database);
  const write = <T>(work: () => T): Promise<T> =>
    group.write(work).catch((cause: unknown) => {
      throw unavailable(path, cause);
    });
  const writeHere = async <T>(work: () => T): Promise<T> => {
    attempt(() => assertSameFile(path, file));
    return write(work);
  };
  return {
    file,
    append: async ({ at, job, account, kind, data }) => {
      const text = JSON.stringify(scrub(data));
      await writeHere(() => statement(APPEND).run(at, job, account, kind, text));
    },
    read: async (query) => attempt(() => select(statement, query)),
    accounts: () => accountsIn(database, attempt),
    latest: async (accounts) => attempt(() => latest(statement, accounts)),
    acquire: (key, holder, lasts) =>
      writeHere(() => {
        const now = clock.now();
        const lease = { ":key": key, ":holder": holder, ":until": now + lasts, ":now": now };
        return statement(ACQUIRE).run(lease).changes === 1;
      }),
    heldUntil: async (key) => {
      const row = attempt(() => statement("SELECT until FROM leases WHERE key = ?").get(key));
      const until = Number(row?.["until"] ?? 0);
      return until > clock.now() ? epochMillis(until) : undefined;
    },
    release: async (key, holder) => {
      await write(() => statement("DELETE FROM leases WHERE key = ? AND holder = ?").run(key, holder));
    },
    [Symbol.asyncDispose]: async () => {
      if (!database.isOpen) return;
      group.flush();
      attempt(() => database.close());
    },
  };
}

/** A statement of this text, prepared at its first use. There are few texts. */
type Statements = (text: string) => StatementSync;

function statementsOf(database: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>();
  return (text) => {
    const known = prepared.get(text) ?? database.prepare(text);
    prepared.set(text, known);
    return known;
  };
}

/**
 * Retries opening: if several processes open a new file at once, one turns on the write-ahead log, and SQLite reports
 * "locked" to the others immediately, whatever the timeout.
 */
function openWithRetry<T>(open: () => T): Promise<T> {
  const shouldRetry = ({ error }: { error: Error }) => isBusy(error.cause);
  const pauses = { minTimeout: 10, maxTimeout: 250, randomize: true, maxRetryTime: 2 * BUSY_TIMEOUT };
  return pRetry(open, { retries: 20, ...pauses, shouldRetry });
}

/** SQLITE_BUSY, or one of its extended codes, which have it as their low byte. */
function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode !== undefined && (errcode & 0xff) === 5;
}

function openDatabase(
  path: string,
  known?: FileIdentity,
): { readonly database: DatabaseSync; readonly file: FileIdentity } {
  if (known === undefined) makeFolder(dirname(path));
  else assertSameFile(path, known);
  makeFile(path);
  const file = known ?? identityOf(path);
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT });
  try {
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    assertSameFile(path, file);
    return { database, file };
  } catch (cause) {
    database.close();
    throw cause;
  }
}

const JOB_KINDS = "'job.started', 'job.finished'";
/** Keeps an account's newest job entry, however old it is. */
const EXPIRED = `
  kind IN (${EXPIRING_KINDS.map((kind) => `'${kind}'`).join(", ")}) AND at < ? AND (kind NOT IN (${JOB_KINDS}) OR EXISTS (
    SELECT 1 FROM journal AS newer
    WHERE newer.account = journal.account AND newer.seq > journal.seq AND newer.kind IN (${JOB_KINDS})
  ))
`;

/** Drops the trigger that forbids deletion within this transaction, invisibly to other processes. */
function forget(database: DatabaseSync, before: EpochMillis): void {
  if (database.prepare(`SELECT 1 FROM journal WHERE ${EXPIRED} LIMIT 1`).get(before) === undefined) return;
  database.exec("BEGIN IMMEDIATE; DROP TRIGGER IF EXISTS journal_never_forgets;");
  try {
    database.prepare(`DELETE FROM journal WHERE ${EXPIRED}`).run(before);
    database.exec(`${SCHEMA} COMMIT;`);
  } catch (cause) {
    database.exec("ROLLBACK");
    throw cause;
  }
}

function select(statement: Statements, query: JournalQuery): readonly JournalEntry[] {
  const { account, job, kinds, limit = -1 } = query;
  const conditions: [string, readonly SQLInputValue[]][] = [];
  if (account !== undefined) conditions.push(["account = ?", [account]]);
  if (job !== undefined) conditions.push(["job = ?", [job]]);
  if (kinds !== undefined) conditions.push([`kind IN (${kinds.map(() => "?").join(", ")})`, kinds]);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.map(([text]) => text).join(" AND ")}`;
  const rows = statement(`SELECT at, job, account, kind, data FROM journal ${where} ORDER BY seq DESC LIMIT ?`).all(
    ...conditions.flatMap(([, values]) => values),
    limit,
  );
  return rows.map(entryOf).reverse();
}

/** Jumps from one account to the next. The index has only entries that make an account known. */
const NEXT_ACCOUNT = `
  SELECT account FROM journal INDEXED BY journal_of_accounts
  WHERE ${IS_KNOWN} AND account > ? ORDER BY account LIMIT 1
`;
const NEWEST_KNOWN = `
  SELECT kind, data FROM journal INDEXED BY journal_of_accounts
  WHERE ${IS_KNOWN} AND account = ? AND (kind = ? OR ? IS NULL) ORDER BY seq DESC LIMIT 1
`;

async function* accountsIn(database: DatabaseSync, attempt: <T>(work: () => T) => T): AsyncIterable<JournalledAccount> {
  const next = attempt(() => database.prepare(NEXT_ACCOUNT));
  const newest = attempt(() => database.prepare(NEWEST_KNOWN));
  for (let account = ""; ; ) {
    const row = attempt(() => next.get(account));
    if (row === undefined) return;
    account = String(row["account"]);
    const last = attempt(() => newest.get(account, null, null));
    const seen =
      last?.["kind"] === "claims.seen" ? last : attempt(() => newest.get(account, "claims.seen", "claims.seen"));
    const name = seen === undefined ? "" : nameSeen(entryData(String(seen["data"])));
    if (isAccountId(account)) yield { account, name, forgotten: last?.["kind"] === "account.forgotten" };
  }
}

const LATEST = `
  SELECT at, job, account, kind, data FROM journal
  WHERE account = ? AND kind IN ('job.started', 'job.finished') ORDER BY seq DESC LIMIT 1
`;

/** Reads an account's entries backwards, because the newest job is among the last few. */
function latest(statement: Statements, accounts: readonly AccountId[]): ReadonlyMap<AccountId, LastJob> {
  const query = statement(LATEST);
  const found = new Map<AccountId, LastJob>();
  for (const account of accounts) {
    const row = query.get(account);
    const lastJob = row === undefined ? undefined : lastJobOf(entryOf(row));
    if (lastJob !== undefined) found.set(account, lastJob);
  }
  return found;
}

/** Types are known, because the columns are STRICT and only this file writes them. */
function entryOf(row: Readonly<Record<string, unknown>>): JournalEntry {
  return {
    at: epochMillis(Number(row["at"])),
    job: String(row["job"]),
    account: String(row["account"]) as AccountId | "-",
    kind: String(row["kind"]) as EntryKind,
    data: entryData(String(row["data"])),
  };
}

function attemptAt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw unavailable(path, cause);
  }
}

function unavailable(path: string, cause: unknown): RelightError {
  const message = `the journal ${path} can't be used: ${(cause as Error).message}`;
  return new RelightError("journal.unavailable", message, { cause, details: { path } });
}
