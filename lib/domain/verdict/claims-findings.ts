import type { AccountClaims, ClaimsDocument } from "../claims/claims.ts";
import { claimsInForce, isItsOwn, loaded } from "../claims/claims-in-force.ts";
import { isTrusted } from "../claims/claims-source.ts";
import type { Operator } from "../claims/operator.ts";
import { describeWithdrawal, isWithdrawn, type Presence } from "../claims/presence.ts";
import { describeResolvers, mayComeBackOlder } from "../claims/resolver-kind.ts";
import { keepsServersDown } from "../gate/gate-harm.ts";
import { nameForShell } from "../limits/fit.ts";
import { enablesJetStream } from "../limits/jetstream-limits.ts";
import type { Observation, StoredClaims } from "../observation/observation.ts";
import { describeStreams, type LastSight, type SeenStream } from "../observation/streams-seen.ts";
import { isCountable, isoTime, toMillis, toSeconds } from "../time/time.ts";
import { failedProbe, finding } from "./findings.ts";
import { type Finding, observedAt, type Warning } from "./verdict.ts";

/** Findings about the account's claims: in the resolver, on the servers, and their expiry. */
export function claimsFindings(
  observation: Observation,
  operator: Operator,
  presence: Presence,
  sight: LastSight | undefined,
): Finding[] {
  const { stored, running } = observation;
  const unread = unreadable(observation);
  if (unread !== undefined) return [unreadableFinding(unread)];
  if (!running.ok) return [failedProbe("the claims in force", running)];
  // Without a full resolver only the running claims are known.
  if (!stored.ok && stored.code !== "nats.no_resolver") return [failedProbe("the resolver's claims", stored)];
  const claims = claimsInForce(observation, operator)?.claims;
  const untrusted = untrustedFindings(observation, operator, claims === undefined ? "unknown" : "degraded");
  if (claims === undefined) return untrusted.length > 0 ? untrusted : [absenceFinding(observation, presence)];
  return [
    ...noStartFindings(observation, operator),
    ...untrusted,
    ...uncountableFindings(observation, claims),
    ...expiryFindings(observation, claims, presence),
    ...keptFindings(claims, presence),
    // A full resolver deletes expired JWTs, so that is not a separate finding.
    ...(stored.ok && !(presence.state === "expired" && stored.value === undefined)
      ? storageFindings(observation, stored.value, { claims, operator, sight })
      : []),
    ...(stored.ok ? [] : differingServers(observation, claims)),
  ];
}

/** The servers that may come back from a restart with an older JWT, and why. */
export function olderAfterRestart(observation: Observation): readonly string[] {
  return loaded(observation).flatMap(({ server, document }) => {
    const host = observation.servers.find(({ name }) => name === server);
    return (host && mayComeBackOlder(host, document.claims)) ?? [];
  });
}

/** Nothing is wrong yet: the claims are in force, but their resolvers do not keep them. */
export function resolverWarnings(observation: Observation): readonly Warning[] {
  return olderAfterRestart(observation).map((message) => ({ code: "resolver.not_kept", subject: {}, message }));
}

/** Servers answer a deletion that they do not carry out with an error that only whoever ordered it sees. */
function keptFindings(claims: AccountClaims, presence: Presence): Finding[] {
  if (presence.state !== "here" || presence.kept === undefined) return [];
  const { ordered, by } = presence.kept;
  const message = `the operator ordered its deletion (known since ${isoTime(ordered.at)}), but ${by.join(", ")} still ${by.length === 1 ? "has" : "have"} it: a server keeps it with \`allow_delete: false\`, or if it can't write its folder`;
  const advice = `delete it again once every server can, or keep it: \`relight renew ${nameForShell(claims)} --undelete\``;
  return [finding("account.not_deleted", "degraded", {}, message, { kept: [...by] }, advice)];
}

/** The only finding of an account that was deleted or is gone. */
export function withdrawalFinding(presence: Presence, left: readonly SeenStream[]): Finding | undefined {
  if (!isWithdrawn(presence)) return undefined;
  const remains = left.length === 0 ? "" : `; its streams when it was last healthy: ${describeStreams(left)}`;
  const message = `${describeWithdrawal(presence)}${remains}`;
  const evidence = { streams: left.map(({ name, servers }) => ({ name, servers: [...servers] })) };
  const code = presence.state === "gone" ? "account.gone" : "account.deleted";
  return finding(code, "dead", {}, message, evidence);
}

/** Neither the servers nor the resolver have the account; the journal tells why. */
function absenceFinding({ stored, servers }: Observation, presence: Presence): Finding {
  switch (presence.state) {
    case "expired": {
      const message = `the account expired at ${observedAt(presence.at)}, and the resolver has deleted its JWT since`;
      return finding("account.expired", "dead", {}, message, { forgotten: true, exp: toSeconds(presence.at) });
    }
    case "unknown":
      return finding("account.not_found", "unknown", {}, `no server has the account loaded, and ${presence.why}`);
    default: {
      const isAsked = stored.ok || stored.code !== "nats.no_resolver";
      const unasked = `no server has the account loaded, and its JWT can't be looked up (${describeResolvers(servers)}); configure the account's signingKey, or let a client of it connect`;
      const message = isAsked ? "no server or resolver knows this account" : unasked;
      return finding("account.not_found", "unknown", {}, message);
    }
  }
}

/** A server would not load such claims: it trusts another operator or key, or something else answered in its name. */
function untrustedFindings(observation: Observation, operator: Operator, health: "unknown" | "degraded"): Finding[] {
  return loaded(observation)
    .filter((claims) => !isItsOwn(observation, claims, operator))
    .map(({ server, document: { claims } }) => {
      const { jti, iss, sub } = claims;
      const message = `${server} reports claims that no trusted issuer signed for this account (issuer ${iss}); Relight never signs them again`;
      return finding("claims.untrusted", health, { server }, message, { jti, iss, sub });
    });
}

/** The problem with running or stored claims that Relight cannot read. */
export function unreadable({
  running,
  stored,
}: Pick<Observation, "running" | "stored">): { readonly code: string; readonly message: string } | undefined {
  return [running, stored].find((probe) => !probe.ok && probe.code === "claims.unreadable") as
    | { readonly code: string; readonly message: string }
    | undefined;
}

function unreadableFinding({ message }: { readonly message: string }): Finding {
  const advice = "have the JWT issued again and push it: relight push FILE";
  return finding("claims.unreadable", "unknown", {}, message, {}, advice);
}

function uncountableFindings({ at }: Observation, { exp, jti }: AccountClaims): Finding[] {
  if (exp === undefined || isCountable(exp, at)) return [];
  const message = `its exp (${exp}) is too large for servers, so it is unknown when the claims expire`;
  const advice =
    "have the JWT issued again with an earlier exp or none, and push it: relight push FILE --allow-earlier-expiry";
  return [finding("claims.uncountable", "unknown", {}, message, { jti, exp }, advice)];
}

/** Checks running and stored claims, because a starting server may load either. */
function noStartFindings(observation: Observation, { systemAccount }: Operator): Finding[] {
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const all = [...loaded(observation).map(({ document }) => document), ...(stored ? [stored.document] : [])];
  const bad = all.find(({ claims }) => keepsServersDown(observation.account, systemAccount, claims));
  if (bad === undefined) return [];
  const message = "the claims give JetStream to the system account, so a server that restarts can't start again";
  const advice = `remove it before any restart: relight jetstream limits ${nameForShell(bad.claims)} --memory 0 --storage 0`;
  return [finding("claims.no_start", "dead", {}, message, { jti: bad.claims.jti }, advice)];
}

function expiryFindings(observation: Observation, claims: AccountClaims, presence: Presence): Finding[] {
  const expiredOn = loaded(observation)
    .filter(({ expired }) => expired)
    .map(({ server }) => server);
  // If a server has only older, expired claims, that is drift.
  if (presence.state !== "expired") return [];
  // With an uncountable expiry servers report "expired" at any time.
  const expiredAt =
    claims.exp === undefined || !isCountable(claims.exp, observation.at)
      ? ""
      : ` at ${observedAt(toMillis(claims.exp))}`;
  const evidence = { jti: claims.jti, exp: claims.exp ?? null, servers: expiredOn };
  return [finding("account.expired", "dead", {}, `the account expired${expiredAt}`, evidence)];
}

interface Judging {
  readonly claims: AccountClaims;
  readonly operator: Operator;
  readonly sight: LastSight | undefined;
}

function storageFindings(
  observation: Observation,
  stored: StoredClaims | undefined,
  { claims, operator, sight }: Judging,
): Finding[] {
  if (stored === undefined) {
    const message =
      "the resolver lacks the account's JWT, or has only a part of it: a restarted server could not load it";
    return [finding("account.not_in_resolver", "degraded", {}, message, { jti: claims.jti })];
  }
  if (!isTrusted(stored, operator)) {
    const { jti, iss } = stored.document.claims;
    const message = `the resolver holds a JWT that the servers don't trust (issuer ${iss})`;
    return [finding("claims.untrusted", "degraded", {}, message, { jti, iss })];
  }
  return [...notLoaded(observation, claims, sight), ...driftFindings(observation, stored.document)];
}

/**
 * Servers load accounts with streams at their start. So an account that none has loaded, and that never had streams, has
 * nothing to check.
 */
function notLoaded(observation: Observation, claims: AccountClaims, sight: LastSight | undefined): Finding[] {
  if (isSeen(observation) || !enablesJetStream(claims) || isIdle(observation, sight)) return [];
  const streams = describeStreams(sight?.streams ?? []);
  const message = `no server has the account loaded, although it had streams when it was last healthy: ${streams}; configure the account's signingKey`;
  return [finding("account.not_loaded", "unknown", {}, message)];
}

const isSeen = (observation: Observation): boolean =>
  loaded(observation).length > 0 || observation.accountView.ok === true;

const isIdle = ({ streams, running }: Observation, sight: LastSight | undefined): boolean =>
  streams.ok && streams.value.length === 0 && running.ok && (sight?.streams ?? []).length === 0;

/** An account that nobody uses is healthy: nothing about it can be wrong yet. */
export function idleWarnings(
  observation: Observation,
  findings: readonly Finding[],
  sight: LastSight | undefined,
): readonly Warning[] {
  if (findings.length > 0 || isSeen(observation) || !isIdle(observation, sight)) return [];
  const message = "the account is not in use: no server has it loaded, and no stream of it was ever seen";
  return [{ code: "account.idle", subject: {}, message }];
}

/** Without a full resolver the servers can only be compared with each other. */
function differingServers(observation: Observation, claims: AccountClaims): Finding[] {
  const all = loaded(observation);
  const newest = all.find(({ document }) => document.claims.jti === claims.jti);
  return all
    .filter(({ document }) => newest !== undefined && document.text !== newest.document.text)
    .map(({ server, document }) => {
      const evidence = { running: document.claims.jti, newest: claims.jti };
      const message = `${server} runs other, older claims than ${newest?.server}`;
      return finding("claims.drift", "degraded", { server }, message, evidence);
    });
}

function driftFindings(observation: Observation, stored: ClaimsDocument): Finding[] {
  return loaded(observation)
    .filter(({ document }) => document.text !== stored.text)
    .map(({ server, document }) => {
      const evidence = { running: document.claims.jti, stored: stored.claims.jti };
      const message = `${server} runs different claims than the resolver holds`;
      return finding("claims.drift", "degraded", { server }, message, evidence);
    });
}
