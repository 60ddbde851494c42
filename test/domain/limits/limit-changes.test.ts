import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { diffClaims, editClaims } from "../../../lib/domain/claims/claims.ts";
import { gate } from "../../../lib/domain/gate/gate.ts";
import { promised, type ReservationInput, reservationObjections } from "../../../lib/domain/limits/capacity.ts";
import { type LimitRequest, limitEdits } from "../../../lib/domain/limits/limit-changes.ts";
import { limitsAreLike } from "../../../lib/domain/limits/limit-proof.ts";
import { belowUse } from "../../../lib/domain/limits/limit-usage.ts";
import type { StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { formatSize, parseCount, parseSize } from "../../../lib/domain/time/sizes.ts";
import { ACCOUNT, claims, consumer, FAILED, NOW, operator, server, stream } from "../observations.ts";

const GIB = 2 ** 30;
const TIERED = { mem_storage: undefined, disk_storage: undefined, streams: undefined };
const tiered = (tiers: object) => claims({}, { ...TIERED, tiered_limits: tiers });

describe("sizes", () => {
  test.each<[string, number | undefined]>([
    ["1GiB", GIB],
    ["1gib", GIB],
    ["1 GiB", GIB],
    ["1.5KiB", 1_536],
    ["1GB", 1e9],
    ["250MB", 250e6],
    ["4096", 4_096],
    ["0", 0],
    ["unlimited", -1],
    ["Unlimited", -1],
    ["-1", undefined],
    ["1.5", undefined],
    ["0.3KB", 300],
    ["1e9", undefined],
    ["GiB", undefined],
    ["1 G", undefined],
    ["1 elephant", undefined],
    ["", undefined],
    ["9000TiB", undefined],
  ])("%p is %p bytes", (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each<[string, number | undefined]>([
    ["10", 10],
    ["0", 0],
    ["unlimited", -1],
    ["-1", undefined],
    ["1.5", undefined],
    ["1k", undefined],
  ])("%p is a count of %p", (text, count) => expect(parseCount(text)).toBe(count));

  test.each<[number, string]>([
    [GIB, "1 GiB"],
    [1e9, "1 GB"],
    [256e6, "256 MB"],
    [1.5 * GIB, "1.5 GiB"],
    [999, "999 B"],
    [0, "0 B"],
    [-1, "no limit"],
  ])("%p bytes are shown as %p", (bytes, text) => expect(formatSize(bytes)).toBe(text));
});

/** The claims after a request, as text; or why not. */
function asked(before: ReturnType<typeof claims>, request: LimitRequest) {
  const edits = limitEdits(before.claims, request);
  return edits.ok ? editClaims(before, edits.edits) : edits.problem;
}

describe("a change of limits", () => {
  test("changes the given claims, and no other byte", () => {
    const before = claims();
    const after = asked(before, { memory: 2_048, streams: 20 });
    expect(after).toMatchObject({
      text: before.text.replace('"mem_storage":1024', '"mem_storage":2048').replace('"streams":10', '"streams":20'),
    });
  });

  test("adds missing claims under their names", () => {
    const after = asked(claims(), {
      consumers: 1,
      maxAckPending: 2,
      memoryMaxStreamBytes: 3,
      storageMaxStreamBytes: 4,
      maxBytesRequired: true,
    });
    expect(after).toMatchObject({
      claims: {
        nats: {
          limits: {
            consumer: 1,
            max_ack_pending: 2,
            mem_max_stream_bytes: 3,
            disk_max_stream_bytes: 4,
            max_bytes_required: true,
          },
        },
      },
    });
  });

  test("is empty if the limits are already set", () => {
    expect(limitEdits(claims().claims, { memory: 1_024, streams: 10 })).toEqual({ ok: true, edits: [] });
  });

  test("of a tier changes that tier alone, and removes flat limits without effect", () => {
    const before = claims({}, { ...TIERED, streams: -1, tiered_limits: { R1: { disk_storage: 5 } } });
    expect(asked(before, { tier: "R3", storage: 7 })).toMatchObject({
      claims: {
        nats: { limits: { conn: -1, tiered_limits: { R1: { disk_storage: 5 }, R3: { disk_storage: 7 } } } },
      },
    });
    expect(asked(before, { tier: "R3", storage: 7 })).not.toMatchObject({
      claims: { nats: { limits: { streams: -1 } } },
    });
  });

  test.each<[string, ReturnType<typeof claims>, LimitRequest, RegExp]>([
    ["flat limits beside tiers", tiered({ R1: { disk_storage: 5 } }), { storage: 6 }, /--tier/],
    ["a tier beside flat limits", claims(), { tier: "R3", storage: 6 }, /flat limits/],
    ["an invalid tier", tiered({}), { tier: "gold", storage: 6 }, /not a tier/],
    ["a tier of zero replicas", tiered({}), { tier: "R0", storage: 6 }, /not a tier/],
  ])("can't be %s", (_what, before, request, problem) => expect(asked(before, request)).toMatch(problem));

  test("everything requested passes the gate's allowance, and nothing else does", () => {
    const size = fc.option(fc.integer({ min: -1, max: 1e12 }), { nil: undefined });
    const requests = fc.record({ memory: size, storage: size, streams: size, consumers: size });
    fc.assert(
      fc.property(requests, fc.boolean(), (request, alsoName) => {
        const current = claims();
        const edits = limitEdits(current.claims, request as LimitRequest);
        if (!edits.ok) throw new Error(edits.problem);
        const renewed = [
          { path: ["iat"], value: NOW },
          { path: ["jti"], value: "J2" },
        ];
        const other = alsoName ? [{ path: ["name"], value: "OTHER" }] : [];
        const candidate = editClaims(current, [...edits.edits, ...renewed, ...other]);
        const decision = gate({
          account: ACCOUNT,
          operator,
          current,
          candidate,
          signatureValid: true,
          now: NOW,
          allowance: "jetstream-limits",
        });
        expect(decision.decision).toBe(alsoName ? "refuse" : "accept");
      }),
    );
  });

  test.each([
    ["fewer connections", { conn: 3 }],
    ["no wildcards", { wildcards: false }],
    ["fewer subscriptions", { subs: 1 }],
  ])("the allowance excludes %s", (_what, limits) => {
    const decision = gate({
      account: ACCOUNT,
      operator,
      current: claims(),
      signatureValid: true,
      now: NOW,
      candidate: claims({ jti: "J2", iat: NOW }, { ...limits, mem_storage: 5 }),
      allowance: "jetstream-limits",
    });
    expect(decision).toMatchObject({ decision: "refuse", refusals: [{ code: "limit_lowered" }] });
  });
});

describe("limits below current usage", () => {
  const held = (changes: Partial<StreamFacts> = {}) => ({
    streams: { ok: true, value: [stream(changes)] } as const,
  });
  const flat = { mem_storage: 1_000, disk_storage: -1, streams: 10, consumer: 10, max_ack_pending: 1_000 };

  test.each<[string, object, Partial<StreamFacts>, RegExp | undefined]>([
    ["disk that holds more", { disk_storage: 399 }, {}, /disk_storage would be 399 B.* hold 400 B/],
    ["disk with exactly the current usage", { disk_storage: 400 }, {}, undefined],
    ["disk for every replica", { disk_storage: 1_199 }, { replicas: 3 }, /1.17 KiB|1.2 KB/],
    ["no disk at all", { disk_storage: 0 }, {}, /disk_storage/],
    ["memory that is not used", { mem_storage: 1 }, {}, undefined],
    ["memory that is used", { mem_storage: 1 }, { storage: "memory" }, /mem_storage/],
    ["fewer consumers than a stream has", { consumer: 1 }, { consumers: [consumer(), consumer()] }, /consumer/],
    ["zero streams, which is no limit", { streams: 0 }, {}, undefined],
    [
      "fewer open messages than a consumer has",
      { max_ack_pending: 5 },
      { consumers: [consumer({ config: { max_ack_pending: 6 } })] },
      /max_ack_pending/,
    ],
    ["max_bytes that a stream lacks", { max_bytes_required: true }, {}, /max_bytes_required would be on/],
    ["max_bytes that all streams have", { max_bytes_required: true }, { config: { max_bytes: 5 } }, undefined],
    ["streams smaller than one is", { disk_max_stream_bytes: 5 }, {}, /disk_max_stream_bytes/],
    ["streams smaller than one may become", { disk_max_stream_bytes: 500 }, { config: { max_bytes: 501 } }, /501/],
    ["more of everything", { mem_storage: 2_000, streams: 20 }, {}, undefined],
  ])("%s", (_what, after, seen, objection) => {
    const found = belowUse(flat, { ...flat, ...after }, held(seen), undefined);
    if (objection === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringMatching(objection)]);
  });

  test("a tier counts only its own streams, and no replicas", () => {
    const before = { disk_storage: 5_000 };
    const seen = held({ replicas: 3 });
    expect(belowUse(before, { disk_storage: 399 }, seen, "R3")).toHaveLength(1);
    expect(belowUse(before, { disk_storage: 400 }, seen, "R3")).toEqual([]);
    expect(belowUse(before, { disk_storage: 1 }, seen, "R1")).toEqual([]);
  });

  test("unknown usage prevents lowering, but not other changes", () => {
    expect(belowUse(flat, { ...flat, mem_storage: 1 }, { streams: FAILED }, undefined)).toEqual([
      expect.stringMatching(/unknown/),
    ]);
    expect(belowUse(flat, { ...flat, mem_storage: 2_000 }, { streams: FAILED }, undefined)).toEqual([]);
  });
});

describe("what can be reserved", () => {
  const capacity = (name: string, changes: object = {}) => ({
    server: name,
    max: { memory: 100, file: 1_000 },
    reserved: { memory: 0, file: 0 },
    used: { memory: 0, file: 0 },
    ...changes,
  });
  const limits = (mem_storage: number, disk_storage = 0) => claims({}, { mem_storage, disk_storage }).claims;
  const none = limits(0);
  const trio = ["s1", "s2", "s3"].map((name) => server({ name, topology: "clustered" }));
  const alone = (changes: Partial<ReservationInput>) =>
    reservationObjections({
      servers: [server()],
      capacities: [capacity("s1")],
      before: none,
      after: none,
      others: [],
      ...changes,
    });
  const cluster = (changes: Partial<ReservationInput>) =>
    alone({ servers: trio, capacities: ["s1", "s2", "s3"].map((name) => capacity(name)), ...changes });

  test.each<[string, ReturnType<typeof alone>, readonly (RegExp | boolean)[]]>([
    ["exactly what is left", alone({ after: limits(100, 1_000) }), []],
    ["more memory than there is", alone({ after: limits(101) }), [/101 B of memory can't be reserved/, false]],
    ["no limit at all", alone({ after: limits(-1, -1) }), []],
    ["what others were promised", alone({ after: limits(60), others: [limits(41)] }), [/promise 41 B/, false]],
    [
      "what streams have reserved",
      alone({ after: limits(60), capacities: [capacity("s1", { reserved: { memory: 41, file: 0 } })] }),
      [/max_bytes take 41 B/, false],
    ],
    [
      "less than before, although too much is promised",
      alone({ before: limits(90), after: limits(80), others: [limits(90)] }),
      [],
    ],
    ["more disk than one server of three has", cluster({ after: limits(0, 3_000) }), []],
    ["more disk than three servers have", cluster({ after: limits(0, 3_001) }), [/s1, s2, s3 have/, true]],
    [
      "anything while a server is silent",
      cluster({ after: limits(1), capacities: [capacity("s1")] }),
      [/s2, s3 did not report/, false],
    ],
    [
      "anything where no server has JetStream",
      alone({ servers: [server({ jetstream: false })] }),
      [/no server has JetStream/, false],
    ],
    [
      "a tier of more replicas than servers",
      alone({ after: tiered({ R3: { disk_storage: 1 } }).claims }),
      [/R3 needs 3 servers.* is 1$/, true],
    ],
    [
      "a tier, times its replicas",
      cluster({ after: tiered({ R3: { disk_storage: 1_001 } }).claims }),
      [/2.93 KiB|3 KB|3.003/, true],
    ],
    ["a tier that just fits", cluster({ after: tiered({ R3: { disk_storage: 1_000 } }).claims }), []],
  ])("%s", (_what, found, [message, canBeForced]) => {
    if (message === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([{ message: expect.stringMatching(message as RegExp), canBeForced }]);
  });

  test("each JetStream domain needs it separately", () => {
    const servers = [server(), server({ name: "leaf", domain: "leaf" })];
    const capacities = [capacity("s1"), capacity("leaf", { max: { memory: 5, file: 5 } })];
    expect(alone({ servers, capacities, after: limits(50) })).toHaveLength(1);
    expect(alone({ servers, capacities, after: limits(5) })).toEqual([]);
  });

  test("tier promises count with all replicas", () => {
    const { claims: both } = tiered({ R1: { disk_storage: 10 }, R3: { disk_storage: 10, mem_storage: -1 } });
    expect(promised(both)).toEqual({ memory: 0, file: 40 });
  });
});

describe("the proof that JetStream runs with the limits", () => {
  const view = (limits: object, jetstream = "enabled") =>
    ({
      ok: true,
      value: { jetstream, info: { streams: 0, consumers: 0, limits }, streamNames: [], failing: [] },
    }) as never;
  const room = (memory: number, file: number) => ({
    memory: { used: 0, limit: memory },
    file: { used: 0, limit: file },
  });
  test.each<[string, never, RegExp]>([
    ["the same", view({ flat: room(1_024, -1) }), /^$/],
    ["no limit is any negative number", view({ flat: room(1_024, -5) }), /^$/],
    ["the old ones", view({ flat: room(1, -1) }), /other limits/],
    ["none", view({}), /no limits/],
    ["no JetStream", view({}, "disabled"), /disabled/],
    ["no permission to ask", { ok: "not-asked", why: "no key" } as never, /^$/],
    ["no answer", FAILED as never, /no answer/],
  ])("%s", (_what, seen, said) => expect(limitsAreLike(seen, claims().claims, undefined)).toMatch(said));
});

test("a difference is found where claims change", () => {
  const after = asked(claims(), { storage: 5 });
  if (typeof after === "string") throw new Error(after);
  expect(diffClaims(claims(), after)).toEqual([{ path: "nats.limits.disk_storage", before: -1, after: 5 }]);
});
