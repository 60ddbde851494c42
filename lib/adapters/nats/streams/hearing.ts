import pMap from "p-map";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { DirectGets } from "../../../domain/observation/direct-facts.ts";
import type { Probe, ServerFacts, StreamFacts } from "../../../domain/observation/observation.ts";
import { defined } from "../../../domain/time/defined.ts";
import { AT_ONCE } from "../connection/in-flight.ts";
import {
  type ConsumerReplica,
  groupBy,
  type Led,
  leaderOf,
  peersOf,
  type Replica,
  type StreamGroup,
} from "../connection/reports.ts";
import type { ListSettings } from "../probes/lists.ts";
import { directGetsOf, directSubjects, type Member, mirrorDirectOf, straysOf } from "./direct.ts";
import { findInterest, type Interest } from "./interest.ts";

/** The subscriptions that JetStream needs for streams and consumers, and whether they exist. */

/** JetStream's subscriptions by server name. */
export type Interests = ReadonlyMap<string, Interest>;

export async function findInterests(
  settings: ListSettings,
  account: AccountId,
  servers: readonly ServerFacts[],
  streams: readonly StreamGroup[],
): Promise<Interests> {
  if (streams.length === 0) return new Map();
  const questions = streams.flatMap((stream) => [
    ...subjectsOf(stream.best).map((subject) => ({ server: leaderOf(stream.best), subject })),
    ...stream.consumers.map((consumer) => ({
      server: leaderOf(consumer.best),
      subject: nextMessage(stream.best, consumer.best),
    })),
    ...directQuestions(stream),
  ]);
  const byServer = groupBy(questions, ({ server }) => server);
  const answers = await pMap(
    servers,
    async ({ id, name }): Promise<[string, Interest]> => {
      const subjects = (byServer.get(name) ?? []).map(({ subject }) => subject);
      return [name, await findInterest({ ...settings, account, server: id }, subjects)];
    },
    { concurrency: AT_ONCE },
  );
  return new Map(answers);
}

interface Question {
  readonly server: string | undefined;
  readonly subject: string;
}

function directQuestions(stream: StreamGroup): readonly Question[] {
  const { name, config } = stream.best.detail;
  const { allow_direct: allows, mirror_direct: mirrors, mirror } = config;
  const own = allows
    ? membersOf(stream).flatMap((server) => directSubjects(name).map((subject) => ({ server, subject })))
    : [];
  if (!mirrors || !mirror) return own;
  const server = leaderOf(stream.best);
  return [...own, ...directSubjects(mirror.name).map((subject) => ({ server, subject }))];
}

/** The servers with a current replica of the stream; replicas that lag do not answer yet. */
function membersOf({ best, reports }: StreamGroup): readonly string[] {
  const leader = leaderOf(best);
  const peers = peersOf(best).filter((peer) => peer.current);
  const current = new Set([leader, ...peers.map(({ name }) => name)]);
  return reports.filter(({ server, nodeMissing }) => !nodeMissing && current.has(server)).map(({ server }) => server);
}

/** Whether the leader of a stream or consumer subscribes to `subject`. */
export function heardBy(interests: Interests, led: Led, subject: string): Probe<boolean> {
  const leader = leaderOf(led);
  const interest = leader === undefined ? undefined : interests.get(leader);
  if (interest !== undefined) return interest.hears(subject);
  const message = leader ? `its leader ${leader} does not answer` : "it has no leader";
  return { ok: false, code: "nats.timeout", message };
}

export function subjectsOf({ detail }: Replica): readonly string[] {
  return detail.config.subjects ?? [];
}

/**
 * A subject to which every consumer subscribes, even push consumers and those without acknowledgments (2.9.10 to 2.15.1).
 * Before that it subscribes to its acknowledgments in the same call and on the same connection, and stops if that fails
 * (consumer.go, `setLeader`), so this subscription implies the other.
 */
export function nextMessage(stream: Replica, consumer: ConsumerReplica): string {
  return `$JS.API.CONSUMER.MSG.NEXT.${stream.detail.name}.${consumer.detail.name}`;
}

/**
 * Whether its client has left an ephemeral consumer that needs no acknowledgments: nobody in the cluster subscribes to what
 * it delivers to, and its leader says so, too. Unknown counts as not.
 */
export function isAbandoned({ detail }: ConsumerReplica, interests: Interests): boolean {
  const { deliver_subject: to, ack_policy: acknowledges, durable_name: durable } = detail.config;
  if (typeof to !== "string" || durable !== undefined || acknowledges !== "none" || detail.push_bound) return false;
  return [...interests.values()].every(({ isAwaited }) => isAwaited(to) === false);
}

/**
 * Whether the leader of a stream runs it twice: more than one of JetStream's connections subscribes to its subjects, so
 * each message is stored by both and acknowledged twice. Undefined if unknown, or if the stream has no subjects.
 */
export function runsTwice(stream: Replica, interests: Interests): boolean | undefined {
  const held = interests.get(leaderOf(stream) ?? "")?.holders(subjectsOf(stream)[0] ?? "");
  return held?.ok === true ? held.value.length > 1 : undefined;
}

/** The mirrors of each stream, by its name. */
export type Mirrors = ReadonlyMap<string, readonly StreamGroup[]>;

export const mirrorsAmong = (streams: readonly StreamGroup[]): Mirrors =>
  groupBy(
    streams.filter(({ best }) => best.detail.config.mirror),
    ({ best }) => best.detail.config.mirror?.name ?? "",
  );

export function directFacts(
  stream: StreamGroup,
  interests: Interests,
  mirrorsOf: Mirrors,
): Pick<StreamFacts, "directGets" | "mirrorDirect"> {
  const { name, config } = stream.best.detail;
  const { allow_direct: allows, mirror_direct: mirrors, mirror } = config;
  const member = (server: string): Member => ({ server, interest: interests.get(server) });
  const leader = leaderOf(stream.best);
  const own = allows ? directGetsOf(name, membersOf(stream).map(member), Boolean(mirror)) : undefined;
  const its = mirrors && mirror && leader !== undefined ? mirrorDirectOf(mirror.name, member(leader)) : undefined;
  return {
    ...(own === undefined ? {} : { directGets: withStrays(stream, own, interests, mirrorsOf) }),
    ...defined({ mirrorDirect: its }),
  };
}

function withStrays(
  { best, reports }: StreamGroup,
  own: Probe<DirectGets>,
  interests: Interests,
  mirrorsOf: Mirrors,
): Probe<DirectGets> {
  if (!own.ok) return own;
  const { name } = best.detail;
  // Only a mirror's leader answers for its origin.
  const answering = (mirrorsOf.get(name) ?? []).map((mirror) => leaderOf(mirror.best));
  const holders = [...reports.map(({ server }) => server), ...answering];
  const strayOn = straysOf(name, interests, (server) => holders.filter((holder) => holder === server).length);
  return strayOn.length === 0 ? own : { ok: true, value: { ...own.value, strayOn } };
}

export function deafOf(stream: Replica, interests: Interests): Probe<readonly string[]> {
  const deaf: string[] = [];
  for (const subject of subjectsOf(stream)) {
    const hears = heardBy(interests, stream, subject);
    if (!hears.ok) return hears;
    if (!hears.value) deaf.push(subject);
  }
  return { ok: true, value: deaf };
}
