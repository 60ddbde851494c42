import type { AccountClaims, ClaimsDocument } from "../claims/claims.ts";
import { claimsInForce, isItsOwn, loaded } from "../claims/claims-in-force.ts";
import { isTrusted } from "../claims/claims-source.ts";
import type { Operator } from "../claims/operator.ts";
import { describeWithdrawal, isWithdrawn, type Presence } from "../claims/presence.ts";
import { keepsServersDown } from "../gate/gate-harm.ts";
import { enablesJetStream } from "../limits/jetstream-limits.ts";
import type { Observation, StoredClaims } from "../observation/observation.ts";
import { describeStreams, type SeenStream } from "../observation/streams-seen.ts";
import { isCountable, toMillis } from "../time/time.ts";
import { failedProbe, finding } from "./findings.ts";
import { type Finding, observedAt } from "./verdict.ts";

/** What is wrong with the account's claims: where they lie, where they run, and how long they last. */
export function claimsFindings(observation: Observation, operator: Operator, presence: Presence): Finding[] {
  const { stored, running } = observation;
  const unread = unreadable(observation);
  if (unread !== undefined) return [unreadableFinding(unread)];
  if (!running.ok) return [failedProbe("the claims in force", running)];
  // Servers with a memory or URL resolver hold no JWTs to look up: what runs is all there is.
  if (!stored.ok && stored.code !== "nats.no_resolver") return [failedProbe("the resolver's claims", stored)];
  const claims = claimsInForce(observation, operator)?.claims;
  const untrusted = untrustedFindings(observation, operator, claims === undefined ? "unknown" : "degraded");
  if (claims === undefined) return untrusted.length > 0 ? untrusted : [absenceFinding(presence)];
  return [
    ...noStartFindings(observation, operator),
    ...untrusted,
    ...uncountableFindings(observation, claims),
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

/** A server would not load such claims: its operator is another one or trusts another key, or it is not what answered. */
function untrustedFindings(
  observation: Observation,
  operator: Operator,
  health: "unknown" | "degraded",
): Finding[] {
  return loaded(observation)
    .filter((claims) => !isItsOwn(observation, claims, operator))
    .map(({ server, document: { claims } }) => {
      const { jti, iss, sub } = claims;
      const message = `${server} is said to run claims that no trusted issuer signed for this account (issuer ${iss}); they are never signed anew`;
      return finding("claims.untrusted", health, { server }, message, { jti, iss, sub });
    });
}

/** Claims of the account that Relight can't read, where it runs or in the resolver; what is wrong with them. */
export function unreadable({
  running,
  stored,
}: Pick<Observation, "running" | "stored">): { readonly code: string; readonly message: string } | undefined {
  return [running, stored].find((probe) => !probe.ok && probe.code === "claims.unreadable") as
    | { readonly code: string; readonly message: string }
    | undefined;
}

function unreadableFinding({ message }: { readonly message: string }): Finding {
  const advice = "have its JWT made anew by its issuer and push it: relight push FILE";
  return finding("claims.unreadable", "unknown", {}, `${message}; ${advice}`);
}

function uncountableFindings({ at }: Observation, { exp, jti }: AccountClaims): Finding[] {
  if (exp === undefined || isCountable(exp, at)) return [];
  const message = `its claims end later than servers can count (exp ${exp}), so that nobody knows when they will: have its JWT made anew with an earlier end, or with none, and push it: relight push FILE --allow-earlier-expiry`;
  return [finding("claims.uncountable", "unknown", {}, message, { jti, exp })];
}

/** What runs and what lies in the resolver count: a server that starts takes the one or the other. */
function noStartFindings(observation: Observation, { systemAccount }: Operator): Finding[] {
  const stored = observation.stored.ok ? observation.stored.value : undefined;
  const all = [...loaded(observation).map(({ document }) => document), ...(stored ? [stored.document] : [])];
  const bad = all.find(({ claims }) => keepsServersDown(observation.account, systemAccount, claims));
  if (bad === undefined) return [];
  const message =
    "no server will start again: the claims give JetStream to the system account; take it away before any restart: relight jetstream limits SYS --memory 0 --storage 0";
  return [finding("claims.no_start", "dead", {}, message, { jti: bad.claims.jti })];
}

function expiryFindings(observation: Observation, claims: AccountClaims, presence: Presence): Finding[] {
  const expiredOn = loaded(observation)
    .filter(({ expired }) => expired)
    .map(({ server }) => server);
  // A server that still refuses claims which newer ones are about to replace is told of as drift.
  if (presence.state !== "expired") return [];
  // Past what servers can count, they say so whatever the claims say.
  const expiredAt =
    claims.exp === undefined || !isCountable(claims.exp, observation.at)
      ? ""
      : ` at ${observedAt(toMillis(claims.exp))}`;
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
