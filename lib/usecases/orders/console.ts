import type { AccountId } from "../../domain/claims/account.ts";
import { openingsOf } from "../../domain/incidents/repeats.ts";
import {
  type EntryKind,
  EVEN_UNPROVED,
  type JournalEntry,
  lastClaims,
  openIncidents,
} from "../../domain/journal/journal.ts";
import type { LastJob } from "../../domain/journal/last-job.ts";
import type { Json, JsonObject } from "../../domain/time/json.ts";
import { epochMillis, isoTime } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Job, Jobs } from "../../ports/jobs.ts";
import type { Journal } from "../../ports/journal.ts";
import { type Context, nameOf, record } from "../context/context.ts";
import { findAccount } from "../observe/inventory.ts";

/** What a console needs: the journal and the queue, but no secret and no connection to NATS. */
export interface ConsoleDependencies {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly journal: Journal;
  readonly jobs: Pick<Jobs, "enqueue">;
  /** The configured accounts. */
  readonly configured: readonly AccountId[];
  readonly settingsOf: Context["settingsOf"];
}

/** A person's order. */
export interface Order {
  /** An id, or a configured name. */
  readonly account: string;
  readonly action: Exclude<Job["action"], "push">;
  readonly reason: string;
  /** The person, as identified by the authorizer; recorded in the journal. */
  readonly actor: string;
}

export interface Ordered {
  readonly account: AccountId;
  readonly correlation: string;
}

/** A page of accounts, ordered by id. */
export interface Page {
  readonly limit: number;
  /** The page begins after this id. */
  readonly after?: string | undefined;
}

/** The requests and orders of a console. */
export interface Console {
  /** The configured accounts with the newest job on each; `next` if there are more. */
  accounts(page: Page): Promise<JsonObject>;
  /** @throws RelightError `account.unknown` */
  account(name: string): Promise<JsonObject>;
  /** The account's id. @throws RelightError `account.unknown` if neither the configuration nor the journal has it */
  find(name: string): Promise<AccountId>;
  /**
   * Records the order, and returns its job for the queue.
   * @param found the order's account, if the caller knows that it exists
   * @throws RelightError `account.unknown`, `journal.unavailable`
   */
  request(order: Order, found?: AccountId): Promise<Job>;
  /** Records the order and queues its job. @throws RelightError `account.unknown`, `queue.unavailable` */
  order(order: Order): Promise<Ordered>;
  /** How an order ended. @throws RelightError `account.unknown`, `request.unknown` */
  ended(name: string, correlation: string): Promise<JsonObject>;
}

/** How many entries to search for an account's jobs and incidents. */
const MOST_SEARCHED = 500;
const ORDERED: readonly EntryKind[] = ["job.requested", "job.started", "job.finished"];
const INCIDENTS: readonly EntryKind[] = ["incident.opened", "incident.resolved"];

export function consoleOf(deps: ConsoleDependencies): Console {
  return {
    accounts: (page) => accountsReport(deps, page),
    account: (name) => accountReport(deps, name),
    find: (name) => knownAccount(deps, name),
    request: (order, found) => request(deps, order, found),
    order: (order) => place(deps, order),
    ended: (name, correlation) => orderReport(deps, name, correlation),
  };
}

/** An account is also known if the journal has its claims or a job on it. */
async function knownAccount(deps: ConsoleDependencies, name: string): Promise<AccountId> {
  const account = await findAccount(deps, name);
  if (deps.configured.includes(account)) return account;
  const [entry] = await deps.journal.read({ account, limit: 1 });
  if (entry !== undefined) return account;
  throw new RelightError("account.unknown", `neither the configuration nor the journal has account ${account}`);
}

async function accountsReport(deps: ConsoleDependencies, { limit, after = "" }: Page): Promise<JsonObject> {
  const rest = [...deps.configured].sort().filter((account) => account > after);
  const page = rest.slice(0, limit);
  const latest = await deps.journal.latest(page);
  const accounts = page.map((id) => ({
    id,
    name: nameOf(deps, id),
    newestJob: lastJobShown(latest.get(id)),
  }));
  return { accounts, next: rest.length > limit ? (page.at(-1) ?? null) : null };
}

/** The newest job with ISO 8601 times. */
function lastJobShown(lastJob: LastJob | undefined): JsonObject | null {
  if (lastJob === undefined) return null;
  const iso = (value: unknown): Json => (typeof value === "number" ? isoTime(epochMillis(value)) : String(value));
  return Object.fromEntries(Object.entries(lastJob).map(([key, value]) => [key, iso(value)]));
}

async function accountReport(deps: ConsoleDependencies, name: string): Promise<JsonObject> {
  const account = await knownAccount(deps, name);
  const read = (kinds: readonly EntryKind[], limit: number) => deps.journal.read({ account, kinds, limit });
  const [verdicts, seen, latest, incidents] = await Promise.all([
    read(["verdict"], 1),
    read(["claims.seen"], 1),
    deps.journal.latest([account]),
    read(INCIDENTS, MOST_SEARCHED),
  ]);
  return {
    id: account,
    name: nameOf(deps, account),
    configured: deps.configured.includes(account),
    verdict: shown(verdicts.at(-1)),
    claims: claimsShown(seen),
    newestJob: lastJobShown(latest.get(account)),
    incidents: openIncidents(incidents).map((key) => incidentShown(incidents, key)),
  };
}

/** An entry for people and programs: its time and data. */
function shown(entry: JournalEntry | undefined): JsonObject | null {
  return entry === undefined ? null : { at: isoTime(entry.at), job: entry.job, ...entry.data };
}

/** JWT ids and times, without the claims, which may contain activation tokens. */
function claimsShown(entries: readonly JournalEntry[]): Json {
  const claims = lastClaims(entries, EVEN_UNPROVED)?.claims;
  if (claims === undefined) return null;
  const { jti, iss, iat, exp, name } = claims;
  return { name: name ?? null, jti, iss, iat, exp: exp ?? null };
}

function incidentShown(entries: readonly JournalEntry[], key: string): JsonObject {
  const openings = openingsOf(entries, key);
  const last = openings.at(-1);
  const { failureClass = null, severity = null, summary = null, delivery = null } = last?.data ?? {};
  const since = openings[0] === undefined ? null : isoTime(openings[0].at);
  return { key, failureClass, severity, summary, delivery, since };
}

/**
 * Records the order first, so the journal has it even if the job never begins. The order's id is the correlation of its job
 * and pages.
 */
async function request(deps: ConsoleDependencies, order: Order, found?: AccountId): Promise<Job> {
  const account = found ?? (await knownAccount(deps, order.account));
  const { action, actor, reason } = order;
  const correlation = deps.newId();
  await record(deps, { id: correlation, account }, "job.requested", { action, actor, reason, correlation });
  return jobOf(account, order, correlation);
}

function jobOf(account: AccountId, { action, actor, reason: why }: Omit<Order, "account">, correlation: string): Job {
  const reason = `${why} (requested by ${actor})`;
  return { account, action, trigger: "manual", reason, correlation, id: correlation };
}

const ACTIONS: Readonly<Record<Order["action"], true>> = { verify: true, renew: true, heal: true, remediate: true };

/** The job of an entry `job.requested`; undefined if it holds none. */
export function orderedJob({ account, job: correlation, data }: JournalEntry): Job | undefined {
  const { action, actor, reason } = data;
  const isKnown = typeof action === "string" && Object.hasOwn(ACTIONS, action);
  if (account === "-" || !isKnown) return undefined;
  return jobOf(
    account,
    { action: action as Order["action"], actor: String(actor), reason: String(reason) },
    correlation,
  );
}

async function place(deps: ConsoleDependencies, order: Order): Promise<Ordered> {
  const job = await request(deps, order);
  await deps.jobs.enqueue(job);
  return { account: job.account, correlation: job.id };
}

async function orderReport(deps: ConsoleDependencies, name: string, correlation: string): Promise<JsonObject> {
  const account = await knownAccount(deps, name);
  const entries = await deps.journal.read({ account, kinds: ORDERED, limit: MOST_SEARCHED });
  const own = entries.filter(({ data }) => data["correlation"] === correlation);
  const started = own.findLast(({ kind }) => kind === "job.started");
  const requested = own.find(({ kind }) => kind === "job.requested");
  if (own.length === 0)
    throw new RelightError("request.unknown", `the journal has no order ${correlation} for account ${account}`);
  const wish = requested ?? started;
  const { action = null, actor = null, reason = null } = wish?.data ?? {};
  const base = {
    account,
    correlation,
    action,
    actor,
    reason,
    requestedAt: requested ? isoTime(requested.at) : null,
  };
  if (started === undefined) return { ...base, state: "requested" };
  const all = await deps.journal.read({ job: started.job });
  const [verdict, finished] = [lastOf(all, "verdict"), lastOf(all, "job.finished")];
  const seen = { startedAt: isoTime(started.at), verdict: shown(verdict) };
  if (finished === undefined) return { ...base, state: "running", ...seen };
  const tried = all.filter(({ kind }) => kind === "rung.finished").map((entry) => shown(entry));
  return { ...base, state: "finished", ...seen, rungs: tried, end: shown(finished) };
}

function lastOf(entries: readonly JournalEntry[], kind: EntryKind): JournalEntry | undefined {
  return entries.findLast((entry) => entry.kind === kind);
}
