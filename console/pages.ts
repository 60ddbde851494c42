import { setImmediate } from "node:timers/promises";
import pMap from "p-map";
import { type AccountId, isAccountId } from "../lib/domain/claims/account.ts";
import { renewalWindow } from "../lib/domain/expiry/expiry.ts";
import { textOf } from "../lib/domain/incidents/classes.ts";
import type { OpenIncident } from "../lib/domain/incidents/open-incidents.ts";
import { RUNBOOK } from "../lib/domain/incidents/page-text.ts";
import { EVEN_UNPROVED, lastClaims } from "../lib/domain/journal/journal.ts";
import { lastJobOf } from "../lib/domain/journal/last-job.ts";
import type { Health } from "../lib/domain/verdict/verdict.ts";
import { openIncidentsIn, readHistory } from "../lib/usecases/reports/account-history.ts";
import { countHealths, type FleetRow, fleetPage, takeFleet, withJob } from "../lib/usecases/reports/fleet.ts";
import { fleetCache } from "./fleet-cache.ts";
import type { PageContext } from "./guard.ts";
import type { KnownAccounts } from "./known-accounts.ts";
import type { ConsoleSettings } from "./settings.ts";
import { show } from "./show.ts";
import { accountView } from "./views/account.ts";
import { axisOf, fittingSpan, isSpan } from "./views/axis.ts";
import { type FleetLine, fleetView } from "./views/fleet.ts";
import { plain } from "./views/layout.ts";

/** Answers a request for a page. */
type Page = (context: PageContext) => Promise<Response>;

export interface Pages {
  readonly fleet: Page;
  readonly account: Page;
}

/** Accounts on a page. */
const PAGE = 50;
const AT_ONCE = 8;
/** Seconds between two updates of a page by its script. */
const REFRESHES = 15;
/** Entries that the timeline is made of: at first, and at most. */
const ENTRIES = 300;
const MOST_ENTRIES = 3_000;

export function pagesOf(settings: ConsoleSettings, known: KnownAccounts): Pages {
  const { app } = settings;
  const configuredName = (account: AccountId): string => app.nameOf(account);
  const deps = {
    journal: app.journal,
    configured: app.configured,
    nameOf: configuredName,
    breathe: () => setImmediate(undefined),
  };
  const cache = fleetCache(
    async (before) => takeFleet({ ...deps, listed: await known.listed() }, app.clock.now(), before),
    () => app.clock.now(),
  );
  return {
    fleet: async (context) => {
      const now = app.clock.now();
      const fleet = await cache.fleet();
      const query = readQuery(context);
      const page = fleetPage(fleet, query, { page: query.page, size: PAGE, now });
      const lines = await linesOf(settings, page.rows);
      const expiries = lines.flatMap(({ row }) => row.last?.expiresAt ?? []);
      const axis = axisOf(query.span ?? fittingSpan(expiries, now), now);
      const counts = countHealths(fleet, now);
      const incidents = await openIncidentsIn(app.journal, "-");
      const shown = { gap: known.gap, query, page, lines, axis, counts, incidents, runbookOf: runbookOf(settings) };
      const body = fleetView({ ...shown, storms: fleet.storms, at: fleet.at, now });
      return show(settings, context, { title: "Accounts", refreshes: REFRESHES, body });
    },
    account: async (context) => showAccount(settings, known, context),
  };
}

const HEALTHS: readonly Health[] = ["dead", "unknown", "degraded", "healthy"];
/** The longest text to search for. */
const LONGEST_SEARCH = 100;

/** Whatever somebody typed into the address: what makes no sense is left out. */
function readQuery({ req }: PageContext) {
  const { verdict, q: search = "", page = "1", span } = req.query();
  return {
    health: HEALTHS.find((health) => health === verdict),
    search: search.slice(0, LONGEST_SEARCH).toWellFormed(),
    page: /^\d{1,6}$/.test(page) ? Number(page) : 1,
    span: isSpan(span) ? span : undefined,
  };
}

/** The rows of a page, read again: the list may be some seconds old. */
function linesOf({ app }: ConsoleSettings, rows: readonly FleetRow[]): Promise<readonly FleetLine[]> {
  const latest = app.journal.latest(rows.map(({ account }) => account));
  return pMap(
    rows,
    async (row): Promise<FleetLine> => {
      const { account } = row;
      const now = await withLastEnd(app.journal, withJob(row, (await latest).get(account)));
      const [incident] = await openIncidentsIn(app.journal, account);
      const claims = lastClaims(await app.journal.read({ account, kinds: ["claims.seen"], limit: 1 }), EVEN_UNPROVED);
      const { blackouts } = app.policyOf(account, claims?.claims);
      return { row: now, incident: incident && describeIncident(incident), blackouts };
    },
    { concurrency: AT_ONCE },
  );
}

/** Where the runbook explains a class. */
const runbookOf =
  ({ app }: ConsoleSettings) =>
  (failureClass: string): string =>
    (app.links.runbook ?? RUNBOOK).replaceAll("{class}", encodeURIComponent(failureClass));

const describeIncident = ({ classes, last }: OpenIncident): string =>
  `${last === undefined ? "waits" : "incident"}: ${classes.map((one) => textOf(one).title).join(", ")}`;

/** While a job runs, its predecessor's end says how the account is. */
async function withLastEnd(journal: ConsoleSettings["app"]["journal"], row: FleetRow): Promise<FleetRow> {
  if (row.last !== undefined || row.runningSince === undefined) return row;
  const [entry] = await journal.read({ account: row.account, kinds: ["job.finished"], limit: 1 });
  if (entry === undefined) return row;
  const { last } = withJob(row, lastJobOf(entry));
  return last === undefined ? row : { ...row, last };
}

async function showAccount(settings: ConsoleSettings, known: KnownAccounts, context: PageContext): Promise<Response> {
  const { app } = settings;
  const text = context.req.param("account") ?? "";
  const account = await known.find(text);
  if (!isAccountId(text)) return context.redirect(`/account/${account}`, 303);
  const limit = Math.min(MOST_ENTRIES, Math.max(ENTRIES, Number(context.req.query("entries")) || ENTRIES));
  const now = app.clock.now();
  const history = await readHistory(app.journal, account, limit);
  const name = await known.nameOf(account);
  const row = await withLastEnd(app.journal, withJob({ account, name }, history.newest));
  const policy = app.policyOf(account, history.claims);
  const body = accountView({
    account,
    name,
    row,
    history,
    window: history.claims && renewalWindow(history.claims, policy),
    isManual: policy.manual || (row.last?.opensAt !== undefined && row.last.renewAt === undefined),
    blackouts: policy.blackouts,
    now,
    mayAct: context.get("person").role === "operator",
    runbookOf: runbookOf(settings),
    more: history.isCut && limit < MOST_ENTRIES ? `/account/${account}?entries=${limit * 3}` : undefined,
  });
  return show(settings, context, { title: plain(name || account, 60), refreshes: REFRESHES, body });
}
