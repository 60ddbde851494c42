import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import { covers } from "../../../domain/claims/shares.ts";
import type { Probe } from "../../../domain/observation/observation.ts";
import { probe } from "../../../errors.ts";
import type { HeldSubscription } from "../connection/answers.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import { accountConnections, accountSubscriptions, askingServer, type ListSettings } from "../probes/lists.ts";

export interface InterestSettings extends ListSettings {
  readonly account: AccountId;
  /** Id of the server to ask. */
  readonly server: string;
}

/** JetStream's subscriptions on one server; failed probes if the server did not answer. */
export interface Interest {
  /** Whether JetStream subscribes to a subject. If the subject was asked about several times, as many must subscribe. */
  hears(subject: string): Probe<boolean>;
  /**
   * The ids of JetStream's connections that subscribe to exactly this subject; each stream and consumer has its own
   * connection. For subjects that were not asked about, known only if the server's list could be read at once.
   */
  holders(subject: string): Probe<readonly number[]>;
  /** Whether anybody, clients and routes included, subscribes to what matches; undefined if that could not be read. */
  isAwaited(subject: string): boolean | undefined;
  /** The ids of those on which mirrors receive messages; undefined if there are too many subscriptions to read. */
  readonly receivers: ReadonlySet<number> | undefined;
}

/** Up to this many subscriptions are read at once and searched here. If there are more, ask about each subject. */
const AT_A_TIME = 16_384;

/**
 * The imports of every account from the system account: JetStream's API and its own statistics (seen on 2.9.10, 2.10.27 and
 * 2.15.1). One internal connection holds all imports of an account.
 */
const API = "$JS.API.>";
const IMPORTS = [API, "$SYS.REQ.ACCOUNT.PING.CONNZ", "$SYS.REQ.SERVER.PING.CONNZ"] as const;

/**
 * Asks a server which of `subjects` its JetStream subscribes to, without side effects (SUBSZ).
 *
 * A match may not be JetStream's: the account's import of the API matches `$JS.API.CONSUMER.MSG.NEXT.…` even if the
 * consumer is deaf, and any client may subscribe to a stream's subject. So a subscription counts only if its subject is
 * equal, and if it belongs to neither a client nor the account's imports.
 */
export async function findInterest(settings: InterestSettings, subjects: readonly string[]): Promise<Interest> {
  const wanted = new Map<string, number>();
  for (const subject of subjects) wanted.set(subject, (wanted.get(subject) ?? 0) + 1);
  const { holdersOf, isAwaited, receivers } = await findHolders(settings, [...wanted.keys(), ...IMPORTS]);
  // Read last, with recently closed connections, so every client that subscribed is included.
  const clients = await probe(() =>
    accountConnections(askingServer(settings, settings.server, "CONNZ"), settings.account),
  );

  const internal = clients.ok ? withoutClients(holdersOf, clients.value) : () => clients;
  const importer = importerAmong(internal);
  const holders: Holders = (subject) => {
    const held = internal(subject);
    if (!held.ok) return held;
    return importer.ok ? { ok: true, value: held.value.filter((id) => id !== importer.value) } : importer;
  };
  const hears = (subject: string): Probe<boolean> => {
    const held = holders(subject);
    return held.ok ? { ok: true, value: held.value.length >= (wanted.get(subject) ?? 1) } : held;
  };
  return { hears, holders, isAwaited, receivers };
}

const notAsked = (subject: string): Probe<never> => {
  return { ok: false, code: "internal", message: `${subject} was not asked about` };
};

/** Ids of the connections, including internal ones, that subscribe to exactly this subject. */
type Holders = (subject: string) => Probe<readonly number[]>;

const withoutClients =
  (holdersOf: Holders, clients: ReadonlySet<number>): Holders =>
  (subject) => {
    const held = holdersOf(subject);
    return held.ok ? { ok: true, value: held.value.filter((id) => !clients.has(id)) } : held;
  };

/**
 * The connection of the account's imports. A stream may have some of their subjects, like an audit stream on `$JS.API.>`,
 * but not all, and the imports exist before any stream.
 */
function importerAmong(holdersOf: Holders): Probe<number | undefined> {
  const held = IMPORTS.map(holdersOf);
  const failed = held.find((holders) => !holders.ok);
  if (failed?.ok === false) return failed;
  const [api = [], ...others] = held.map((holders) => (holders.ok ? holders.value : []));
  const all = api.filter((id) => others.every((ids) => ids.includes(id)));
  const candidates = all.length > 0 ? all : api;
  return { ok: true, value: candidates.length === 0 ? undefined : Math.min(...candidates) };
}

/** The inbox of messages from a mirror's origin. */
const MIRROR_INBOX = "$JS.M.";

interface Found {
  readonly holdersOf: Holders;
  readonly isAwaited: Interest["isAwaited"];
  readonly receivers: Interest["receivers"];
}

/** Usually one answer has all subscriptions at one moment. */
async function findHolders(settings: InterestSettings, subjects: readonly string[]): Promise<Found> {
  const all = await probe(() => subscriptions(settings, { most: AT_A_TIME }));
  if (all.ok) {
    const bySubject = new Map<string, HeldSubscription[]>();
    for (const held of all.value) {
      const same = bySubject.get(held.subject);
      if (same === undefined) bySubject.set(held.subject, [held]);
      else same.push(held);
    }
    const receiving = all.value.filter(({ subject }) => subject.startsWith(MIRROR_INBOX));
    const holdersOf: Holders = (subject) => ({
      ok: true,
      value: holdersAmong(settings, bySubject.get(subject) ?? [], subject),
    });
    const isAwaited: Interest["isAwaited"] = (subject) =>
      all.value.some((held) => isOwn(settings, held) && covers(held.subject, subject));
    return { holdersOf, isAwaited, receivers: new Set(receiving.map(({ cid }) => cid)) };
  }
  const unread = { isAwaited: () => undefined, receivers: undefined };
  if (all.code !== "nats.list_cut") return { holdersOf: () => all, ...unread };
  const answers = await pMap(subjects, (subject) => probe(() => subscriptions(settings, { test: literal(subject) })), {
    concurrency: AT_ONCE,
  });
  const bySubject = new Map(subjects.map((subject, index) => [subject, answers[index]]));
  const holdersOf: Holders = (subject) => {
    const held = bySubject.get(subject);
    if (held === undefined) return notAsked(subject);
    return held.ok ? { ok: true, value: holdersAmong(settings, held.value, subject) } : held;
  };
  return { holdersOf, ...unread };
}

const subscriptions = (
  settings: InterestSettings,
  which: { readonly test?: string; readonly most?: number },
): Promise<readonly HeldSubscription[]> =>
  accountSubscriptions(askingServer(settings, settings.server, "SUBSZ"), settings.account, which);

const isOwn = ({ account }: InterestSettings, sub: HeldSubscription): boolean => (sub.account ?? account) === account;

function holdersAmong(
  settings: InterestSettings,
  found: readonly HeldSubscription[],
  subject: string,
): readonly number[] {
  const exact = found.filter((sub) => sub.subject === subject && isOwn(settings, sub));
  return [...new Set(exact.map(({ cid }) => cid))];
}

/** A literal subject that `filter` matches. */
function literal(filter: string): string {
  return filter
    .split(".")
    .map((token) => (token === "*" || token === ">" ? "relight" : token))
    .join(".");
}
