import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  hasQuorum,
  type MetaGroup,
  type MetaPeer,
  quorumProblems,
} from "../../../lib/domain/observation/meta-group.ts";
import { millis } from "../../../lib/domain/time/time.ts";

const peer = (name: string, changes: Partial<MetaPeer> = {}): MetaPeer => ({
  name,
  current: true,
  offline: false,
  activeAgoMillis: millis(400),
  ...changes,
});
const THREE: MetaGroup = { leader: "n1", size: 3, peers: [peer("n2"), peer("n3")] };

describe("objections about the meta group", () => {
  test.each<[string, MetaGroup, boolean, readonly RegExp[]]>([
    ["nothing: three that agree", THREE, true, []],
    ["nothing: one server's own group", { leader: "n1", size: 1, peers: [] }, true, []],
    [
      "a follower never heard of yet",
      { ...THREE, peers: [peer("n2"), { name: "n3", current: true, offline: false }] },
      true,
      [],
    ],
    ["no leader", { size: 3, peers: [] }, false, [/3 servers has no leader/]],
    [
      "one offline, still called current as a server does at first",
      { ...THREE, peers: [peer("n2"), peer("n3", { offline: true })] },
      ...([true, [/^n3 is offline/]] as const),
    ],
    [
      "one that lags",
      { ...THREE, peers: [peer("n2", { current: false }), peer("n3")] },
      ...([true, [/^n2 has not caught up/]] as const),
    ],
    [
      "one killed some beats ago",
      { ...THREE, peers: [peer("n2"), peer("n3", { activeAgoMillis: millis(4_000) })] },
      ...([true, [/meta leader last heard n3 4 s ago/]] as const),
    ],
    [
      "two silent, not yet called offline",
      {
        ...THREE,
        peers: ["n2", "n3"].map((name) => peer(name, { activeAgoMillis: millis(11_000) })),
      },
      ...([false, [/no quorum/, /n2/, /n3/]] as const),
    ],
    [
      "one silent beyond a leader's timeout, not yet reported offline",
      { ...THREE, peers: [peer("n2", { activeAgoMillis: millis(12_400) }), peer("n3")] },
      ...([true, [/meta leader last heard n2 12 s ago/]] as const),
    ],
    [
      "a leader that has lost everyone and has not noticed yet (2.10.27 reports so for ten seconds)",
      { ...THREE, peers: [peer("n2", { offline: true }), peer("n3", { offline: true })] },
      ...([
        false,
        [/no quorum: the leader hears 1 of 3 servers and needs 2/, /n2 is offline/, /n3 is offline/],
      ] as const),
    ],
    [
      "a member that the leader does not name",
      { ...THREE, peers: [peer("n2")] },
      true,
      [/does not know 1 of the group's 3/],
    ],
    [
      "half of four: no majority",
      {
        leader: "n1",
        size: 4,
        peers: [peer("n2"), peer("n3", { offline: true }), peer("n4", { offline: true })],
      },
      ...([false, [/2 of 4 servers and needs 3/, /n3/, /n4/]] as const),
    ],
    [
      "servers that disagree",
      { ...THREE, disagreeing: [{ server: "n2" }, { server: "n3", leader: "n2" }] },
      ...([true, [/n2 knows no meta leader/, /n3 follows the meta leader n2, not n1/]] as const),
    ],
  ])("%s", (_situation, meta, quorum, problems) => {
    expect(hasQuorum(meta)).toBe(quorum);
    const found = quorumProblems(meta);
    expect(found).toHaveLength(problems.length);
    for (const [index, pattern] of problems.entries()) expect(found[index]).toMatch(pattern);
  });

  test("a group without quorum always has a problem", () => {
    const peers = fc.array(fc.record({ name: fc.string(), current: fc.boolean(), offline: fc.boolean() }));
    const groups = fc.record({
      leader: fc.constantFrom(undefined, "n1"),
      size: fc.integer({ min: 1, max: 9 }),
      peers,
    });
    fc.assert(
      fc.property(groups, ({ leader, ...group }) => {
        const meta: MetaGroup = { ...group, ...(leader === undefined ? {} : { leader }) };
        return hasQuorum(meta) || quorumProblems(meta).length > 0;
      }),
    );
  });
});
