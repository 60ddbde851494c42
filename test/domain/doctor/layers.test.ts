import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { judgeLayers } from "../../../lib/domain/doctor/layers.ts";
import { isExpiredWithAssets } from "../../../lib/domain/doctor/layers-accounts.ts";
import type { AccountHealth, ClusterFacts, LayerId } from "../../../lib/domain/doctor/layers-facts.ts";
import type { MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type { Observation, Probe } from "../../../lib/domain/observation/observation.ts";
import type { HealthAnswer, HealthChecks } from "../../../lib/domain/observation/server-health.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { type Health, worst } from "../../../lib/domain/verdict/verdict.ts";
import {
  ACCOUNT,
  claims,
  consumer,
  DEAF,
  FAILED,
  NOW,
  observation,
  operator,
  runsExpired,
  server,
  stream,
} from "../observations.ts";

const OK: Probe<HealthAnswer> = { ok: true, value: { ok: true, message: "ok" } };
const no = (message: string): Probe<HealthAnswer> => ({ ok: true, value: { ok: false, message } });
const checks = (changes: Partial<HealthChecks> = {}): HealthChecks => ({
  enabledOnly: OK,
  serverOnly: OK,
  full: OK,
  ...changes,
});

const THREE: MetaGroup = {
  leader: "s1",
  size: 3,
  peers: ["s2", "s3"].map((name) => ({ name, current: true, offline: false })),
};

/** The same from one account's look. */
const CLUSTER: Partial<Observation> = {
  servers: ["s1", "s2", "s3"].map((name) => server({ name, topology: "clustered" })),
  meta: { ok: true, value: THREE },
};

const led = (changes: Parameters<typeof stream>[0] = {}) =>
  stream({ leader: "s1", consumers: [consumer({ leader: "s1" })], ...changes });
const streams = (...list: readonly ReturnType<typeof stream>[]): Partial<Observation> => ({
  streams: { ok: true, value: list },
});

function account(changes: Partial<Observation> = {}, name = "APP"): AccountHealth {
  const seen = observation({ ...streams(led()), ...changes });
  return {
    account: ACCOUNT,
    name,
    observation: seen,
    verdict: assess(seen, { operator, unfinishedToggle: false, unfinishedChanges: [] }),
  };
}

const document = claims({ exp: NOW - 10 });
const EXPIRED: Partial<Observation> = {
  accountView: { ok: "not-asked", why: "expired" },
  stored: { ok: true, value: { document, signatureValid: true } },
  running: runsExpired(document),
};

const up = (name: string, changes: Partial<HealthChecks> = {}) => ({
  server: server({ name, topology: "clustered" }),
  checks: checks(changes),
});

const facts = (changes: Partial<ClusterFacts> = {}): ClusterFacts => ({
  servers: { ok: true, value: { expected: 3, servers: ["s1", "s2", "s3"].map((name) => up(name)) } },
  monitoring: [],
  meta: [{ meta: { ok: true, value: THREE } }],
  accounts: { ok: true, value: [account()] },
  ...changes,
});

const withServers = (...servers: readonly ReturnType<typeof up>[]): Partial<ClusterFacts> => ({
  servers: { ok: true, value: { expected: 3, servers } },
});
const withMeta = (meta: MetaGroup | undefined): Partial<ClusterFacts> => ({
  meta: [{ meta: { ok: true, value: meta } }],
});
const withAccounts = (...value: readonly AccountHealth[]): Partial<ClusterFacts> => ({
  accounts: { ok: true, value },
});
const monitoring = (changes: Partial<HealthChecks> = {}): Partial<ClusterFacts> => ({
  monitoring: [{ url: "http://s1:8222", checks: checks(changes) }],
});

type Row = readonly [Health, Health, Health, Health, Health, Health];
const [H, G, D, U] = ["healthy", "degraded", "dead", "unknown"] as const;
const IDS: readonly LayerId[] = ["servers", "jetstream", "meta", "accounts", "streams", "subjects"];

describe("the layers", () => {
  test.each<[string, Partial<ClusterFacts>, Row]>([
    ["a healthy cluster", {}, [H, H, H, H, H, H]],
    ["monitoring agrees", monitoring(), [H, H, H, H, H, H]],
    ["monitoring can't be reached", monitoring({ enabledOnly: FAILED, serverOnly: FAILED }), [U, H, H, H, H, H]],
    [
      "monitoring says that JetStream is off",
      monitoring({ enabledOnly: no("JetStream is not enabled") }),
      [H, G, H, H, H, H],
    ],
    ["nobody can be asked", { servers: FAILED, meta: [], accounts: FAILED }, [U, U, U, U, U, U]],
    ["one of three does not answer", withServers(up("s1"), up("s2")), [G, H, H, H, H, H]],
    [
      "one server's JetStream is off",
      withServers(up("s1"), up("s2"), up("s3", { enabledOnly: no("off") })),
      [H, G, H, H, H, H],
    ],
    [
      "every server's JetStream is off",
      withServers(...["s1", "s2", "s3"].map((name) => up(name, { enabledOnly: no("off") }))),
      [H, D, U, U, U, U],
    ],
    ["a server does not say", withServers(up("s1"), up("s2"), up("s3", { enabledOnly: FAILED })), [H, U, H, H, H, H]],
    [
      "a server has not caught up",
      withServers(up("s1"), up("s2"), up("s3", { serverOnly: no("not current") })),
      [H, H, G, H, H, H],
    ],
    ["a server that stands alone", withMeta(undefined), [H, H, H, H, H, H]],
    ["the meta group has no leader", withMeta({ size: 3, peers: [] }), [H, H, D, U, U, U]],
    [
      "a peer is offline",
      withMeta({ ...THREE, peers: THREE.peers.map((peer) => ({ ...peer, offline: peer.name === "s3" })) }),
      [H, H, G, H, H, H],
    ],
    [
      "quorum is lost",
      withMeta({ ...THREE, peers: THREE.peers.map((peer) => ({ ...peer, offline: true })) }),
      [H, H, D, U, U, U],
    ],
    ["the meta group could not be asked", { meta: [{ meta: FAILED }] }, [H, H, U, H, H, H]],
    ["there is no account", withAccounts(), [H, H, H, U, U, U]],
    ["an account has expired, with streams", withAccounts(account(EXPIRED)), [H, H, H, D, U, U]],
    ["an account has expired, without any", withAccounts(account({ ...EXPIRED, ...streams() })), [H, H, H, G, H, H]],
    ["a stream has no leader", withAccounts(account(streams(led({ leader: "" })))), [H, H, H, H, D, U]],
    ["a stream is deaf", withAccounts(account(streams(led(DEAF)))), [H, H, H, H, H, D]],
    [
      "nobody answers direct gets of a stream",
      withAccounts(account(streams(led({ directGets: { ok: true, value: { heardOn: [], deafOn: ["s1"] } } })))),
      [H, H, H, H, H, D],
    ],
    [
      "a stream's subjects could not be checked",
      withAccounts(account(streams(led({ deafSubjects: FAILED })))),
      [H, H, H, H, H, U],
    ],
    ["streams could not be read", withAccounts(account({ streams: FAILED })), [H, H, H, H, U, U]],
    ["claims could not be checked", withAccounts(account({ running: FAILED })), [H, H, H, U, H, H]],
    [
      "a replica lags",
      withAccounts(
        account({
          ...CLUSTER,
          ...streams(
            led({
              replicas: 3,
              peers: [
                { name: "s2", current: true },
                { name: "s3", current: false },
              ],
            }),
          ),
        }),
      ),
      [H, H, H, H, G, H],
    ],
    [
      "replicas are missing",
      withAccounts(account({ ...CLUSTER, ...streams(led({ replicas: 3, peers: [{ name: "s2", current: true }] })) })),
      [H, H, H, H, G, H],
    ],
  ])("%s", (_situation, changes, row) => {
    const layers = judgeLayers(facts(changes));
    expect(layers.map(({ id }) => id)).toEqual(IDS);
    expect(layers.map(({ verdict }) => verdict)).toEqual(row);
  });

  test("a dead account does not affect the others", () => {
    const layers = judgeLayers(facts(withAccounts(account(EXPIRED, "OLD"), account({}, "NEW"))));
    const streamsLayer = layers.find(({ id }) => id === "streams");
    expect(streamsLayer?.evidence.map(({ about, health }) => [about, health])).toEqual([
      ["OLD", "unknown"],
      ["NEW", "healthy"],
    ]);
  });

  test("a layer above a dead one names it", () => {
    const [, , , , , subjects] = judgeLayers(facts(withMeta({ size: 3, peers: [] })));
    expect(subjects?.evidence).toEqual([
      expect.objectContaining({
        message: expect.stringMatching(/not checked, because .* \(meta\) is dead/),
      }),
    ]);
  });

  test("always have evidence, and are as bad as the worst of it; above a dead server layer nothing is healthy", () => {
    const health = fc.constantFrom(OK, no("bad"), FAILED);
    const group = fc.constantFrom<Probe<MetaGroup | undefined>>(
      FAILED,
      ...[undefined, THREE, { size: 3, peers: [] }].map((value) => ({ ok: true, value }) as const),
    );
    const accounts = fc.constantFrom<ClusterFacts["accounts"]>(
      FAILED,
      ...[[], [account()], [account(EXPIRED)], [account(streams(led(DEAF)))]].map(
        (value) => ({ ok: true, value }) as const,
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(health, health), { minLength: 1 }), group, accounts, (servers, meta, found) => {
        const answered = servers.map(([enabledOnly, serverOnly], index) =>
          up(`s${index}`, { enabledOnly, serverOnly }),
        );
        const layers = judgeLayers(facts({ ...withServers(...answered), meta: [{ meta }], accounts: found }));
        const dead = layers.findIndex(({ verdict, id }) => verdict === "dead" && ["jetstream", "meta"].includes(id));
        for (const { verdict, evidence } of layers) {
          expect(evidence.length).toBeGreaterThan(0);
          expect(verdict).toBe(worst(evidence.map((entry) => entry.health)));
        }
        if (dead >= 0) for (const { verdict } of layers.slice(dead + 1)) expect(verdict).toBe("unknown");
      }),
    );
  });
});

test.each<[string, Partial<Observation>, boolean]>([
  ["a healthy account", {}, false],
  ["one that expired with streams", EXPIRED, true],
  ["one that expired without", { ...EXPIRED, ...streams() }, false],
  [
    "one that expired and that no server has loaded",
    { ...EXPIRED, ...streams(), running: { ok: true, value: [{ server: "s1", loaded: false }] } },
    true,
  ],
  ["one that expired and may have streams", { ...EXPIRED, streams: FAILED }, true],
])("whether a restart now would harm %s: %#", (_what, changes, harm) => {
  expect(isExpiredWithAssets(account(changes))).toBe(harm);
});
