import { describe, expect, test } from "@jest/globals";
import { type TierHistory, tierHistory, tiersToStore } from "../../../lib/domain/limits/tier-history.ts";
import { unprovedStreams } from "../../../lib/domain/limits/tier-proof.ts";
import type { Observation, RunningAccount, ServerFacts } from "../../../lib/domain/observation/observation.ts";
import { type LastSight, sightIn } from "../../../lib/domain/observation/streams-seen.ts";
import { type EpochMillis, epochMillis, isoTime, millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { ACCOUNT, claims, FAILED, observation, operator, server, stream } from "../observations.ts";

/** Whether streams count in a tier, told without the account's own view. */

const TIERS = { mem_storage: undefined, disk_storage: undefined, tiered_limits: { R1: { disk_storage: -1 } } };
const FLAT = { disk_storage: -1 };
const NOT_ASKED = {
  ok: "not-asked",
  why: "no signingKey is configured for the account",
  noKey: true,
} as const;

/** When the servers began to run the claims. */
const APPLIED = Date.parse("2030-01-01T00:00:00Z");
const later = (seconds: number): string => isoTime(epochMillis(APPLIED + seconds * 1000));
const at = (seconds: number): EpochMillis => epochMillis(APPLIED + seconds * 1000);

const runs = (limits: Record<string, unknown>, changes: object = {}): RunningAccount => ({
  server: "s1",
  loaded: true,
  expired: false,
  signatureValid: true,
  jetstream: true,
  document: claims({}, limits),
  appliedAt: epochMillis(APPLIED),
  ...changes,
});

interface Scene {
  readonly of?: Parameters<typeof stream>[0];
  readonly on?: Partial<ServerFacts>;
  readonly limits?: Record<string, unknown>;
  readonly running?: readonly RunningAccount[];
  readonly changes?: Partial<Observation>;
  readonly tiers?: TierHistory;
  readonly sight?: LastSight;
}

const OLD = { created: later(-60), lastAt: later(-30) } as const;
const FULL = { id: "N1", resolver: "full" } as const;

const look = ({ of = {}, on = {}, limits = TIERS, running, changes = {} }: Scene): Observation =>
  observation({
    servers: [server({ ...FULL, ...on })],
    stored: { ok: true, value: { document: claims({}, limits), signatureValid: true } },
    running: { ok: true, value: running ?? [runs(limits)] },
    streams: { ok: true, value: [stream({ ...OLD, ...of })] },
    accountView: NOT_ASKED,
    ...changes,
  });
const unproved = (scene: Scene): readonly string[] =>
  unprovedStreams(look(scene), {
    ...(scene.tiers === undefined ? {} : { tiers: scene.tiers }),
    ...(scene.sight === undefined ? {} : { sight: scene.sight }),
  }).map(({ name }) => name);

const entry = (seconds: number, servers: object) =>
  ({ at: at(seconds), job: "j", account: ACCOUNT, kind: "tiers.seen", data: { servers } }) as never;
const seen = (...entries: readonly [number, object][]): TierHistory =>
  tierHistory(entries.map(([seconds, servers]) => entry(seconds, servers)));
const sightAt = (seconds: number, tiers?: true): LastSight => ({
  at: at(seconds),
  streams: [],
  whole: true,
  ...(tiers === undefined ? {} : { tiers }),
});

const CLUSTERED = { topology: "clustered" } as const;
const MEMORY = { resolver: "memory-or-url", configuredAt: epochMillis(1) } as const;

describe("a stream is not proved", () => {
  test.each<[string, Scene]>([
    ["if it is older than the claims", {}],
    ["if its age is unknown", { of: { created: undefined as never, lastAt: undefined as never } }],
    ["if nothing says since when the claims run", { running: [runs(TIERS, { appliedAt: undefined })] }],
    ["if it was created while the server applied them", { of: { created: later(0.5) } }],
    ["by a message that the server removed again, as 2.9.10 does", { of: { lastAt: later(30), messages: 9 } }],
    ["by the last message of an empty stream", { of: { lastAt: later(30), messages: 0, firstSeq: 11 } }],
    ["by a mirror's messages, which have its origin's times", { of: { lastAt: later(30), config: { mirror: {} } } }],
    ["by a message on another server than its leader", { of: { lastAt: later(30), leader: "s2" } }],
    ["by the clock of another server", { on: CLUSTERED, of: { created: later(3) } }],
    [
      "by the clock of a server that is behind",
      { on: { ...CLUSTERED, clockSkew: millis(-20_000) }, of: { created: later(10) } },
    ],
    ["by a sight of an older version", { tiers: seen([-50, { s1: "N1" }]), sight: sightAt(-40) }],
    [
      "by a sight before a server ran flat limits",
      { tiers: seen([-50, { s1: "N1" }], [-20, {}], [-10, { s1: "N1" }]), sight: sightAt(-40, true) },
    ],
    [
      "by a restart from a MEMORY resolver's older claims",
      { on: { ...MEMORY, id: "N2" }, tiers: seen([-50, { s1: "N1" }]), sight: sightAt(-40, true) },
    ],
    ["by a restart before Relight saw the tiers", { on: { id: "N2" }, tiers: seen([5, { s1: "N2" }]) }],
    [
      "by a restart that a MEMORY resolver's server made",
      { on: { ...MEMORY, id: "N2" }, tiers: seen([-50, { s1: "N1" }]) },
    ],
  ])("%s", (_what, scene) => {
    expect(unproved(scene)).toEqual(["ORDERS"]);
  });

  test("in another domain, even if the account was asked: it tells of its own only", () => {
    const { accountView } = observation();
    const beyond = {
      accountView,
      elsewhere: { ok: true, value: [stream({ ...OLD, name: "LEAF", domain: "leaf" })] },
    } as const;
    expect(unproved({ changes: beyond })).toEqual(["LEAF"]);
  });

  test("on one of its servers, if only the others are", () => {
    const running = [runs(TIERS, { document: claims({}, { ...TIERS, tiered_limits: { R3: {} } }) })];
    const both = [...running, { ...running[0], server: "s2" } as RunningAccount];
    const of = { replicas: 3, peers: [{ name: "s2", current: true }] };
    const servers = [server({ ...FULL, ...CLUSTERED }), server({ ...FULL, ...CLUSTERED, name: "s2", id: "M2" })];
    const changes = { servers };
    expect(unproved({ of, running: both, changes, tiers: seen([-50, { s1: "N0", s2: "M2" }]) })).toEqual(["ORDERS"]);
    expect(unproved({ of, running: both, changes, tiers: seen([-50, { s1: "N0", s2: "M0" }]) })).toEqual([]);
  });
});

describe("a stream is proved", () => {
  test.each<[string, Scene]>([
    ["without tiers", { limits: FLAT }],
    ["if the server could not reserve the tiers, and applies its flat limits", { of: { flatOn: ["s1"] } }],
    ["if the account was asked", { changes: { accountView: observation().accountView } }],
    ["if it is younger than the claims", { of: { created: later(2) } }],
    ["if it is younger than the claims, in a cluster", { on: CLUSTERED, of: { created: later(6) } }],
    ["by a message since", { of: { lastAt: later(2) } }],
    [
      "if it is younger than Relight's first sight of the tiers",
      { of: { created: later(-30) }, tiers: seen([-40, { s1: "N1" }]) },
    ],
    ["by a restart since", { tiers: seen([-50, { s1: "N0" }]) }],
    ["by a restart at some time since", { tiers: seen([-50, { s1: "N0" }], [-20, { s1: "N1" }]) }],
    ["by the last healthy check", { tiers: seen([-50, { s1: "N1" }]), sight: sightAt(-40, true) }],
    [
      "by the last healthy check, with its MEMORY resolver's server still up",
      { on: MEMORY, tiers: seen([-50, { s1: "N1" }]), sight: sightAt(-40, true) },
    ],
    [
      "by the last healthy check, with its claims in the MEMORY resolver",
      {
        on: { ...MEMORY, id: "N2", configuredAt: epochMillis(Number.MAX_SAFE_INTEGER) },
        tiers: seen([-50, { s1: "N1" }]),
        sight: sightAt(-40, true),
      },
    ],
    ["if it is sealed, and takes no messages anyway", { of: { config: { sealed: true } } }],
    ["if there is no tier for it, which is another finding", { of: { replicas: 3 } }],
    ["on a server that does not answer, which is another finding", { of: { server: "s9", leader: "s9" } }],
  ])("%s", (_what, scene) => {
    expect(unproved(scene)).toEqual([]);
  });
});

describe("the finding", () => {
  const standards = { operator, unfinishedToggle: false, unfinishedChanges: [] };

  test("is unknown, and names the streams and what settles it", () => {
    const { health, findings } = assess(look({}), standards);
    expect({ health, findings }).toMatchObject({
      health: "unknown",
      findings: [
        {
          code: "limit.tiers_unproven",
          health: "unknown",
          message: expect.stringMatching(/nothing proves that ORDERS counts in one .*10120.*signingKey/),
          advice: expect.stringMatching(/relight heal/),
          evidence: { streams: ["ORDERS"] },
        },
      ],
    });
  });

  test("asks for no key where there is one that may not be used", () => {
    const keptOut = { ok: "not-asked", why: "the claims have auth callout", keptOut: true } as const;
    const [found] = assess(look({ changes: { accountView: keptOut } }), standards).findings;
    expect(found?.message).toMatch(/auth callout/);
    expect(found?.message).not.toMatch(/signingKey/);
  });

  test("is left to the failed question, if the account does not answer", () => {
    const codes = assess(look({ changes: { accountView: FAILED } }), standards).findings.map(({ code }) => code);
    expect(codes).toEqual(["probe.failed"]);
  });
});

describe("what the journal remembers", () => {
  const store = (scene: Scene, history: TierHistory) => tiersToStore(look(scene), history);

  test.each<[string, Scene, TierHistory, object | undefined]>([
    ["tiers at first", {}, seen(), { s1: "N1" }],
    ["tiers that a server does not apply", { of: { flatOn: ["s1"] } }, seen(), undefined],
    ["tiers that a server applied before", { of: { flatOn: ["s1"] } }, seen([-50, { s1: "N1" }]), {}],
    ["nothing new", {}, seen([-50, { s1: "N1" }]), undefined],
    ["a restart", { on: { id: "N2" } }, seen([-50, { s1: "N1" }]), { s1: "N2" }],
    ["flat limits after tiers", { limits: FLAT }, seen([-50, { s1: "N1" }]), {}],
    ["flat limits, as always", { limits: FLAT }, seen(), undefined],
    ["a server that does not answer, as before", { running: [] }, seen([-50, { s1: "N1" }]), undefined],
    ["another server", {}, seen([-50, { s2: "M1" }]), { s1: "N1", s2: "M1" }],
  ])("%s", (_what, scene, history, stored) => {
    expect(store(scene, history)).toEqual(stored);
  });

  test("since when each server has tiers, and since when none has left them", () => {
    const history = seen(
      [-50, { s1: "N1" }],
      [-40, { s1: "N1", s2: "M1" }],
      [-30, { s2: "M1" }],
      [-20, { s1: "N2", s2: "M2" }],
    );
    expect(history).toEqual({
      unbrokenSince: at(-30),
      servers: new Map([
        ["s1", { since: at(-20), ids: ["N2"] }],
        ["s2", { since: at(-40), ids: ["M1", "M2"] }],
      ]),
    });
    expect(tierHistory([...[[-50, { s1: "N1" }] as const].map(([t, s]) => entry(t, s)), entry(-40, {})])).toEqual(
      seen(),
    );
  });

  test("the sight of a healthy account has the kind of its limits", () => {
    expect(sightIn(look({}))).toMatchObject({ tiers: true });
    expect(sightIn(look({ limits: FLAT }))).not.toHaveProperty("tiers");
    expect(sightIn(look({ of: { flatOn: ["s1"] } }))).not.toHaveProperty("tiers");
  });
});
