import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { compare, confirmed, type Disagreement, faultsOf } from "../lab/worlds/compare.ts";
import { generate, WORLD_VERSIONS } from "../lab/worlds/generate.ts";
import { type Held, lostSince } from "../lab/worlds/holdings.ts";
import type { Observed } from "../lab/worlds/judge-tools.ts";
import { literalOf, remaining, type StreamPlan, sizeOf, usable, type WorldPlan } from "../lab/worlds/plan.ts";
import type { Answer, Finding, Said } from "../lab/worlds/product.ts";
import { describe as lineOf, reduce, simpler } from "../lab/worlds/reduce.ts";
import { summarize } from "../lab/worlds/summary.ts";

/** The parts of the random worlds that need no server. */

const SEEDS = Array.from({ length: 400 }, (_, seed) => seed);

describe("the world of a seed", () => {
  test("is the same each time, and survives JSON", () => {
    for (const seed of SEEDS.slice(0, 50)) {
      const plan = generate(seed);
      expect(generate(seed)).toEqual(plan);
      expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    }
  });

  test("is one that can exist: replicas fit the servers, and what a damage or copy names is there", () => {
    for (const plan of SEEDS.map((seed) => generate(seed))) expect(faultsIn(plan)).toEqual([]);
  });

  test("is different for different seeds, and all of them together have everything", () => {
    const plans = SEEDS.map((seed) => generate(seed));
    expect(new Set(plans.map((plan) => JSON.stringify({ ...plan, seed: 0 }))).size).toBeGreaterThan(390);
    expect(new Set(plans.map(({ version }) => version))).toEqual(new Set(WORLD_VERSIONS));
    expect(new Set(plans.map(({ topology }) => topology)).size).toBe(3);
    expect(new Set(plans.map(({ limits }) => limits.kind)).size).toBe(4);
    expect(new Set(plans.flatMap(({ damages }) => damages.map(({ do: what }) => what))).size).toBe(20);
    expect(plans.some(({ damages }) => damages.length === 0)).toBe(true);
  });

  test("has only the versions asked for", () => {
    expect(new Set(SEEDS.map((seed) => generate(seed, ["2.15.1"]).version))).toEqual(new Set(["2.15.1"]));
  });
});

/** What no server could create, or what could not be damaged. */
function faultsIn(plan: WorldPlan): readonly string[] {
  const size = sizeOf(plan.topology);
  const names = new Set(plan.streams.map(({ name }) => name));
  const faults: string[] = [];
  if (names.size < plan.streams.length) faults.push("two streams have one name");
  for (const stream of plan.streams) {
    if (stream.replicas > size) faults.push(`${stream.name} has more replicas than there are servers`);
    for (const origin of [...(stream.mirrorOf === undefined ? [] : [stream.mirrorOf]), ...(stream.sourcesOf ?? [])])
      if (!names.has(origin)) faults.push(`${stream.name} copies ${origin}, which is not there`);
    if (stream.retention === "workqueue" && stream.consumers.length > 1) faults.push("a work queue has two consumers");
    for (const { filter } of stream.consumers)
      if (filter !== undefined && !stream.subjects.includes(filter)) faults.push(`${filter} filters nothing`);
  }
  for (const damage of plan.damages) {
    if ("stream" in damage && !names.has(damage.stream)) faults.push(`${damage.do} of ${damage.stream}`);
    const servers = "servers" in damage ? damage.servers : "server" in damage ? [damage.server] : [];
    if (servers.some((server) => server >= size)) faults.push(`${damage.do} of a server that is not there`);
  }
  return faults;
}

describe("a smaller world", () => {
  const isRich = ({ streams, damages }: WorldPlan): boolean => streams.length > 1 && damages.length > 0;
  const rich = SEEDS.map((seed) => generate(seed)).filter(isRich);

  test("lacks one thing, and can exist", () => {
    for (const plan of rich)
      for (const one of simpler(plan)) {
        expect(faultsIn(one)).toEqual([]);
        expect(JSON.stringify(one).length).toBeLessThanOrEqual(JSON.stringify(plan).length + 30);
      }
  });

  test("is found: only what the disagreement needs is left", async () => {
    const big = rich.find(({ damages }) => damages.length > 1) as WorldPlan;
    const [needed] = big.damages;
    const small = await reduce(big, async ({ damages }) => damages.some(({ do: what }) => what === needed?.do), 500);
    expect(small.damages).toHaveLength(1);
    expect(small).toMatchObject({ churn: { makers: 0, publishers: 0 }, fakes: 0, buckets: [], crossing: "none" });
    expect(small.streams.length).toBeLessThanOrEqual(1);
    expect(lineOf(small)).toContain(`: ${needed?.do}; `);
  });

  test("always ends, at nothing that is simpler, or at the bound", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 9_999 }), fc.integer({ min: 0, max: 30 }), async (seed, most) => {
        let tried = 0;
        const always = async (): Promise<boolean> => ++tried > 0;
        await reduce(generate(seed), always, most);
        expect(tried).toBeLessThanOrEqual(most);
      }),
    );
    const least = await reduce(generate(7), async () => true, 500);
    expect(simpler(least)).toEqual([]);
  });
});

const stream = (changes: Partial<StreamPlan> = {}): StreamPlan => ({
  name: "S",
  subjects: ["s.*"],
  replicas: 1,
  storage: "file",
  retention: "limits",
  allowDirect: false,
  messages: 0,
  consumers: [],
  ...changes,
});

test("what a damage deletes is not expected any more, and what it creates again has no consumers", () => {
  const consumers = [{ name: "c", kind: "pull", ack: "explicit", acked: 0 }] as const;
  const streams = [
    stream({ name: "A", consumers }),
    stream({ name: "B", consumers }),
    stream({ name: "C", consumers }),
  ];
  const damages = [
    { do: "delete-stream", stream: "A" },
    { do: "recreate-stream", stream: "B" },
    { do: "delete-consumer", stream: "C", consumer: "c" },
  ] as const;
  const left = remaining({ streams, damages });
  expect(left.map(({ name, consumers: has }) => [name, has.length])).toEqual([
    ["B", 0],
    ["C", 0],
  ]);
  expect(remaining({ streams, damages: [] })).toEqual(streams);
});

test("the judge uses no way into a stream that a damage deleted (seed 202)", () => {
  const plan = generate(202);
  expect(plan.damages).toContainEqual({ do: "delete-stream", stream: "FEED" });
  expect(usable({ ...plan, damages: [] }).ways).toHaveLength(1);
  expect(usable(plan).ways).toEqual([]);
});

test("a subject without wildcards", () => {
  expect(["s.>", "s.*", "s", "s.*.in.>"].map(literalOf)).toEqual(["s.two.three", "s.one", "s", "s.one.in.two.three"]);
});

const works = (use: string, about: Partial<Observed> = {}): Observed => ({
  stream: "S",
  use,
  state: "works",
  ...about,
});
const fails = (use: string, about: Partial<Observed> = {}): Observed => ({ ...works(use, about), state: "fails" });
const said = (answer: Answer, exit = 0): Said => ({ args: ["verify"], exit, answer, seconds: 1 });
const finding = (code: string, health: Finding["health"], subject: Finding["subject"]): Finding => ({
  code,
  health,
  subject,
  message: "it is so",
});

describe("a verdict and what the judge saw", () => {
  const dead = finding("stream.deaf", "dead", { stream: "S" });
  const whole = finding("limit.connections", "degraded", {});

  test.each<[string, Answer, readonly Observed[], readonly string[]]>([
    ["healthy, and all works", { verdict: "healthy" }, [works("publish")], []],
    ["healthy, and something fails", { verdict: "healthy" }, [works("publish"), fails("get")], ["false-healthy S"]],
    ["healthy, and some gets fail", { verdict: "healthy" }, [works("get", { state: "partly" })], ["false-healthy S"]],
    ["healthy, and it can't be tested", { verdict: "healthy" }, [works("get", { state: "untestable" })], []],
    ["dead, and it is", { verdict: "dead", findings: [dead] }, [fails("publish")], []],
    ["dead, and it works", { verdict: "dead", findings: [dead] }, [works("publish")], ["false-dead S"]],
    ["dead, and only a consumer works", { verdict: "dead", findings: [dead] }, [works("fetch", { consumer: "c" })], []],
    [
      "dead, and another stream is, too",
      { verdict: "dead", findings: [dead] },
      [fails("publish"), fails("publish", { stream: "T" })],
      ["missed T"],
    ],
    ["degraded about the account", { verdict: "degraded", findings: [whole] }, [fails("publish")], []],
    ["unknown, and all works", { verdict: "unknown", findings: [] }, [works("publish")], ["unknown "]],
    [
      "unknown, and something fails",
      { verdict: "unknown", findings: [{ ...whole, health: "unknown" }] },
      [fails("x")],
      [],
    ],
    ["an error", { error: { code: "nats.unreachable", message: "no" } }, [fails("publish")], []],
  ])("%s", (_what, answer, observed, expected) => {
    const found = compare("damaged", said(answer), observed);
    expect(found.map(({ kind, stream: about = "" }) => `${kind} ${about}`)).toEqual(expected);
  });

  test.each<[string, Answer, number, readonly string[]]>([
    ["the right exit code", { verdict: "dead" }, 2, []],
    ["the wrong one", { verdict: "dead" }, 0, ["exit"]],
    ["a known error", { error: { code: "account.busy", message: "busy" } }, 3, []],
    ["an error of its own", { error: { code: "internal", message: "oh" } }, 3, ["crash"]],
    ["no answer", {}, 1, ["crash"]],
  ])("%s", (_what, answer, exit, kinds) => {
    expect(faultsOf("damaged", said(answer, exit)).map(({ kind }) => kind)).toEqual(kinds);
  });

  test("counts only if it is seen twice", () => {
    const one = (kind: Disagreement["kind"], about?: string): Disagreement => ({
      kind,
      at: "damaged",
      what: "",
      ...(about === undefined ? {} : { stream: about }),
    });
    const [first, second] = [
      [one("missed", "A"), one("missed", "B")],
      [one("missed", "B"), one("false-dead", "A")],
    ];
    expect(confirmed(first, second)).toEqual([one("missed", "B")]);
  });
});

describe("what is lost", () => {
  const held = (messages: number, last: number, consumers: Held["consumers"] = {}): Held => ({
    messages,
    last,
    consumers,
  });
  const consumers = [{ name: "c", kind: "pull", ack: "explicit", acked: 0 }] as const;

  test.each<[string, Held | undefined, Held | undefined, Partial<StreamPlan>, readonly string[]]>([
    ["nothing", held(3, 3, { c: 1 }), held(4, 4, { c: 2 }), {}, []],
    ["a stream", held(3, 3), undefined, {}, ["the stream is gone"]],
    ["messages", held(3, 3), held(1, 3), {}, ["3 messages became 1"]],
    ["messages of a full stream are replaced", held(3, 3), held(2, 5), { maxMessages: 3 }, []],
    ["a consumer", held(3, 3, { c: 1 }), held(3, 3), {}, ["the consumer is gone"]],
    ["a position", held(3, 3, { c: 2 }), held(3, 3, { c: 0 }), {}, ["it fell back from 2 to 0"]],
    [
      "what a work queue's consumer acknowledged",
      held(3, 3, { c: 0 }),
      held(1, 3, { c: 2 }),
      { retention: "workqueue" },
      [],
    ],
    [
      "more than it acknowledged",
      held(3, 3, { c: 0 }),
      held(1, 3, { c: 1 }),
      { retention: "workqueue" },
      ["3 messages became 1"],
    ],
    [
      "what only a deleted consumer had an interest in",
      held(3, 3, { c: 0, d: 3 }),
      held(0, 3, { d: 3 }),
      { retention: "interest", consumers: [] },
      [],
    ],
    [
      "what a consumer had an interest in",
      held(3, 3, { c: 0 }),
      held(0, 3, { c: 0 }),
      { retention: "interest" },
      ["3 messages became 0"],
    ],
    ["what was not there before", undefined, undefined, {}, []],
  ])("%s", (_what, before, after, changes, expected) => {
    const [was, is] = [before, after].map((one) => (one === undefined ? {} : { S: one }));
    const lost = lostSince(was ?? {}, is ?? {}, [stream({ consumers, ...changes })]);
    expect(lost.map(({ what }) => what)).toEqual(expected);
  });
});

test("the table has a row a version, in order, and counts worlds rather than disagreements", () => {
  const of = (version: string, kinds: readonly Disagreement["kind"][], invalid?: string) => ({
    plan: { ...generate(1), version },
    disagreements: kinds.map((kind) => ({ kind, at: "damaged", what: "" })),
    steps: [],
    seconds: 1,
    ...(invalid === undefined ? {} : { invalid }),
  });
  const table = summarize([
    of("2.10.27", ["missed", "missed"]),
    of("2.9.10", []),
    of("2.9.10", [], "no server"),
    of("2.10.27", ["harm"]),
  ]);
  expect(table.split("\n").slice(2)).toEqual([
    "| 2.9.10 | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |",
    "| 2.10.27 | 2 | 0 | 1 | 0 | 0 | 0 | 1 | 0 |",
    "| all | 3 | 0 | 1 | 0 | 0 | 0 | 1 | 0 |",
  ]);
});
