import { loaded } from "../claims/claims-in-force.ts";
import { counted } from "../time/text.ts";
import type { Finding } from "../verdict/verdict.ts";
import type { AccountHealth, ClusterFacts, Evidence } from "./layers-facts.ts";

/** The upper three layers, which are about accounts. Each finding of a verdict belongs to one of them. */

type AccountLayer = "accounts" | "streams" | "subjects";

export const accountsLayer = (facts: ClusterFacts): readonly Evidence[] =>
  perAccount(facts, (health) => {
    const found = evidenceIn("accounts", health);
    return found.length > 0 ? found : [healthy(health, "its claims are in force")];
  });

export const streamsLayer = (facts: ClusterFacts): readonly Evidence[] =>
  perAccount(facts, (health) => {
    if (isDead("accounts", health)) return [blocked(health, "the account's claims are not in force")];
    const found = [...evidenceIn("streams", health), ...leaderlessEvidence(health)];
    return found.length > 0 ? found : [healthy(health, describeAssets(health))];
  });

export const subjectsLayer = (facts: ClusterFacts): readonly Evidence[] =>
  perAccount(facts, (health) => {
    if (isDead("accounts", health)) return [blocked(health, "the account's claims are not in force")];
    const streams = [...evidenceIn("streams", health), ...leaderlessEvidence(health)];
    const found = evidenceIn("subjects", health);
    if (found.length > 0) return found;
    if (!health.observation.streams.ok) return [blocked(health, "its streams could not be read")];
    if (streams.some((seen) => seen.health === "dead")) return [blocked(health, "its streams are damaged")];
    return [healthy(health, "JetStream listens on every stream's subjects, for every consumer, and for direct gets")];
  });

/**
 * Whether restarting a server would harm the account: it has expired, and has streams or may have some. If no server has
 * it loaded, as after a restart, seeing no streams proves nothing.
 */
export function isExpiredWithAssets({ observation, verdict }: AccountHealth): boolean {
  const expired = verdict.findings.some(({ code }) => code === "account.expired");
  const seen = observation.streams.ok && loaded(observation).length > 0;
  return expired && !(seen && observation.streams.value.length === 0);
}

/** Whether this account's claims keep a restarted server from starting. */
export const keepsServersFromStarting = ({ verdict }: AccountHealth): boolean =>
  verdict.findings.some(({ code }) => code === "claims.no_start");

/** Whether a restarted server would no longer know the account. */
export const isNotStored = ({ verdict }: AccountHealth): boolean =>
  verdict.findings.some(({ code }) => code === "account.not_in_resolver");

/** Whether a server that starts would empty streams of the account. */
export const isEmptiedByRestart = ({ verdict }: AccountHealth): boolean =>
  verdict.warnings.some(({ code }) => code === "stream.emptied_by_restart");

function perAccount(
  { accounts }: ClusterFacts,
  judge: (health: AccountHealth) => readonly Evidence[],
): readonly Evidence[] {
  if (!accounts.ok) return [{ health: "unknown", message: accounts.message }];
  if (accounts.value.length === 0)
    return [{ health: "unknown", message: "no account is configured, and the resolver lists none" }];
  return accounts.value.flatMap(judge);
}

const healthy = ({ name: about }: AccountHealth, message: string): Evidence => ({
  about,
  health: "healthy",
  message,
});

const blocked = ({ name: about }: AccountHealth, why: string): Evidence => ({
  about,
  health: "unknown",
  message: `not checked, because ${why}`,
});

function describeAssets({ verdict: { streams, consumers } }: AccountHealth): string {
  return `${counted(streams, "stream")} and ${counted(consumers, "consumer")}, each with a leader and current replicas`;
}

function isDead(layer: AccountLayer, account: AccountHealth): boolean {
  if (layer === "accounts" && keepsServersFromStarting(account)) return false;
  return evidenceIn(layer, account).some(({ health }) => health === "dead");
}

function evidenceIn(layer: AccountLayer, health: AccountHealth): readonly Evidence[] {
  return health.verdict.findings
    .filter((found) => layerOf(found, health) === layer)
    .map((found) => ({ about: health.name, ...evidenceOf(found, health) }));
}

/** An expired account without streams is only degraded: a restart cannot harm it. */
function evidenceOf({ code, health, message }: Finding, account: AccountHealth): Omit<Evidence, "about"> {
  if (code !== "account.expired") return { health, message };
  if (!isExpiredWithAssets(account)) return { health: "degraded", message: `${message}; it has no streams` };
  const { streams } = account.observation;
  const assets =
    streams.ok && streams.value.length > 0
      ? `it has ${counted(streams.value.length, "stream")}`
      : "it may have streams";
  return { health: "dead", message: `${message}; ${assets}` };
}

/** The layer that a finding belongs to. A failed probe belongs to the layer that needs its answer. */
function layerOf({ code, subject }: Finding, { observation }: AccountHealth): AccountLayer {
  // At a limit, JetStream listens but refuses messages.
  if (code.endsWith("deaf") || code.startsWith("limit.")) return "subjects";
  if (code.startsWith("stream.") || code.startsWith("consumer.") || code === "server.away") return "streams";
  if (code !== "probe.failed") return "accounts";
  if (subject.stream !== undefined) return "subjects";
  const claimsUnseen =
    !observation.running.ok || (!observation.stored.ok && observation.stored.code !== "nats.no_resolver");
  return claimsUnseen ? "accounts" : "streams";
}

/** A stream or consumer without a leader does not work, whatever its replicas. */
function leaderlessEvidence({ name: about, observation }: AccountHealth): readonly Evidence[] {
  if (!observation.streams.ok) return [];
  return observation.streams.value.flatMap((stream) => {
    const groups = [
      { what: `stream ${stream.name}`, leader: stream.leader },
      ...stream.consumers.map(({ name, leader }) => ({ what: `consumer ${stream.name} > ${name}`, leader })),
    ];
    return groups
      .filter(({ leader }) => !leader)
      .map(({ what }): Evidence => ({ about, health: "dead", message: `${what} has no leader` }));
  });
}
