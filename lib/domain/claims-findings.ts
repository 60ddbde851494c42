import type { AccountClaims, ClaimsDocument } from "./claims.ts";
import { isTrusted } from "./claims-source.ts";
import { failedProbe, finding } from "./findings.ts";
import { enablesJetStream } from "./jetstream-limits.ts";
import type { Observation, RunningAccount, StoredClaims } from "./observation.ts";
import type { Operator } from "./operator.ts";
import { describeWithdrawal, isWithdrawn, type Presence } from "./presence.ts";
import { describeStreams, type SeenStream } from "./streams-seen.ts";
import { toMillis } from "./time.ts";
import { type Finding, observedAt } from "./verdict.ts";

/**
 * The claims that count: the newest of those that run and of those in the resolver. The resolver takes
 * any JWT, so what lies there counts only if a trusted issuer signed it; servers checked what they run.
 */
export function claimsInForce(observation: Observation, operator: Operator): ClaimsDocument | undefined {
  const running = loaded(observation).map(({ document }) => document);
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const candidates =
    stored !== undefined && isTrusted(stored, operator) ? [...running, stored.document] : running;
  return candidates.reduce<ClaimsDocument | undefined>(
    (best, next) => (best === undefined || next.claims.iat > best.claims.iat ? next : best),
    undefined,
  );
}

type Loaded = Extract<RunningAccount, { loaded: true }>;

/** The servers that have the account loaded. */
export function loaded({ running }: Observation): readonly Loaded[] {
  return running.ok ? running.value.filter((entry): entry is Loaded => entry.loaded) : [];
}

/** What is wrong with the account's claims: where they lie, where they run, and how long they last. */
export function claimsFindings(observation: Observation, operator: Operator, presence: Presence): Finding[] {
  const { stored, running } = observation;
  if (!running.ok) return [failedProbe("the claims in force", running)];
  // Servers with a memory or URL resolver hold no JWTs to look up: what runs is all there is.
  if (!stored.ok && stored.code !== "nats.no_resolver") return [failedProbe("the resolver's claims", stored)];
  const claims = claimsInForce(observation, operator)?.claims;
  if (claims === undefined) return [absenceFinding(presence)];
  return [
    ...expiryFindings(observation, claims, presence),
    // That a full resolver deletes what has expired is no finding of its own.
    ...(stored.ok && !(presence.state === "expired" && stored.value === undefined)
      ? storageFindings(observation, stored.value, claims, operator)
      : []),
  ];
}

/** The finding of an account that was deleted or is gone, which says all that there is to say of it. */
export function withdrawalFinding(presence: Presence, left: readonly SeenStream[]): Finding | undefined {
  if (!isWithdrawn(presence)) return undefined;
  const remains =
    left.length === 0 ? "" : `; left behind when it was last seen well: ${describeStreams(left)}`;
  const message = `${describeWithdrawal(presence)}${remains}`;
  const evidence = { streams: left.map(({ name, servers }) => ({ name, servers: [...servers] })) };
  const code = presence.state === "gone" ? "account.gone" : "account.deleted";
  return finding(code, "dead", {}, message, evidence);
}

/** Nobody has the account: the journal alone tells what that means. */
function absenceFinding(presence: Presence): Finding {
  switch (presence.state) {
    case "expired": {
      const message = `the account expired at ${observedAt(presence.at)}, and the resolver has deleted its JWT since`;
      return finding("account.expired", "dead", {}, message, { forgotten: true });
    }
    case "unknown":
      return finding("account.not_found", "unknown", {}, `no server has it loaded, and ${presence.why}`);
    default:
      return finding("account.not_found", "unknown", {}, "no server and no resolver knows this account");
  }
}

function expiryFindings(observation: Observation, claims: AccountClaims, presence: Presence): Finding[] {
  const expiredOn = loaded(observation)
    .filter(({ expired }) => expired)
    .map(({ server }) => server);
  // A server that still refuses claims which newer ones are about to replace is told of as drift.
  if (presence.state !== "expired") return [];
  const expiredAt = claims.exp === undefined ? "" : ` at ${observedAt(toMillis(claims.exp))}`;
  const evidence = { jti: claims.jti, exp: claims.exp ?? null, servers: expiredOn };
  return [finding("account.expired", "dead", {}, `the account expired${expiredAt}`, evidence)];
}

function storageFindings(
  observation: Observation,
  stored: StoredClaims | undefined,
  claims: AccountClaims,
  operator: Operator,
): Finding[] {
  if (stored === undefined) {
    const message = "the resolver does not hold the account: after a restart no server could load it";
    return [finding("account.not_in_resolver", "degraded", {}, message, { jti: claims.jti })];
  }
  if (!isTrusted(stored, operator)) {
    const { jti, iss } = stored.document.claims;
    const message = `the resolver holds a JWT that the servers don't trust (issuer ${iss})`;
    return [finding("claims.untrusted", "degraded", {}, message, { jti, iss })];
  }
  return [...notLoaded(observation, claims), ...driftFindings(observation, stored.document)];
}

function notLoaded(observation: Observation, claims: AccountClaims): Finding[] {
  const isSeen = loaded(observation).length > 0 || observation.accountView.ok === true;
  if (isSeen || !enablesJetStream(claims)) return [];
  const message =
    "no server has the account loaded, and the system account can't see its streams; configure its signingKey";
  return [finding("account.not_loaded", "unknown", {}, message)];
}

function driftFindings(observation: Observation, stored: ClaimsDocument): Finding[] {
  return loaded(observation)
    .filter(({ document }) => document.text !== stored.text)
    .map(({ server, document }) => {
      const evidence = { running: document.claims.jti, stored: stored.claims.jti };
      const message = `${server} runs other claims than the resolver holds`;
      return finding("claims.drift", "degraded", { server }, message, evidence);
    });
}
