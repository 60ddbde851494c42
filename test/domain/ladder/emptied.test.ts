import { describe, expect, test } from "@jest/globals";
import {
  emptiedWarnings,
  emptiesByRestart,
  emptiesByToggle,
  isEmptiedByLoad,
} from "../../../lib/domain/ladder/emptied.ts";
import type { StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { DEAF, observation, server, stream } from "../observations.ts";

/** A stream that begins at 1000 and has all of its messages. */
const whole = (changes: Partial<StreamFacts> = {}) =>
  stream({ config: { name: "ORDERS", first_seq: 1_000 }, firstSeq: 1_000, lastSeq: 1_009, ...changes });

describe("a stream that a server empties when it loads it", () => {
  test.each<[string, boolean, Partial<StreamFacts>, string]>([
    ["has a first_seq, and its first message", true, {}, "2.10.27"],
    ["so on 2.11.1", true, {}, "2.11.1"],
    ["so on 2.10.0", true, {}, "2.10.0"],
    ["not on 2.10.28", false, {}, "2.10.28"],
    ["not on 2.11.2", false, {}, "2.11.2"],
    ["not on 2.9.25, which knows no first_seq", false, {}, "2.9.25"],
    ["not if its first message is gone", false, { firstSeq: 1_001 }, "2.10.27"],
    ["not if it is empty", false, { messages: 0 }, "2.10.27"],
    ["not if it is in memory", false, { storage: "memory" }, "2.10.27"],
    ["not without a first_seq", false, { config: { name: "ORDERS" } }, "2.10.27"],
  ])("%s", (_situation, expected, changes, version) => {
    expect(isEmptiedByLoad(whole(changes), version)).toBe(expected);
  });

  const seen = (changes: Partial<StreamFacts> = {}, version = "2.10.27") =>
    observation({
      streams: { ok: true, value: [whole(changes)] },
      servers: [server({ version }), server({ name: "s2", version })],
    });

  test("forbids to turn JetStream off and on, and says what helps", () => {
    expect(emptiesByToggle(seen())).toMatch(/^it would empty stream ORDERS: 2\.10\.27 has .*#6753.*rmm ORDERS 1000/);
    expect(emptiesByToggle(seen({}, "2.10.28"))).toBeUndefined();
  });

  test("forbids a restart of its servers only", () => {
    expect(emptiesByRestart(seen(DEAF))).toMatch(/^it would empty stream ORDERS/);
    expect(emptiesByRestart(seen({ nodeMissingOn: ["s2"] }))).toMatch(/^it would empty stream ORDERS/);
    expect(emptiesByRestart(seen())).toBeUndefined();
  });

  test("is warned of while everything works", () => {
    expect(emptiedWarnings(seen())).toMatchObject([
      {
        code: "stream.emptied_by_restart",
        subject: { server: "s1", stream: "ORDERS" },
        message: expect.stringMatching(/^a restart of s1 empties stream ORDERS/),
      },
    ]);
    expect(emptiedWarnings(seen({ firstSeq: 1_001 }))).toEqual([]);
  });
});
