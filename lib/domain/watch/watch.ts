import type { AccountId } from "../claims/account.ts";
import { type Millis, millis } from "../time/time.ts";

/**
 * What a cluster says of itself while Relight listens. All of it is heard as the system account, stream and
 * consumer advisories included (nats-server 2.9.10, 2.10.27 and 2.15.1).
 */
export type ClusterEvent =
  /** Somebody pushed claims, whether or not the servers took them. */
  | { readonly kind: "claims-pushed"; readonly account: AccountId; readonly jti: string }
  | { readonly kind: "push-unreadable"; readonly problem: string }
  /** Somebody asked the servers to delete an account; whether they obey is for them to say. */
  | {
      readonly kind: "deletion-ordered";
      readonly account: AccountId;
      readonly issuer: string;
      /** Of the order; seconds since 1970. */
      readonly iat: number;
      readonly jti: string;
      /** Signed by its issuer, and about nobody else. */
      readonly isSelfSigned: boolean;
    }
  /** A server closed a client whose authentication expired: the user's JWT, or the whole account's. */
  | {
      readonly kind: "client-expired";
      readonly account: AccountId;
      readonly user: string;
      readonly userName?: string;
    }
  /** A server refused a client. The account is what the client claims, proved by nobody. */
  | { readonly kind: "auth-failed"; readonly server: string; readonly account?: AccountId }
  | { readonly kind: "leader-elected"; readonly account: AccountId; readonly asset: string }
  | { readonly kind: "quorum-lost"; readonly account: AccountId; readonly asset: string }
  | { readonly kind: "meta-leader-elected"; readonly leader: string }
  | { readonly kind: "server-stopped"; readonly server: string }
  | { readonly kind: "server-joined"; readonly server: string }
  | { readonly kind: "connection-lost" }
  /** The connection is back; what was said in between was not heard. */
  | { readonly kind: "connection-regained" }
  /** More was said than could be listened to. */
  | { readonly kind: "events-missed" };

/** What must be known beside the event. */
export interface WatchFacts {
  /** The order is one that servers obey. */
  readonly trusted: boolean;
  /** The journal holds the push as one of Relight's own. */
  readonly ownPush: boolean;
  /** A job of the account is under way, here or in another process. */
  readonly atWork: boolean;
  /** Whether the account has expired; undefined where nobody could say. */
  readonly expired: boolean | undefined;
  /** Whether Relight or the cluster knows the account at all. */
  readonly known: boolean;
  /** Whether this failure makes it too many, and whose. */
  readonly storm: "none" | "account" | "server";
}

/** What an event leads to. `settle` is how long the servers are given before anybody looks; milliseconds. */
export type WatchAction =
  | { readonly do: "nothing"; readonly why: string }
  /** Worth telling, but nothing to be done. */
  | { readonly do: "note"; readonly why: string }
  | { readonly do: "job"; readonly account: AccountId; readonly why: string; readonly settle: Millis }
  | { readonly do: "sweep"; readonly why: string; readonly settle: Millis };

/** Events of one account within this time are one job. */
const DEBOUNCE = millis(1_000);
/** Servers take a moment to run what was pushed; in a cluster JetStream is enabled a second or more later. */
const AFTER_PUSH = millis(2_000);
/** Leaders are elected and streams recovered before a cluster that changed is judged. */
const AFTER_CHANGE = millis(5_000);

/** The one place that says which event leads to what. */
export function decide(event: ClusterEvent, facts: WatchFacts): WatchAction {
  switch (event.kind) {
    case "claims-pushed":
      if (facts.ownPush) return nothing("Relight pushed it");
      return job(event.account, `somebody pushed claims (${event.jti})`, AFTER_PUSH);
    case "push-unreadable":
      return note(`somebody pushed what is not an account JWT: ${event.problem}`);
    case "deletion-ordered":
      if (!facts.trusted)
        return note("somebody asked to delete the account, by an order that servers don't obey");
      return job(event.account, "the operator ordered its deletion", AFTER_PUSH);
    case "client-expired":
      return afterExpiry(event, facts);
    case "auth-failed":
      return afterRefusal(event, facts);
    case "leader-elected":
      // Relight's own remedies let leaders step down; the job that did so looks at what came of it.
      if (facts.atWork) return nothing("a job on the account is under way");
      return job(event.account, `${event.asset} has a new leader`, DEBOUNCE);
    case "quorum-lost":
      return job(event.account, `${event.asset} lost its quorum`, DEBOUNCE);
    case "meta-leader-elected":
      return sweep(`JetStream's meta group elected ${event.leader}`, AFTER_CHANGE);
    case "server-stopped":
      return sweep(`server ${event.server} stopped`, AFTER_CHANGE);
    case "server-joined":
      return sweep(`server ${event.server} joined`, AFTER_CHANGE);
    case "connection-lost":
      return note("the connection was lost; trying again until it is back");
    case "connection-regained":
      return sweep("the connection was regained; what happened meanwhile was not heard", AFTER_CHANGE);
    case "events-missed":
      return sweep("more happened than could be listened to", AFTER_CHANGE);
  }
}

type Of<K extends ClusterEvent["kind"]> = Extract<ClusterEvent, { kind: K }>;

function afterExpiry({ account, user, userName }: Of<"client-expired">, { expired }: WatchFacts) {
  const who = userName === undefined ? user : `${userName} (${user})`;
  if (expired === false)
    return note(`user ${who} expired, its account did not: only its issuer can renew it`);
  if (expired) return job(account, "the account expired", DEBOUNCE);
  return job(account, "a client's authentication expired, and perhaps the account", DEBOUNCE);
}

function afterRefusal({ server, account }: Of<"auth-failed">, { storm, known }: WatchFacts): WatchAction {
  if (storm === "server") return sweep(`server ${server} refuses many clients`, DEBOUNCE);
  if (storm === "none" || account === undefined) return nothing("a single refusal");
  // Whoever is refused may claim any account; a stranger's claim starts no job.
  if (!known) return note(`many clients are refused that claim account ${account}, which nobody knows`);
  return job(account, "many of its clients are refused", DEBOUNCE);
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

/** An account left alone by events for so long starts anew; milliseconds. */
export const STREAK_ENDS = millis(5 * 60_000);
const LONGEST_PAUSE = 60_000;

/**
 * How long to wait before the next job of an account that had `streak` jobs in a row: 0, 2 s, 4 s, … a
 * minute, so that an account which never comes to rest is not worked on without a pause.
 */
export function pauseAfter(streak: number): Millis {
  return millis(streak === 0 ? 0 : Math.min(LONGEST_PAUSE, 1_000 * 2 ** Math.min(streak, 10)));
}
