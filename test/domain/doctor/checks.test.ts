import { describe, expect, test } from "@jest/globals";
import type { AccountClaims } from "../../../lib/domain/claims/claims.ts";
import { type CheckedFacts, clusterChecks } from "../../../lib/domain/doctor/all-checks.ts";
import { CHECKS, type CheckCode } from "../../../lib/domain/doctor/check-codes.ts";
import { bySeverity, type Check, check, confirmed } from "../../../lib/domain/doctor/checks.ts";
import { MANY_REVOCATIONS } from "../../../lib/domain/doctor/checks-accounts.ts";
import { importChecks } from "../../../lib/domain/doctor/checks-imports.ts";
import type { AccountHealth } from "../../../lib/domain/doctor/layers-facts.ts";
import type { JetStreamVitals, LeafVitals, ServerCheckup, ServerVitals } from "../../../lib/domain/doctor/vitals.ts";
import type { Deliveries } from "../../../lib/domain/limits/server-use.ts";
import type { MetaGroup } from "../../../lib/domain/observation/meta-group.ts";
import type { Observation, ServerFacts, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { millis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { ACCOUNT, claims, consumer, FAILED, NOW, observation, operator, server, stream } from "../observations.ts";

const EXPORTER = `A${"E".repeat(55)}`;
const KEY = `A${"K".repeat(55)}`;

const withNats = (nats: object, head: object = {}) =>
  claims({ nats: { limits: {}, type: "account", version: 2, ...nats }, ...head });

function account(document = claims(), changes: Partial<Observation> = {}): AccountHealth {
  const seen = observation({
    account: document.claims.sub,
    stored: { ok: true, value: { document, signatureValid: true } },
    running: running(document),
    ...changes,
  });
  const verdict = assess(seen, { operator, unfinishedToggle: false, unfinishedChanges: [] });
  return { account: document.claims.sub, name: document.claims.name, observation: seen, verdict, claims: document };
}

const running = (document = claims(), more: object = {}): Observation["running"] => ({
  ok: true,
  value: [{ server: "s1", loaded: true, expired: false, signatureValid: true, jetstream: true, document, ...more }],
});

const VITALS: ServerVitals = {
  connections: 5,
  maxConnections: 100,
  maxPayload: 2 ** 20,
  cpu: 10,
  cores: 2,
  memory: 50,
  memoryLimit: 100,
  slow: { clients: 0, routes: 0, gateways: 0, leafnodes: 0 },
};
const JETSTREAM: JetStreamVitals = {
  max: { memory: 100, file: 100 },
  reserved: { memory: 0, file: 0 },
  used: { memory: 0, file: 0 },
  assets: 0,
  requests: 1_000,
  errors: 99,
  inflight: 0,
  pending: 0,
};

const checkup = (
  changes: Partial<ServerVitals> = {},
  leafs: readonly LeafVitals[] = [],
  name = "s1",
): ServerCheckup => ({
  server: name,
  vitals: { ok: true, value: { ...VITALS, ...changes } },
  leafnodes: { ok: true, value: leafs },
});

const HEALTH = { ok: true, value: { ok: true, message: "ok" } } as const;
const withServers = (...servers: readonly ServerFacts[]): Partial<CheckedFacts> => ({
  servers: {
    ok: true,
    value: {
      expected: servers.length,
      servers: servers.map((one) => ({
        server: one,
        checks: { enabledOnly: HEALTH, serverOnly: HEALTH, full: HEALTH },
      })),
    },
  },
});
const withAccounts = (...value: readonly AccountHealth[]): Partial<CheckedFacts> => ({ accounts: { ok: true, value } });
const withVitals = (changes: Partial<ServerVitals>): Partial<CheckedFacts> => ({ checkups: [checkup(changes)] });
const withJetStream = (changes: Partial<JetStreamVitals>) => withVitals({ jetstream: { ...JETSTREAM, ...changes } });
const withStream = (changes: Partial<StreamFacts>): Partial<CheckedFacts> =>
  withAccounts(account(claims(), { streams: { ok: true, value: [stream(changes)] } }));
const withConsumer = (changes: Partial<Deliveries>, config: object = {}) =>
  withStream({
    consumers: [
      consumer({
        config: { max_ack_pending: 100, max_waiting: 10, ...config },
        deliveries: { ackPending: 0, redelivered: 0, waiting: 0, bound: false, ...changes },
      }),
    ],
  });
const withMeta = (changes: Partial<MetaGroup>, domain?: string): Partial<CheckedFacts> => ({
  meta: [{ ...(domain === undefined ? {} : { domain }), meta: { ok: true, value: { ...THREE, ...changes } } }],
});
const withLeafs = (...leafs: readonly LeafVitals[]): Partial<CheckedFacts> => ({ checkups: [checkup({}, leafs)] });
const leaf = (changes: Partial<LeafVitals> = {}): LeafVitals => ({
  account: ACCOUNT,
  name: "edge",
  accepted: true,
  roundTrip: millis(2),
  ...changes,
});
const THREE: MetaGroup = {
  leader: "s1",
  size: 3,
  peers: ["s2", "s3"].map((name) => ({ name, current: true, offline: false })),
};

const facts = (changes: Partial<CheckedFacts> = {}): CheckedFacts => ({
  ...withServers(server()),
  servers: { ok: true, value: { expected: 0, servers: [] } },
  meta: [{ meta: { ok: true, value: THREE } }],
  checkups: [checkup()],
  accounts: { ok: true, value: [account()] },
  ...changes,
});
const codesOf = (checks: readonly Check[]): readonly CheckCode[] => checks.map(({ code }) => code);
const codes = (changes: Partial<CheckedFacts> = {}): readonly CheckCode[] => codesOf(clusterChecks(facts(changes)));

/** Cases that were seen in tests, for the last test. */
const seen: Check[] = [];
function finds(changes: Partial<CheckedFacts>): readonly CheckCode[] {
  const checks = clusterChecks(facts(changes));
  seen.push(...checks);
  return codesOf(checks);
}

test("a healthy cluster has no checks", () => {
  expect(codes()).toEqual([]);
  expect(codes({ accounts: FAILED, servers: FAILED, checkups: [], meta: [] })).toEqual([]);
});

describe("of servers", () => {
  const [one, two] = [server(), server({ id: "N2", name: "s2" })];
  test.each<[string, Partial<CheckedFacts>, readonly CheckCode[]]>([
    ["of one version", withServers(one, two), []],
    ["of two versions", withServers(one, { ...two, version: "2.15.1" }), ["server.versions_mixed"]],
    ["with one name", withServers(one, { ...two, name: "s1" }), ["server.name_twice"]],
    ["that does not tell", { checkups: [{ server: "s1", vitals: FAILED, leafnodes: FAILED }] }, ["server.unseen"]],
    ["that hides its leafnodes", { checkups: [{ ...checkup(), leafnodes: FAILED }] }, ["server.unseen"]],
    [
      "with different max_payload",
      { checkups: [checkup(), checkup({ maxPayload: 2 ** 21 }, [], "s2")] },
      ["server.payloads_differ"],
    ],
    ["at 89 % of its connections", withVitals({ connections: 89 }), []],
    ["at 90 % of its connections", withVitals({ connections: 90 }), ["server.connections_near"]],
    ["at all of its connections", withVitals({ connections: 100 }), ["server.connections_full"]],
    ["without a limit of connections", withVitals({ connections: 100, maxConnections: 0 }), []],
    ["with busy cores", withVitals({ cpu: 180 }), ["server.cpu"]],
    ["with cores that are less busy", withVitals({ cpu: 179 }), []],
    ["with little memory left", withVitals({ memory: 90 }), ["server.memory"]],
    ["with slow clients", withVitals({ slow: { ...VITALS.slow, clients: 1 } }), ["server.slow_clients"]],
    ["with slow routes", withVitals({ slow: { ...VITALS.slow, routes: 1 } }), ["server.slow_links"]],
    ["with JetStream", withJetStream({}), []],
    ["that is nearly full", withJetStream({ used: { memory: 0, file: 90 } }), ["server.storage_near"]],
    ["that is nearly reserved", withJetStream({ reserved: { memory: 90, file: 0 } }), ["server.reserved_near"]],
    ["with many API errors", withJetStream({ errors: 100 }), ["server.api_errors"]],
    ["with few API requests", withJetStream({ errors: 100, requests: 999 }), []],
    ["with waiting API requests", withJetStream({ inflight: 1_000 }), ["server.api_backlog"]],
    ["with a waiting meta group", withJetStream({ pending: 1_000 }), ["meta.backlog"]],
  ])("%s", (_what, changes, expected) => {
    expect(finds(changes)).toEqual(expected);
  });
});

describe("of the meta group", () => {
  const peer = (changes: Partial<MetaGroup["peers"][number]>) => ({
    name: "s2",
    current: true,
    offline: false,
    ...changes,
  });
  const away = (minutes: number) => ({
    peers: [peer({ activeAgoMillis: millis(minutes * 60_000) }), peer({ name: "s3" })],
  });
  test.each<[string, Partial<CheckedFacts>, readonly CheckCode[]]>([
    ["a standalone server", { meta: [{ meta: { ok: true, value: undefined } }] }, []],
    ["a member away for 59 minutes", withMeta(away(59)), []],
    ["a member away for 61 minutes", withMeta(away(61)), ["meta.peer_gone"]],
    ["a member never heard", withMeta({ peers: [peer({ offline: true }), peer({ name: "s3" })] }), ["meta.peer_gone"]],
    ["four members", withMeta({ size: 4 }), ["meta.even"]],
    ["a name twice", withMeta({ peers: [peer({}), peer({})] }), ["meta.name_twice"]],
    [
      "very many replicas",
      withAccounts(
        account(claims(), {
          streams: { ok: true, value: Array.from({ length: 5_000 }, (_, index) => stream({ name: `S${index}` })) },
        }),
      ),
      ["meta.assets"],
    ],
  ])("%s", (_what, changes, expected) => {
    expect(finds(changes)).toEqual(expected);
  });
});

describe("of streams and consumers", () => {
  const full = (messages: number, bytes: number) =>
    withStream({ messages, bytes, config: { discard: "new", max_msgs: 100, max_bytes: 1_000 } });
  test.each<[string, Partial<CheckedFacts>, readonly CheckCode[]]>([
    ["three replicas", withStream({ replicas: 3 }), []],
    ["two replicas", withStream({ replicas: 2 }), ["stream.even_replicas"]],
    ["89 % of max_msgs", full(89, 89), []],
    ["90 % of max_msgs", full(90, 90), ["stream.near_full"]],
    ["all of max_msgs, which is a warning of the account", full(100, 100), []],
    ["90 % of max_bytes", full(50, 900), ["stream.near_full"]],
    ["90 % with discard old", withStream({ messages: 90, config: { discard: "old", max_msgs: 100 } }), []],
    [
      "a consumer whose leader did not tell",
      withStream({ consumers: [consumer({ config: { deliver_subject: "a" } })] }),
      [],
    ],
    ["89 % of max_ack_pending", withConsumer({ ackPending: 89 }), []],
    ["90 % of max_ack_pending", withConsumer({ ackPending: 90 }), ["consumer.ack_pending"]],
    ["no max_ack_pending", withConsumer({ ackPending: 90 }, { max_ack_pending: -1 }), []],
    ["many redeliveries", withConsumer({ ackPending: 20, redelivered: 10 }), ["consumer.redelivers"]],
    ["few redeliveries", withConsumer({ ackPending: 9, redelivered: 9 }), []],
    ["90 % of max_waiting", withConsumer({ waiting: 9 }), ["consumer.waiting_near"]],
    ["a push consumer without a subscriber", withConsumer({}, { deliver_subject: "a" }), ["consumer.no_subscriber"]],
    ["a push consumer with one", withConsumer({ bound: true }, { deliver_subject: "a" }), []],
  ])("%s", (_what, changes, expected) => {
    expect(finds(changes)).toEqual(expected);
  });
});

describe("of leafnodes and domains", () => {
  const hub = server({ domain: "d", topology: "clustered" });
  const edge = server({ id: "N2", name: "edge", domain: "d", topology: "leaf" });
  test.each<[string, Partial<CheckedFacts>, readonly CheckCode[]]>([
    ["a fast leafnode", withLeafs(leaf()), []],
    ["a slow leafnode", withLeafs(leaf({ roundTrip: millis(250) })), ["leafnode.slow"]],
    [
      "a slow connection to a hub, which the hub tells",
      withLeafs(leaf({ roundTrip: millis(250), accepted: false })),
      [],
    ],
    ["two connections to one account", withLeafs(leaf(), leaf()), ["leafnode.twice"]],
    ["two to different accounts", withLeafs(leaf(), leaf({ account: EXPORTER })), []],
    ["two leafnodes", withLeafs(leaf(), leaf({ name: "other" })), []],
    ["a leafnode in its hub's domain", { ...withServers(hub, edge), ...withMeta({}, "d") }, ["domain.shared"]],
    [
      "a leafnode that extends the hub's meta group",
      { ...withServers(hub, edge), ...withMeta({ leader: "edge" }, "d") },
      [],
    ],
    ["a leafnode in a domain of its own", withServers(hub, { ...edge, domain: "e" }), []],
    ["two leafnodes in one domain", withServers(edge, { ...edge, id: "N3", name: "edge2" }), ["domain.shared"]],
  ])("%s", (_what, changes, expected) => {
    expect(finds(changes)).toEqual(expected);
  });
});

describe("of claims", () => {
  const exporter = (exports: readonly object[], head: object = {}) =>
    account(withNats({ exports }, { sub: EXPORTER, name: "EXP", ...head }), { streams: { ok: true, value: [] } });
  const importer = (...imports: readonly object[]) => account(withNats({ imports }));
  const leafs = (count: number) =>
    withAccounts(
      account(claims({}, { leaf: 10 }), {
        running: running(claims({}, { leaf: 10 }), { connections: { clients: 0, leafnodes: count } }),
      }),
    );
  const many = (revocations: number) =>
    Object.fromEntries(Array.from({ length: revocations }, (_, index) => [`U${index}`, 1]));
  const a = { subject: "a.>", type: "stream" };
  test.each<[string, Partial<CheckedFacts>, readonly CheckCode[]]>([
    [
      "an export that is imported",
      withAccounts(exporter([a]), importer({ ...a, subject: "a.b", account: EXPORTER })),
      [],
    ],
    ["an export that nobody imports", withAccounts(exporter([a]), account()), ["export.unused"]],
    [
      "an import of the other type",
      withAccounts(exporter([a, { ...a, type: "service" }]), importer({ ...a, account: EXPORTER })),
      ["export.unused"],
    ],
    ["an unused export beside an unknown account", withAccounts(exporter([a]), { ...unknown() }), []],
    ["exports of the system account", { ...withAccounts(exporter([a])), systemAccount: EXPORTER }, []],
    [
      "an export of everything",
      withAccounts(
        exporter([{ subject: ">", type: "stream" }]),
        importer({ subject: "b", type: "stream", account: EXPORTER }),
      ),
      ["export.everything"],
    ],
    [
      "an export of everything for tokens",
      withAccounts(exporter([{ subject: ">", type: "stream", token_req: true }])),
      ["export.unused"],
    ],
    ["one name twice", withAccounts(account(), exporter([], { name: "APP" })), ["account.name_twice"]],
    ["a JWT at 90 % of max_payload", withVitals({ maxPayload: 600 }), ["claims.size_near"]],
    ["a JWT larger than max_payload", withVitals({ maxPayload: 500 }), ["claims.too_large"]],
    ["a JWT well below it", withVitals({ maxPayload: 1_000 }), []],
    [
      "many revocations",
      withAccounts(account(withNats({ revocations: many(MANY_REVOCATIONS + 1) }))),
      ["claims.revocations"],
    ],
    ["fewer revocations", withAccounts(account(withNats({ revocations: many(MANY_REVOCATIONS) }))), []],
    ["8 of 10 leafnodes", leafs(8), []],
    ["9 of 10 leafnodes", leafs(9), ["account.leafnodes_near"]],
  ])("%s", (_what, changes, expected) => {
    expect(finds(changes)).toEqual(expected);
  });
});

function unknown(): AccountHealth {
  const { claims: _claims, ...rest } = account(claims(), { stored: FAILED, running: FAILED });
  return { ...rest, account: KEY as AccountHealth["account"] };
}

describe("an import", () => {
  const jwtOf = (payload: object): string => `e30.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.c2ln`;
  const token = (head: object = {}, nats: object = {}): string =>
    jwtOf({ iss: EXPORTER, sub: ACCOUNT, iat: NOW - 10, ...head, nats: { subject: "a.>", kind: "stream", ...nats } });
  const PRIVATE = { subject: "a.>", type: "stream", token_req: true };

  function judged(
    given: object,
    offered: readonly object[] | "nobody" | "unknown",
    more: object = {},
  ): readonly Check[] {
    const document = withNats({ imports: [{ subject: "a.b", type: "stream", account: EXPORTER, ...given }] });
    const exporter = withNats(
      { exports: Array.isArray(offered) ? offered : [], signing_keys: [{ key: KEY }] },
      { sub: EXPORTER, name: "EXP" },
    ).claims;
    const importer = {
      name: "APP",
      claims: document.claims,
      observation: observation({ running: running(document, more) }),
    };
    const known: { readonly value: AccountClaims | undefined } = { value: offered === "nobody" ? undefined : exporter };
    return importChecks(importer, () => (offered === "unknown" ? FAILED : { ok: true, ...known }));
  }

  test.each<[string, object, Parameters<typeof judged>[1], CheckCode | undefined]>([
    ["of a public export", {}, [{ subject: "a.>", type: "stream" }], undefined],
    ["from an account that nobody knows", {}, "nobody", "import.no_exporter"],
    ["from an account whose claims are unknown", {}, "unknown", undefined],
    ["without an export", {}, [], "import.no_export"],
    ["with an export of the other type", {}, [{ subject: "a.>", type: "service" }], "import.no_export"],
    ["wider than the export", { subject: "a.>" }, [{ subject: "a.b", type: "stream" }], "import.no_export"],
    ["without its token", {}, [PRIVATE], "import.no_token"],
    ["with a token", { token: token() }, [PRIVATE], undefined],
    [
      "with a token by a signing key",
      { token: token({ iss: KEY }, { issuer_account: EXPORTER }) },
      [PRIVATE],
      undefined,
    ],
    ["with a token that servers fetch", { token: "https://host/token" }, [PRIVATE], undefined],
    ["with a token that is none", { token: "x" }, [PRIVATE], "import.token_wrong"],
    ["with another importer's token", { token: token({ sub: KEY }) }, [PRIVATE], "import.token_wrong"],
    ["with another exporter's token", { token: token({ iss: KEY }) }, [PRIVATE], "import.token_wrong"],
    ["with a token for a service", { token: token({}, { kind: "service" }) }, [PRIVATE], "import.token_wrong"],
    ["with a token for less", { token: token({}, { subject: "a.c" }) }, [PRIVATE], "import.token_wrong"],
    ["with a token that ends now", { token: token({ exp: NOW }) }, [PRIVATE], "import.token_expired"],
    ["with a token that ends later", { token: token({ exp: NOW + 1 }) }, [PRIVATE], undefined],
    ["with a token that begins later", { token: token({ nbf: NOW + 1 }) }, [PRIVATE], "import.token_early"],
    ["with a token that begins now", { token: token({ nbf: NOW }) }, [PRIVATE], undefined],
    [
      "with a token by a key that was removed",
      { token: token({ iss: `A${"R".repeat(55)}` }, { issuer_account: EXPORTER }) },
      [PRIVATE],
      "import.token_key",
    ],
    [
      "with a revoked token",
      { token: token() },
      [{ ...PRIVATE, revocations: { [ACCOUNT]: NOW } }],
      "import.token_revoked",
    ],
    [
      "with a token newer than the revocation",
      { token: token() },
      [{ ...PRIVATE, revocations: { "*": NOW - 11 } }],
      undefined,
    ],
    [
      "without its id in the subject",
      {},
      [{ subject: "a.*", type: "stream", account_token_position: 2 }],
      "import.not_its_place",
    ],
    [
      "with its id in the subject",
      { subject: `a.${ACCOUNT}` },
      [{ subject: "a.*", type: "stream", account_token_position: 2 }],
      undefined,
    ],
  ])("%s", (_what, given, offered, expected) => {
    const found = judged(given, offered);
    seen.push(...found);
    expect(codesOf(found)).toEqual(expected === undefined ? [] : [expected]);
  });

  test("that a server refuses, although its claims look right, is told; if they do not, the claims tell more", () => {
    const incomplete = { incomplete: true };
    const open = [{ subject: "a.>", type: "stream" }];
    const [found, ...others] = judged({}, open, incomplete);
    seen.push(...(found === undefined ? [] : [found]));
    expect(found).toMatchObject({ code: "import.incomplete", evidence: { servers: ["s1"] } });
    expect(others).toEqual([]);
    expect(judged({}, "unknown", incomplete)).toEqual([]);
    expect(judged({}, [], incomplete)).toMatchObject([
      { code: "import.no_export", evidence: { incompleteOn: ["s1"] } },
    ]);
  });
});

describe("the list", () => {
  test("of a second look has only those critical ones that the first had, too", () => {
    const full = (used: number, name = "s1") =>
      check("server.connections_full", { server: name }, "x", { used, limit: 9 });
    const near = check("server.connections_near", { server: "s3" }, "x", { used: 9, limit: 10 });
    expect(confirmed([full(9)], [full(10), full(9, "s2"), near])).toEqual([full(10), near]);
  });

  test("begins with the most severe", () => {
    const [info, critical] = [check("server.slow_clients", {}, "x", {}), check("server.name_twice", {}, "x", {})];
    expect(bySeverity([info, critical])).toEqual([critical, info]);
  });

  test("has advice with the names of what it is about, for a shell", () => {
    const about = { account: "APP", stream: "A B", consumer: "C" };
    expect(check("consumer.no_subscriber", about, "x", {}).advice).toContain("`nats consumer rm 'A B' C`");
    expect(check("stream.even_replicas", {}, "x", {}).advice).toContain("STREAM");
  });
});

test("every check is found by a test here, and has the evidence that the documents promise", () => {
  expect(new Set(codesOf(seen))).toEqual(new Set(Object.keys(CHECKS)));
  for (const { code, evidence } of seen)
    expect([code, Object.keys(evidence).sort()]).toEqual([code, [...CHECKS[code].evidence].sort()]);
});
