import { expect, test } from "@jest/globals";
import { directGetsOf, mirrorDirectOf } from "../lib/adapters/nats/streams/direct.ts";
import type { Interest } from "../lib/adapters/nats/streams/interest.ts";

/** JetStream's connections on a server, and their subscriptions. */
function interest(connections: Readonly<Record<number, readonly string[]>>, receivers?: number[]): Interest {
  const holders = (subject: string) => {
    const held = Object.entries(connections).filter(([, subjects]) => subjects.includes(subject));
    return { ok: true, value: held.map(([id]) => Number(id)) } as const;
  };
  return {
    holders,
    isAwaited: () => undefined,
    hears: (subject) => ({ ok: true, value: holders(subject).value.length > 0 }),
    receivers: receivers === undefined ? undefined : new Set(receivers),
  };
}

const [ALL, LAST] = ["$JS.API.DIRECT.GET.S", "$JS.API.DIRECT.GET.S.>"];
const of = (found: Interest) => directGetsOf("S", [{ server: "s1", interest: found }], false);
const heard = (on: boolean) => ({
  ok: true,
  value: { heardOn: on ? ["s1"] : [], deafOn: on ? [] : ["s1"] },
});

test("a replica answers direct gets if one connection has both subjects", () => {
  expect(of(interest({ 1: [ALL, LAST] }, []))).toEqual(heard(true));
  expect(of(interest({ 1: [ALL], 2: [LAST] }, []))).toEqual(heard(false));
  expect(of(interest({}, []))).toEqual(heard(false));
});

test("a mirror that answers for it does not count", () => {
  expect(of(interest({ 7: [ALL, LAST] }, [7]))).toEqual(heard(false));
  expect(of(interest({ 1: [ALL, LAST], 7: [ALL, LAST] }, [7]))).toEqual(heard(true));
  const own = directGetsOf("S", [{ server: "s1", interest: interest({ 7: [ALL, LAST] }, [7]) }], true);
  expect(own).toEqual(heard(true));
});

test("a server that does not answer is unknown, for replicas and for mirrors", () => {
  const silent = { ok: false, code: "nats.timeout" };
  expect(directGetsOf("S", [{ server: "s1", interest: undefined }], false)).toMatchObject(silent);
  expect(mirrorDirectOf("S", { server: "s1", interest: undefined })).toMatchObject(silent);
});

test.each([
  ["answers on both subjects", interest({ 7: [ALL, LAST] }, [7]), "answers"],
  ["answers nothing yet", interest({ 1: [ALL, LAST] }, []), "idle"],
  ["answers nothing yet, as one that led before", interest({ 7: [LAST] }, [7]), "idle"],
  ["answers the first alone, which is damage", interest({ 7: [ALL], 1: [ALL, LAST] }, [7]), "broken"],
  ["can't be told from the origin's own replica", interest({ 1: [ALL, LAST] }), "answers"],
])("a mirror that %s", (_, found, value) => {
  expect(mirrorDirectOf("S", { server: "s1", interest: found })).toEqual({ ok: true, value });
});
