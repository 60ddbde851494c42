import { describe, expect, test } from "@jest/globals";
import { type Agreement, agree, type Followed } from "../../../lib/domain/observation/agreement.ts";
import { deafStreams } from "../../../lib/domain/observation/deafness.ts";
import type { ConsumerFacts, Observation, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { withoutVanished } from "../../../lib/domain/observation/still-there.ts";
import { type EpochMillis, epochMillis, isoTime, millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { consumer, DEAF, FAILED, forgotten, NOW, observation, operator, server, stream } from "../observations.ts";

const STANDARDS = { operator, unfinishedToggle: false, unfinishedChanges: [] } as const;

/** A creation time, in seconds before the first look. */
const ago = (seconds: number): string => isoTime(epochMillis((NOW - seconds) * 1000));
const LONG_AGO = ago(1_000);

const view = (streamNames: readonly string[], failing: readonly string[] = []): Partial<Observation> => ({
  accountView: {
    ok: true,
    value: {
      jetstream: "enabled",
      info: { streams: 1, consumers: 1, limits: {} },
      streamNames,
      domains: [],
      failing: failing.map((name) => ({ stream: name, notFound: false, message: "timeout" })),
    },
  },
});

/** A stream that stays, and those of this look. */
function look(...streams: readonly StreamFacts[]): Observation {
  const steady = stream({
    name: "STEADY",
    created: LONG_AGO,
    consumers: [consumer({ created: LONG_AGO })],
  });
  const all = [steady, ...streams];
  return observation({ streams: { ok: true, value: all }, ...view(all.map(({ name }) => name)) });
}

/** What the last of these looks finds, one every half second, as far as the earlier ones confirm it. */
function judge(...looks: readonly Observation[]) {
  let followed: Followed | undefined;
  let last: { agreement: Agreement; at: EpochMillis } | undefined;
  looks.forEach((seen, index) => {
    const after = millis((index * TIMING.confirmedAfter) / 2);
    const at = epochMillis(seen.at + after);
    const { findings } = assess(seen, STANDARDS);
    const agreed = agree({ observation: { ...seen, at }, findings, after }, TIMING, followed);
    followed = agreed.followed;
    last = { agreement: agreed.agreement, at };
  });
  if (last === undefined) throw new Error("there is no look");
  const { observation: agreed, isPending, ...agreement } = last.agreement;
  const { health: verdict, findings } = assess(agreed, { ...STANDARDS, agreement });
  const codes = findings.map(({ code, subject }) => {
    const asset = [subject.stream, subject.consumer].filter(Boolean).join(" > ");
    return `${code} ${asset}`;
  });
  return { verdict, codes, isPending, agreed };
}

const OLD = { name: "X", created: LONG_AGO } as const;
const healthy = look(stream(OLD));
const deaf = look(stream({ ...OLD, ...DEAF }));
const leaderless = look(stream({ ...OLD, deafSubjects: FAILED }));
const young = look(stream({ ...OLD, ...DEAF, created: ago(1) }));
const recreated = look(stream({ ...OLD, ...DEAF, created: ago(0) }));
const unreported = observation({ ...look(), ...view(["STEADY", "X"], ["X"]) });
const gone = look();

const DEAD = ["dead", ["stream.deaf X"]] as const;
const UNSETTLED = ["unknown", ["probe.failed X"]] as const;
const FINE = ["healthy", []] as const;

describe("consecutive looks", () => {
  test.each<[string, readonly Observation[], readonly [string, readonly string[]], boolean]>([
    ["a single one is taken as it is, for now", [deaf], DEAD, true],
    ["a fault that lasts a second is confirmed", [deaf, deaf, deaf], DEAD, false],
    ["until then it counts, for now", [deaf, deaf], DEAD, true],
    ["a deleted asset is no finding", [deaf, gone], FINE, false],
    ["a recovered asset is no finding", [deaf, deaf, healthy], FINE, false],
    ["a recent fault is unknown", [healthy, deaf], UNSETTLED, true],
    ["and is confirmed if it lasts", [healthy, deaf, deaf, deaf], DEAD, false],
    ["recovery in between restarts the time", [deaf, healthy, deaf], UNSETTLED, true],
    ["a death counts from the first dead finding", [leaderless, deaf, deaf], UNSETTLED, true],
    ["unknown for a second is unknown", [leaderless, leaderless, leaderless], UNSETTLED, false],
    ["an asset that was being created at first is awaited", [young, young, young], DEAD, true],
    ["an asset created since is no finding", [gone, young, young, young], FINE, false],
    ["nor is a recreated one with the same name", [deaf, recreated, recreated, recreated], FINE, false],
    ["an asset that no server reported at first is not new", [gone, deaf], UNSETTLED, true],
    ["one that only the account listed counts as long", [unreported, deaf], UNSETTLED, true],
    ["young or not", [unreported, recreated], DEAD, true],
  ])("%s", (_what, looks, [verdict, codes], isPending) => {
    expect(judge(...looks)).toMatchObject({ verdict, codes, isPending });
  });

  test("an asset is young by the servers' clock, whatever ours says", () => {
    const skewed = (seen: Observation): Observation => ({
      ...seen,
      servers: [server({ clockSkew: millis(-60_000) })],
    });
    const made = look(stream({ ...OLD, ...DEAF, created: ago(60) }));
    expect(judge(gone, made).codes).toEqual(["probe.failed X"]);
    expect(judge(skewed(gone), skewed(made)).codes).not.toContain("probe.failed X");
  });

  test("no remedy acts on unconfirmed faults", () => {
    const unconfirmed = [
      [gone, young],
      [healthy, deaf],
      [deaf, healthy, deaf],
      [deaf, recreated],
    ] as const;
    for (const looks of unconfirmed) expect(deafStreams(judge(...looks).agreed)).toEqual([]);
    expect(deafStreams(judge(deaf, deaf, deaf).agreed).map(({ name }) => name)).toEqual(["X"]);
  });

  test("changing faults do not hide a dead asset", () => {
    const busy = (name: string) => look(stream({ ...OLD, ...DEAF }), stream({ name, created: ago(0), ...DEAF }));
    expect(judge(busy("A"), busy("B"), busy("C"))).toMatchObject({
      verdict: "dead",
      codes: ["stream.deaf X"],
      isPending: false,
    });
  });

  test("consumers are distinguished like streams", () => {
    const silent = { heard: { ok: true, value: false } } as const;
    const withConsumer = (changes: Partial<ConsumerFacts>) =>
      look(stream({ ...OLD, consumers: [consumer({ ...silent, ...changes })] }));
    const first = withConsumer({ name: "a", created: LONG_AGO });
    expect(judge(first, first, first).codes).toEqual(["consumer.deaf X > a"]);
    const second = withConsumer({ name: "a", created: ago(0) });
    expect(judge(first, second).codes).toEqual([]);
    const other = withConsumer({ name: "b", created: ago(0) });
    expect(judge(first, other).codes).toEqual([]);
  });

  test("a consumer is forgotten if that lasts", () => {
    const lost = look(stream({ ...OLD, forgotten: [forgotten()] }));
    expect(judge(healthy, lost).codes).toEqual(["probe.failed X > worker"]);
    expect(judge(lost, lost, lost).codes).toEqual(["consumer.forgotten X > worker"]);
  });

  test("findings from the journal need no second look", () => {
    const known = { ...STANDARDS, losses: [{ stream: "X", kind: "gone", message: "X is gone" }] } as const;
    const { findings } = assess(gone, known);
    const { followed } = agree({ observation: gone, findings: [], after: millis(0) }, TIMING);
    const { agreement } = agree({ observation: gone, findings, after: millis(250) }, TIMING, followed);
    expect(findings.filter(agreement.counts).map(({ code }) => code)).toEqual(["asset.lost"]);
  });
});

describe("consecutive readings", () => {
  const own = { consumers: [consumer({ created: LONG_AGO })], forgotten: [forgotten({ name: "lost" })] };
  const seen = look(stream({ ...OLD, ...DEAF, ...own }));
  const steady = { name: "STEADY", created: LONG_AGO, consumers: [{ name: "worker", created: LONG_AGO }] };
  const namesOf = ({ streams }: Observation) =>
    streams.ok
      ? streams.value.flatMap(({ name, consumers, forgotten }) => [
          `${name}: ${consumers.length}`,
          ...forgotten.map((one) => `${name} forgot ${one.name}`),
        ])
      : [];

  test.each<[string, Parameters<typeof withoutVanished>[1], readonly string[]]>([
    ["a gone asset is omitted", [steady], ["STEADY: 1"]],
    ["a recreated asset is omitted", [steady, { ...OLD, created: ago(0), consumers: [] }], ["STEADY: 1"]],
    ["so is a consumer", [steady, { ...OLD, consumers: [{ name: "worker", created: ago(0) }] }], ["STEADY: 1", "X: 0"]],
    [
      "an asset that any server reports is there",
      [steady, { ...OLD, consumers: [] }, { ...OLD, consumers: [{ name: "worker", created: LONG_AGO }] }],
      ["STEADY: 1", "X: 1"],
    ],
    [
      "so is a consumer on a server that reports another time for its stream",
      [
        steady,
        { ...OLD, consumers: [] },
        { ...OLD, created: ago(900), consumers: [{ name: "worker", created: LONG_AGO }] },
      ],
      ["STEADY: 1", "X: 1"],
    ],
    [
      "and one that the cluster has forgotten",
      [steady, { ...OLD, consumers: [] }, { ...OLD, created: ago(900), consumers: [{ name: "lost" }] }],
      ["STEADY: 1", "X: 0", "X forgot lost"],
    ],
  ])("%s", (_what, now, names) => {
    expect(namesOf(withoutVanished(seen, now))).toEqual(names);
  });
});
