import type { AccountId } from "../claims/account.ts";
import { type Millis, millis } from "../time/time.ts";

/**
 * Events of a cluster. The system account receives all of them, including stream and consumer advisories (nats-server
 * 2.9.10, 2.10.27 and 2.15.1).
 */
export type ClusterEvent =
  /** Somebody pushed claims, whether or not the servers took them. */
  | { readonly kind: "claims-pushed"; readonly account: AccountId; readonly jti: string }
  | { readonly kind: "push-unreadable"; readonly problem: string }
  /** Somebody asked the servers to delete an account. They may ignore it. */
  | {
      readonly kind: "deletion-ordered";
      readonly account: AccountId;
      readonly issuer: string;
      /** Of the request; seconds since 1970. */
      readonly iat: number;
      readonly jti: string;
      /** Signed by its issuer, and about this account only. */
      readonly isSelfSigned: boolean;
    }
  /** A server closed a client whose authentication expired: the user's JWT, or the whole account's. */
  | {
      readonly kind: "client-expired";
      readonly account: AccountId;
      readonly user: string;
      readonly userName?: string;
    }
  /** A server refused a client. The account is only the client's claim. */
  | { readonly kind: "auth-failed"; readonly server: string; readonly account?: AccountId }
  | { readonly kind: "leader-elected"; readonly account: AccountId; readonly asset: string }
  | { readonly kind: "quorum-lost"; readonly account: AccountId; readonly asset: string }
  | { readonly kind: "meta-leader-elected"; readonly leader: string }
  | { readonly kind: "server-stopped"; readonly server: string }
  | { readonly kind: "server-joined"; readonly server: string }
  | { readonly kind: "connection-lost" }
  /** The connection is back. Events in between were missed. */
  | { readonly kind: "connection-regained" }
  /** Too many events to handle. */
  | { readonly kind: "events-missed" };

/** Facts that `decide` needs besides the event. */
export interface WatchFacts {
  /** Whether servers obey the deletion request. */
  readonly trusted: boolean;
  /** Whether the journal has the push as Relight's own. */
  readonly ownPush: boolean;
  /** Whether a job on the account is running, here or in another process. */
  readonly atWork: boolean;
  /** Whether the account has expired; undefined if no server could say. */
  readonly expired: boolean | undefined;
  /** Whether Relight or the cluster knows the account. */
  readonly known: boolean;
  /** Whether this refusal completes a storm, and whose. */
  readonly storm: "none" | "account" | "server";
}

/** What an event leads to. `settle` is how long to wait for the servers before checking; milliseconds. */
export type WatchAction =
  | { readonly do: "nothing"; readonly why: string }
  /** Only reported. */
  | { readonly do: "note"; readonly why: string }
  | { readonly do: "job"; readonly account: AccountId; readonly why: string; readonly settle: Millis }
  | { readonly do: "sweep"; readonly why: string; readonly settle: Millis };

/** How long to wait after what happened. */
export interface WatchWaits {
  /** Events of one account within this time are one job. */
  readonly debounce: Millis;
  /** Until servers run what was pushed. */
  readonly afterPush: Millis;
  /** Until a cluster that changed has elected its leaders and recovered its streams. */
  readonly afterChange: Millis;
  /** After the first job of an account; doubled after each further one in a row. */
  readonly firstPause: Millis;
  readonly longestPause: Millis;
}

export function decide(event: ClusterEvent, facts: WatchFacts, waits: WatchWaits): WatchAction {
  const { debounce, afterPush, afterChange } = waits;
  switch (event.kind) {
    case "claims-pushed":
      if (facts.ownPush) return nothing("Relight pushed it");
      return job(event.account, `somebody pushed claims (${event.jti})`, afterPush);
    case "push-unreadable":
      return note(`somebody pushed something that is not an account JWT: ${event.problem}`);
    case "deletion-ordered":
      if (!facts.trusted) return note("somebody asked to delete the account, but servers ignore this request");
      return job(event.account, "the operator ordered its deletion", afterPush);
    case "client-expired":
      return afterExpiry(event, facts, waits);
    case "auth-failed":
      return afterRefusal(event, facts, waits);
    case "leader-elected":
      // Relight's own remedies cause elections, and the running job checks their effect.
      if (facts.atWork) return nothing("a job on the account is running");
      return job(event.account, `${event.asset} has a new leader`, debounce);
    case "quorum-lost":
      return job(event.account, `${event.asset} lost its quorum`, debounce);
    case "meta-leader-elected":
      return sweep(`JetStream's meta group elected ${event.leader}`, afterChange);
    case "server-stopped":
      return sweep(`server ${event.server} stopped`, afterChange);
    case "server-joined":
      return sweep(`server ${event.server} joined`, afterChange);
    case "connection-lost":
      return note("the connection was lost; reconnecting");
    case "connection-regained":
      return sweep("reconnected; events were missed meanwhile", afterChange);
    case "events-missed":
      return sweep("too many events to handle one by one", afterChange);
  }
}

type Of<K extends ClusterEvent["kind"]> = Extract<ClusterEvent, { kind: K }>;

function afterExpiry(
  { account, user, userName }: Of<"client-expired">,
  { expired }: WatchFacts,
  { debounce }: WatchWaits,
) {
  const who = userName === undefined ? user : `${userName} (${user})`;
  if (expired === false)
    return note(`user ${who} expired, but its account did not; only the user's issuer can renew it`);
  if (expired) return job(account, "the account expired", debounce);
  return job(account, "a client's authentication expired; the account may have, too", debounce);
}

function afterRefusal(
  { server, account }: Of<"auth-failed">,
  { storm, known }: WatchFacts,
  { debounce }: WatchWaits,
): WatchAction {
  if (storm === "server") return sweep(`server ${server} refuses many clients`, debounce);
  if (storm === "none" || account === undefined) return nothing("a single refusal");
  // A refused client can claim any account, so an unknown one starts no job.
  if (!known) return note(`servers refuse many clients that claim the unknown account ${account}`);
  return job(account, "servers refuse many of its clients", debounce);
}

const nothing = (why: string): WatchAction => ({ do: "nothing", why });
const note = (why: string): WatchAction => ({ do: "note", why });
const sweep = (why: string, settle: Millis): WatchAction => ({ do: "sweep", why, settle });
const job = (account: AccountId, why: string, settle: Millis): WatchAction => ({
  do: "job",
  account,
  why,
  settle,
});

/** An account without events for this long starts a new streak; milliseconds. */
export const STREAK_ENDS = millis(5 * 60_000);

/** How long to wait before the next job of an account that had `streak` jobs in a row: 0, 2 s, 4 s, … a minute. */
export function pauseAfter(
  streak: number,
  { firstPause, longestPause }: Pick<WatchWaits, "firstPause" | "longestPause">,
): Millis {
  return millis(streak === 0 ? 0 : Math.min(longestPause, firstPause * 2 ** (streak - 1)));
}
