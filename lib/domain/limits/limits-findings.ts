import type { AccountClaims } from "../claims/claims.ts";
import { loaded } from "../claims/claims-in-force.ts";
import type { Observation, StreamFacts } from "../observation/observation.ts";
import { defined } from "../time/defined.ts";
import { formatSize } from "../time/sizes.ts";
import { sumsStreamLimit } from "../verdict/defects.ts";
import { failedProbe, finding } from "../verdict/findings.ts";
import type { Finding, Warning } from "../verdict/verdict.ts";
import { connectionRefusal, connectionUse } from "./connection-use.ts";
import { claimsOn, nameForShell, raisingCommands } from "./fit.ts";
import { enablesJetStream, hasTiers, limitsOf } from "./jetstream-limits.ts";
import { storageOf } from "./limit-changes.ts";
import { type LimitProblem, limitProblems, NEAR, someOf } from "./limit-usage.ts";
import type { LimitsRoom, ServerCapacity } from "./server-use.ts";
import { type TierEvidence, unprovedStreams } from "./tier-proof.ts";

/**
 * JetStream may listen on every subject and still refuse messages because a limit is used up. Each finding names the
 * limit, its usage, and the command that raises it.
 */
export function limitFindings(observation: Observation, evidence: TierEvidence = {}): Finding[] {
  // An expired account accepts nothing anyway.
  if (loaded(observation).some(({ expired }) => expired)) return [];
  return [
    ...connectionFindings(observation),
    ...problemsOf(observation).flatMap(({ problem, claims }) => refusal(problem, claims)),
    ...outsideTiers(observation),
    ...unprovedTiers(observation, evidence),
    ...fullServers(observation),
  ];
}

/** Limits that are nearly reached, or that only prevent new streams or consumers. */
export function limitWarnings(observation: Observation): readonly Warning[] {
  return [
    ...nearConnections(observation),
    ...problemsOf(observation).flatMap(({ problem, claims }) => warning(problem, claims)),
    ...streamsOf(observation).flatMap(fullStream),
    ...nearServers(observation),
  ];
}

const streamsOf = ({ streams }: Observation): readonly StreamFacts[] => (streams.ok ? streams.value : []);

interface Found {
  readonly problem: LimitProblem;
  readonly claims: AccountClaims;
}

/** Servers that run different claims may have different limits. Equal problems are reported once. */
function problemsOf(observation: Observation): readonly Found[] {
  const { accountView: view, servers } = observation;
  const counting = {
    ...(view.ok === true ? { reported: view.value.info.limits } : {}),
    sumsStreamLimit: servers.some(({ version, jetstream }) => jetstream && sumsStreamLimit(version)),
  };
  const enabling = claimsOn(observation).filter(enablesJetStream);
  const found = enabling.flatMap((claims) =>
    limitProblems(limitsOf(claims), streamsOf(observation), counting).map((problem) => ({ problem, claims })),
  );
  return [...new Map(found.map((one) => [one.problem.message, one])).values()];
}

function refusal(problem: LimitProblem, claims: AccountClaims): Finding[] {
  const { kind, claim, tier, used, limit, refused, refusesAll, message } = problem;
  if (refused.length === 0) return [];
  const raise = raisingCommands([problem], claims);
  const evidence = { probe: "JSZ", claim, used, limit, streams: refused, raise: problem.options, ...defined({ tier }) };
  if (kind === "no-tier") {
    const why = `${message}: servers refuse every message to ${refused.length === 1 ? "it" : "them"} (10120)`;
    return [finding("limit.no_tier", "dead", {}, why, evidence, `${raise} adds it`)];
  }
  const what = used >= limit ? "every message" : "messages of average size";
  const why = `${message}; servers refuse ${what} to ${someOf(refused)} (10002)`;
  return [finding("limit.storage", refusesAll ? "dead" : "degraded", {}, why, evidence, `${raise} raises it`)];
}

function warning(problem: LimitProblem, claims: AccountClaims): Warning[] {
  const { kind, message, refused } = problem;
  if (refused.length > 0) return [];
  const code = kind === "near" ? "limit.near" : "limit.reached";
  const change = problem.claim === "max_bytes_required" ? "turns it off" : "raises it";
  return [{ code, subject: {}, message: `${message}; ${raisingCommands([problem], claims)} ${change}` }];
}

/**
 * Streams that exist when flat limits become tiers count in none of them until each is updated or its servers restart
 * (nats-server #2971; tested on 2.9.10, 2.10.27, 2.15.1). Servers report this only to the account itself.
 */
function outsideTiers(observation: Observation): Finding[] {
  const { accountView: view } = observation;
  const tiered = claimsOn(observation).find((claims) => hasTiers(limitsOf(claims)));
  const outside = view.ok === true ? view.value.info.limits[""] : undefined;
  if (tiered === undefined || outside === undefined || !isUsed(outside)) return [];
  const held = outside.memory.used + outside.file.used;
  const message = `streams that were created under flat limits count in none of the tiers (${formatSize(held)} with every replica): servers refuse their messages (10120, nats-server #2971) until each stream is updated once or its servers restart`;
  const evidence = {
    probe: "$JS.API.INFO",
    held,
    ...defined({ streams: outside.streams }),
  };
  return [finding("limit.outside_tiers", "dead", {}, message, evidence, MOVE(tiered))];
}

/** Whether the streams count in a tier was not asked, and nothing else proves it: unknown is not healthy. */
function unprovedTiers(observation: Observation, evidence: TierEvidence): Finding[] {
  const unproved = unprovedStreams(observation, evidence);
  if (unproved.length === 0) return [];
  const { accountView: view, domain } = observation;
  const names = unproved.map(({ name }) => name);
  const isElsewhere = unproved.every((stream) => stream.domain !== domain);
  const why = isElsewhere
    ? "Relight asks the account only in its own JetStream domain"
    : view.ok === "not-asked"
      ? view.why
      : "the account was not asked";
  const message = `limits by tier are in force, and nothing proves that ${someOf(names)} ${names.length === 1 ? "counts" : "count"} in one (${why}): servers refuse the messages of streams that are older than the tiers (10120, nats-server #2971)`;
  const isKeyMissing = !isElsewhere && view.ok === "not-asked" && view.noKey === true;
  const advice = isKeyMissing
    ? `configure the account's \`signingKey\` (accounts[].signingKey), for one check at least: then Relight sees it, and \`relight heal\` updates them; or ${UPDATED}`
    : UPDATED;
  return [finding("limit.tiers_unproven", "unknown", {}, message, { probe: "$JS.API.INFO", streams: names }, advice)];
}

/** An update alone can't be seen, because it may change nothing in the end. */
const UPDATED =
  "update each stream once as the account: then its next message proves a stream of one replica, and a restart of its servers any other";

const MOVE = (claims: AccountClaims): string => `\`relight heal ${nameForShell(claims)}\` updates them`;

const isUsed = ({ memory, file, streams = 0 }: LimitsRoom): boolean => memory.used + file.used > 0 || streams > 0;

function connectionFindings({ running, accountView }: Observation): Finding[] {
  const refusal = connectionRefusal(running);
  if (refusal === undefined) return [];
  if (refusal.kind === "locked")
    return [finding("limit.locked", "dead", {}, refusal.message, { probe: "ACCOUNT.INFO" })];
  const evidence = { probe: "ACCOUNT.INFO", used: refusal.used ?? 0, limit: refusal.limit ?? 0 };
  // If Relight could connect as the account, its own connection was the last one.
  if (accountView.ok === true) return [];
  const message = `${refusal.message}: servers refuse further clients, and Relight can't check or heal as the account`;
  const advice =
    "raise `conn` in its claims (nsc edit account --conns, then relight push FILE --allow-changes), or close connections";
  return [finding("limit.connections", "degraded", {}, message, evidence, advice)];
}

function nearConnections({ running }: Observation): Warning[] {
  const use = connectionUse(running);
  if (use === undefined || use.used < use.limit * NEAR || use.used >= use.limit) return [];
  const message = `${use.used} of ${use.limit} connections (conn) are in use; raise \`conn\` in the account's claims`;
  return [{ code: "limit.near", subject: {}, message }];
}

function fullStream({ name: stream, config, messages, bytes }: StreamFacts): Warning[] {
  if (config["discard"] !== "new") return [];
  const [maxMessages, maxBytes] = [storageOf(config["max_msgs"]), storageOf(config["max_bytes"])];
  const next = messages > 0 ? bytes / messages : 0;
  const at =
    maxMessages > 0 && messages >= maxMessages
      ? `max_msgs (${maxMessages})`
      : maxBytes > 0 && bytes + next > maxBytes
        ? `max_bytes (${formatSize(maxBytes)})`
        : undefined;
  if (at === undefined) return [];
  const message = `stream ${stream} has reached its ${at} and refuses new messages, as configured (discard: new)`;
  return [{ code: "stream.full", subject: { stream }, message }];
}

const STORAGES = {
  file: { limit: "max_file", what: "streams on disk" },
  memory: { limit: "max_mem", what: "streams in memory" },
} as const;

interface ServerUse {
  readonly capacity: ServerCapacity;
  readonly storage: StreamFacts["storage"];
  /** Whether a stream of this account and storage has its leader there, not only a replica. */
  readonly leads: boolean;
}

/** Storage usage of the servers that hold streams of the account. */
function serverUses(observation: Observation): readonly ServerUse[] {
  const { capacities } = observation;
  if (capacities === undefined || !capacities.ok) return [];
  return capacities.value.flatMap((capacity) =>
    (["file", "memory"] as const).flatMap((storage) => {
      const streams = streamsOf(observation).filter((stream) => stream.storage === storage);
      const leads = streams.some(({ server }) => server === capacity.server);
      const holds = streams.some(({ peers }) => peers.some(({ name }) => name === capacity.server));
      return leads || holds ? [{ capacity, storage, leads }] : [];
    }),
  );
}

function fullServers(observation: Observation): Finding[] {
  const { capacities } = observation;
  const unseen = capacities?.ok === false ? [failedProbe("what the servers store", capacities)] : [];
  // A server accepts the message that exceeds the limit, and refuses the next.
  const full = serverUses(observation).filter(
    ({ capacity, storage }) => capacity.used[storage] > capacity.max[storage],
  );
  const found = full.map(({ capacity: { server, used, max }, storage, leads }) => {
    const { limit, what } = STORAGES[storage];
    const message = `${server} stores ${formatSize(used[storage])} of ${what} of all accounts, and its ${limit} is ${formatSize(max[storage])}: it refuses every message to them (10023)`;
    const advice = `delete data, or raise ${limit} in its configuration and restart it`;
    const evidence = { probe: "JSZ", used: used[storage], limit: max[storage] };
    return finding("limit.server_storage", leads ? "dead" : "degraded", { server }, message, evidence, advice);
  });
  return [...unseen, ...found];
}

function nearServers(observation: Observation): Warning[] {
  return serverUses(observation)
    .filter(({ capacity: { used, max }, storage }) => {
      return used[storage] >= max[storage] * NEAR && used[storage] <= max[storage] && max[storage] > 0;
    })
    .map(({ capacity: { server, used, max }, storage }) => {
      const { limit, what } = STORAGES[storage];
      const message = `${server} stores ${formatSize(used[storage])} of ${what} of all accounts, and its ${limit} is ${formatSize(max[storage])}`;
      return { code: "limit.near", subject: { server }, message };
    });
}
