import { expect, test } from "@jest/globals";
import type { StreamDetail } from "../lib/adapters/nats/connection/answers.ts";
import type { StreamGroup } from "../lib/adapters/nats/connection/reports.ts";
import { findDifferences } from "../lib/adapters/nats/streams/differences.ts";
import type { Held } from "../lib/adapters/nats/streams/forgotten.ts";

/** Last sequences of a stream by server; `s1` leads. */
type Sequences = Readonly<Record<string, number>>;

const LEADER = "s1";

function detail(server: string, last: number, { leader = LEADER, current = true, created = "then" } = {}) {
  const replicas = server === leader ? ["s2", "s3"].map((name) => ({ name, current })) : [];
  return { name: "KV", created, state: { last_seq: last }, cluster: { leader, replicas } } as unknown as StreamDetail;
}

type Options = Parameters<typeof detail>[2];

function gathered(sequences: Sequences, options?: Options): StreamGroup {
  const reports = Object.entries(sequences).map(([server, last]) => {
    return { server, detail: detail(server, last, options), clustered: true, nodeMissing: false };
  });
  const best = reports.find(({ server }) => server === LEADER) ?? reports[0];
  if (best === undefined) throw new Error("nobody reports the stream");
  return { best, reports, nodeMissingOn: [], consumers: [], forgotten: [] };
}

const held = (sequences: Sequences, options?: Options): readonly Held[] =>
  Object.entries(sequences).map(
    ([name, last]) => ({ server: { name }, detail: detail(name, last, options) }) as unknown as Held,
  );

const found = async (first: StreamGroup, later: readonly Held[]) =>
  (await findDifferences([first], async () => later)).get("KV") ?? [];

test("a replica that had more than its leader has later contradicts it", async () => {
  const later = held({ s1: 3, s2: 8, s3: 3 });
  expect(await found(gathered({ s1: 2, s2: 8, s3: 2 }), later)).toEqual([{ server: "s2", lastSeq: 8, leaderSeq: 3 }]);
});

test("a replica that has less than its leader had before contradicts it", async () => {
  const later = held({ s1: 9, s2: 0, s3: 9 });
  expect(await found(gathered({ s1: 8, s2: 0, s3: 8 }), later)).toEqual([{ server: "s2", lastSeq: 0, leaderSeq: 9 }]);
});

test("replicas of a busy stream differ because they were read at different moments", async () => {
  expect(await found(gathered({ s1: 8, s2: 10, s3: 7 }), held({ s1: 12, s2: 11, s3: 8 }))).toEqual([]);
});

test.each<[string, StreamGroup, readonly Held[]]>([
  ["a replica that is not current", gathered({ s1: 8, s2: 0 }, { current: false }), held({ s1: 8, s2: 0 })],
  ["a stream with another leader meanwhile", gathered({ s1: 2, s2: 8 }), held({ s1: 2, s2: 8 }, { leader: "s2" })],
  ["a stream that was recreated meanwhile", gathered({ s1: 2, s2: 8 }), held({ s1: 1, s2: 1 }, { created: "now" })],
  ["servers that did not answer again", gathered({ s1: 2, s2: 8 }), []],
  ["a leader that did not report", gathered({ s2: 8, s3: 2 }), held({ s2: 8, s3: 2 })],
])("says nothing of %s", async (_, first, later) => {
  expect(await found(first, later)).toEqual([]);
});

test("reads nothing again if all are the same", async () => {
  const never = () => Promise.reject(new Error("it read again"));
  expect(await findDifferences([gathered({ s1: 8, s2: 8, s3: 8 })], never)).toEqual(new Map());
});
