import type { DirectGets, MirrorDirect } from "../../../domain/observation/direct-facts.ts";
import type { Probe } from "../../../domain/observation/observation.ts";
import type { Interest } from "./interest.ts";

/**
 * Direct gets (`allow_direct`, from 2.9) are how clients read KV buckets and object stores. Each current replica of a
 * stream subscribes to both of these in the queue group `_sys_`, and the leader of a mirror with `mirror_direct` to those
 * of its origin (read in stream.go and jetstream_cluster.go of 2.9.10, 2.10.27 and 2.15; ran on them).
 */
export function directSubjects(stream: string): readonly [all: string, lastBySubject: string] {
  return [`$JS.API.DIRECT.GET.${stream}`, `$JS.API.DIRECT.GET.${stream}.>`];
}

/** A server with a current replica; without an interest it did not answer. */
export interface Member {
  readonly server: string;
  readonly interest: Interest | undefined;
}

/** Who of `members` answers direct gets of `stream`. @param isMirror whether the stream is a mirror itself. */
export function directGetsOf(
  stream: string,
  members: readonly Member[],
  isMirror: boolean,
): Probe<DirectGets> {
  const heardOn: string[] = [];
  const deafOn: string[] = [];
  for (const { server, interest } of members) {
    if (interest === undefined) return silent(server);
    const answering = holdersOfBoth(stream, interest);
    if (!answering.ok) return answering;
    // A mirror of the stream answers there too, in its place: that is not the stream's own doing.
    const own = answering.value.both.filter((id) => isMirror || !interest.receivers?.has(id));
    (own.length > 0 ? heardOn : deafOn).push(server);
  }
  return { ok: true, value: { heardOn, deafOn } };
}

/**
 * The servers on which more connections take direct gets of `stream` than there are to answer them. Before 2.10.28 and
 * 2.11.2 a stream that was healed in place goes on with a connection that is closed; if its replica is stopped there, as
 * when the stream is deleted, moved or scaled down, its subscriptions stay until the server restarts (ran on 2.10.27).
 * @param expected how many replicas of the stream, and leaders of mirrors that answer in its place, a server holds
 */
export function straysOf(
  stream: string,
  interests: ReadonlyMap<string, Interest>,
  expected: (server: string) => number,
): readonly string[] {
  return [...interests]
    .filter(([server, interest]) => {
      const held = holdersOfBoth(stream, interest);
      return held.ok && held.value.both.length > expected(server);
    })
    .map(([server]) => server)
    .sort();
}

/** How the leader of a mirror answers direct gets of `origin`. */
export function mirrorDirectOf(origin: string, { server, interest }: Member): Probe<MirrorDirect> {
  if (interest === undefined) return silent(server);
  const held = holdersOfBoth(origin, interest);
  if (!held.ok) return held;
  const { firstOnly, both } = held.value;
  if (firstOnly.length > 0) return { ok: true, value: "broken" };
  // Where receivers are not told apart, the origin's own may be taken for the mirror's: that alarms nobody.
  const answers = both.some((id) => interest.receivers?.has(id) ?? true);
  return { ok: true, value: answers ? "answers" : "idle" };
}

interface HoldersOfBoth {
  readonly both: readonly number[];
  /** A leader of before may still hold the second alone, on healthy servers too; nobody healthy holds the first alone. */
  readonly firstOnly: readonly number[];
}

function holdersOfBoth(stream: string, interest: Interest): Probe<HoldersOfBoth> {
  const [all, lastBySubject] = directSubjects(stream);
  const first = interest.holders(all);
  if (!first.ok) return first;
  const second = interest.holders(lastBySubject);
  if (!second.ok) return second;
  const isInBoth = (id: number): boolean => second.value.includes(id);
  const both = first.value.filter(isInBoth);
  return { ok: true, value: { both, firstOnly: first.value.filter((id) => !isInBoth(id)) } };
}

const silent = (server: string): Probe<never> => {
  return { ok: false, code: "nats.timeout", message: `${server} does not answer` };
};
