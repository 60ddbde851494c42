import type { DirectGets, MirrorDirect } from "../../../domain/observation/direct-facts.ts";
import type { Probe } from "../../../domain/observation/observation.ts";
import type { Interest } from "./interest.ts";

/**
 * The subjects of direct gets (`allow_direct`, since 2.9), with which clients read KV buckets and object stores. Each
 * current replica of a stream subscribes to both in the queue group `_sys_`, and the leader of a mirror with
 * `mirror_direct` to its origin's (read in stream.go and jetstream_cluster.go of 2.9.10, 2.10.27 and 2.15; tested on them).
 */
export function directSubjects(stream: string): readonly [all: string, lastBySubject: string] {
  return [`$JS.API.DIRECT.GET.${stream}`, `$JS.API.DIRECT.GET.${stream}.>`];
}

/** A server with a current replica; it has no interest if it did not answer. */
export interface Member {
  readonly server: string;
  readonly interest: Interest | undefined;
}

/** Which `members` answer direct gets of `stream`. @param isMirror whether the stream is a mirror itself. */
export function directGetsOf(stream: string, members: readonly Member[], isMirror: boolean): Probe<DirectGets> {
  const heardOn: string[] = [];
  const deafOn: string[] = [];
  for (const { server, interest } of members) {
    if (interest === undefined) return silent(server);
    const answering = holdersOfBoth(stream, interest);
    if (!answering.ok) return answering;
    // A mirror of the stream also subscribes to these subjects, but that does not mean that the stream itself does.
    const own = answering.value.both.filter((id) => isMirror || !interest.receivers?.has(id));
    (own.length > 0 ? heardOn : deafOn).push(server);
  }
  return { ok: true, value: { heardOn, deafOn } };
}

/**
 * The servers on which more connections subscribe to direct gets of `stream` than can answer. Before 2.10.28 and 2.11.2 a
 * stream that was healed in place keeps using a closed connection. If its replica is stopped, for instance because the
 * stream is deleted, moved or scaled down, the subscriptions remain until the server restarts (tested on 2.10.27).
 * @param expected how many replicas of the stream, and leaders of mirrors that also answer, a server holds
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
  // If receivers can't be distinguished, the origin's own may count as the mirror's, which causes no finding.
  const answers = both.some((id) => interest.receivers?.has(id) ?? true);
  return { ok: true, value: answers ? "answers" : "idle" };
}

interface HoldersOfBoth {
  readonly both: readonly number[];
  /** A former leader may keep only the second subject, also on healthy servers. On healthy servers nothing has only the first. */
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
