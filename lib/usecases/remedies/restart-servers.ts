import { type AccountId, isAccountId } from "../../domain/claims/account.ts";
import { keepsServersDown } from "../../domain/gate/gate-harm.ts";
import { type OpenRestart, openRestart } from "../../domain/journal/open-remedies.ts";
import { isLedIfPossible, serversToRestart } from "../../domain/ladder/restart.ts";
import {
  inOrder,
  objectionsTo,
  type RestartEvidence,
  type RestartOrder,
  restartBlockers,
} from "../../domain/ladder/restart-guard.ts";
import type { ServerFacts } from "../../domain/observation/observation.ts";
import { isoTime } from "../../domain/time/time.ts";
import { clearsItself } from "../../domain/verdict/settling.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import type { Restarter } from "../../ports/remedies.ts";
import { assertNotInterrupted, type Context, mayLose, type RunningJob, record } from "../context/context.ts";
import { withLease } from "../context/lease.ts";
import { type Wait, waitUntil } from "../context/wait-until.ts";
import { provedBy } from "../journal/proof.ts";
import { accountsAtRisk } from "../observe/accounts-at-risk.ts";
import { type Look, lookOnce } from "../observe/look.ts";
import { storedIn } from "../observe/stored.ts";

/**
 * Restarts the servers that hold dead streams or consumers, one at a time, the meta leader last, until the account is
 * healthy. Before each restart the guard must have no objection, and after it this waits until the server is back and
 * everything works. A restart that did not end properly blocks further ones until a person confirms it.
 * @throws RelightError `restart.refused`, `restart.unfinished`, `restart.failed`, `restart.busy`.
 */
export async function restartServers(context: Context, job: RunningJob, seen: Look): Promise<void> {
  const { restarter } = context;
  if (restarter === undefined) throw new RelightError("restart.refused", "no way to restart servers is configured");
  await withLease(context, "restarts", job.id, async (lost) => {
    assertFinished(await openRestartOf(context));
    await assertStartable(context);
    let now = seen;
    const restarted = new Set<string>();
    for (;;) {
      const candidates = serversToRestart(now.observation).filter((server) => !restarted.has(server));
      if (candidates.length === 0 || now.verdict.health === "healthy") return;
      // A mirror or source whose origin was restarted resumes by itself a moment later.
      if (restarted.size > 0 && clearsItself(now.verdict)) return;
      assertNotInterrupted(context, { ...job, lost: AbortSignal.any([job.lost, lost]) });
      const next = await chooseServer(context, job, candidates);
      await restartOne(context, job, restarter, next);
      restarted.add(next);
      now = await lookWhenLed(context, job, now);
    }
  });
}

/**
 * Checks once the account's own streams have leaders again, as far as possible, because restarting another server during
 * their election could take away a replica that they need.
 */
async function lookWhenLed(context: Context, { account }: RunningJob, before: Look): Promise<Look> {
  let seen = before;
  const areLed = async (): Promise<boolean> => {
    seen = await lookOnce(context, account);
    const { streams } = seen.observation;
    return streams.ok && streams.value.every(isLedIfPossible);
  };
  // A stream without a leader may need the next server's restart too.
  await waitUntil(context.clock, areLed, context.timing.streamsLed);
  return seen;
}

/** The first server that may be restarted. @throws RelightError `restart.refused` if none may within the wait. */
async function chooseServer(context: Context, { account }: RunningJob, candidates: readonly string[]): Promise<string> {
  const orders = candidates.map((server) => ({
    ...orderFor(context, account, server),
    others: candidates.filter((other) => other !== server),
  }));
  return waitUntilClear(context, orders, {
    ...context.timing.restartAllowed,
    judge: objectionsTo,
    code: "restart.refused",
  });
}

async function restartOne(context: Context, job: RunningJob, restarter: Restarter, name: string): Promise<void> {
  const before = await context.probes.servers();
  const server = before.find((candidate) => candidate.name === name);
  if (server === undefined) throw new RelightError("restart.refused", `${name} no longer answers`);
  const { id, version } = server;
  await recordRestart(context, job.id, "restart.opened", { server: name, id, version, for: job.account });
  context.log.info("restarting a server", { server: name, account: job.account });
  await carryOut(context, job, restarter, server);
  await waitForReturn(context, server, before);
  const order = orderFor(context, job.account, name);
  await waitUntilClear(context, [order], {
    ...context.timing.serverBack,
    judge: restartBlockers,
    code: "restart.unfinished",
  });
  await recordRestart(context, job.id, "restart.closed", { server: name });
}

/** If a restart certainly did not begin, closes it in the journal, so no person needs to confirm it. */
async function carryOut(
  context: Context,
  job: RunningJob,
  restarter: Restarter,
  { id, name }: ServerFacts,
): Promise<void> {
  try {
    await restarter.restart({ id, name });
  } catch (thrown) {
    const error = asRelightError(thrown);
    if (error.details["begun"] === false)
      await recordRestart(context, job.id, "restart.closed", { server: name, begun: false });
    throw error;
  }
}

function orderFor(context: Context, account: AccountId, server: string): RestartOrder {
  return { server, account, allowMemoryLoss: mayLose(context, account) };
}

export async function openRestartOf(
  context: Pick<Context, "journal" | "codec" | "operator">,
): Promise<OpenRestart | undefined> {
  const kinds = ["restart.opened", "restart.closed"] as const;
  return openRestart(await context.journal.read({ account: "-", kinds }), provedBy(context));
}

function assertFinished(open: OpenRestart | undefined): void {
  if (open === undefined) return;
  const message = `the restart of ${open.server} at ${isoTime(open.at)} did not finish`;
  throw new RelightError("restart.unfinished", message, { details: { server: open.server, job: open.job } });
}

/** @throws RelightError `restart.refused` if a restarted server could not start again. */
async function assertStartable({ operator: { systemAccount }, resolver }: Context): Promise<void> {
  if (systemAccount === undefined || !isAccountId(systemAccount)) return;
  const stored = await storedIn(resolver, systemAccount);
  const running = (await resolver.running(systemAccount)).flatMap((it) => (it.loaded ? [it.document] : []));
  const all = [...running, ...(stored.kept && stored.jwt !== undefined ? [stored.jwt.document] : [])];
  if (!all.some(({ claims }) => keepsServersDown(systemAccount, systemAccount, claims))) return;
  const message = "the system account's claims give it JetStream, so a restarted server could not start again";
  throw new RelightError("restart.refused", message);
}

/**
 * Waits until a server with that name and another id answers, because a server gets a new id at each start. Also waits
 * until all former servers answer, because a server that has just started may see only itself.
 */
async function waitForReturn(
  context: Context,
  { name, id }: ServerFacts,
  before: readonly ServerFacts[],
): Promise<void> {
  let missing: readonly string[] = [name];
  const isBack = async (): Promise<boolean> => {
    try {
      await context.reopen();
      const seen = await context.probes.servers();
      const isThere = (wanted: string): boolean =>
        seen.some((server) => server.name === wanted && (wanted !== name || (server.id !== id && server.jetstream)));
      missing = before.map((server) => server.name).filter((wanted) => !isThere(wanted));
      return missing.length === 0;
    } catch (thrown) {
      // While it is away even the connection may be refused; only permanent errors end the wait.
      if (asRelightError(thrown).retryable) return false;
      throw thrown;
    }
  };
  const { serverBack } = context.timing;
  if (await waitUntil(context.clock, isBack, serverBack)) return;
  const message = `${name} was restarted, but ${missing.join(", ")} did not answer within ${serverBack.timeout / 1000} s`;
  throw new RelightError("restart.unfinished", message);
}

interface ClearanceWait extends Wait {
  readonly judge: typeof objectionsTo;
  readonly code: "restart.refused" | "restart.unfinished";
}

/** Waits until there is no objection to one of the orders, and returns its server. Otherwise throws with all objections. */
async function waitUntilClear(
  context: Context,
  orders: readonly RestartOrder[],
  { judge, code, ...wait }: ClearanceWait,
): Promise<string> {
  let chosen: string | undefined;
  let objections: readonly string[] = [];
  const isClear = async (): Promise<boolean> => {
    // All of them hold streams of the same domain.
    const evidence = await gatherEvidence(context, orders[0]?.server);
    const judged = inOrder(orders, evidence).map((order) => ({
      ...order,
      objections: judge(order, evidence),
    }));
    chosen = judged.find((order) => order.objections.length === 0)?.server;
    objections = [...new Set(judged.flatMap((order) => order.objections))];
    return chosen !== undefined;
  };
  await waitUntil(context.clock, isClear, wait);
  if (chosen !== undefined) return chosen;
  const servers = orders.map(({ server }) => server).join(", ");
  throw new RelightError(code, `${servers}: ${objections.join("; ")}`, {
    details: { objections: [...objections] },
  });
}

/** Gathers evidence for the guard. Each JetStream domain has its own meta group; the server's counts. */
export async function gatherEvidence(context: Context, server: string | undefined): Promise<RestartEvidence> {
  const { probes } = context;
  const servers = await probes.servers();
  const domain = servers.find(({ name }) => name === server)?.domain;
  const [meta, hosted] = await Promise.all([probes.meta(domain), probes.hosted()]);
  return { at: context.clock.now(), servers, meta, hosted, atRisk: await accountsAtRisk(context, hosted) };
}

export async function recordRestart(
  context: Context,
  id: string,
  kind: "restart.opened" | "restart.closed",
  data: { readonly [key: string]: string | boolean },
): Promise<void> {
  await record(context, { id, account: "-" }, kind, data);
}
