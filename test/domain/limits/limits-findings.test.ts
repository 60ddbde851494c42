import { describe, expect, test } from "@jest/globals";
import { connectionRefusal, connectionUse } from "../../../lib/domain/limits/connection-use.ts";
import { limitFindings, limitWarnings } from "../../../lib/domain/limits/limits-findings.ts";
import type { LimitsRoom } from "../../../lib/domain/limits/server-use.ts";
import { tierEntries } from "../../../lib/domain/limits/tier-entries.ts";
import type {
  AccountView,
  Observation,
  RunningAccount,
  StreamFacts,
} from "../../../lib/domain/observation/observation.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { claims, consumer, FAILED, observation, operator, server, stream } from "../observations.ts";

const UNLIMITED = { mem_storage: -1, disk_storage: -1, streams: -1 };
const NO_FLAT = { mem_storage: undefined, disk_storage: undefined, streams: undefined };

/** Ten messages of 40 bytes. */
const ORDERS = stream();
const BIG = stream({ name: "BIG", bytes: 1_000, messages: 1 });
const THREE = stream({ name: "THREE", replicas: 3 });

type Loaded = Extract<RunningAccount, { loaded: true }>;

function running(limits: object, ...counts: (Loaded["connections"] | undefined)[]): Observation["running"] {
  const document = claims({}, { ...UNLIMITED, ...limits });
  const value = (counts.length === 0 ? [undefined] : counts).map((connections, index) => ({
    server: `s${index + 1}`,
    loaded: true as const,
    expired: false,
    signatureValid: true,
    jetstream: true,
    document,
    ...(connections === undefined ? {} : { connections }),
  }));
  return { ok: true, value };
}

const seen = (
  limits: object,
  streams: readonly StreamFacts[] = [ORDERS],
  changes: Partial<Observation> = {},
): Observation => observation({ running: running(limits), streams: { ok: true, value: streams }, ...changes });

const room = (used: number, limit: number, streams?: number): LimitsRoom => ({
  memory: { used: 0, limit: 0 },
  file: { used, limit },
  ...(streams === undefined ? {} : { streams }),
});

function told(limits: AccountView["info"]["limits"]): Pick<Observation, "accountView"> {
  const info = { streams: 1, consumers: 0, limits };
  const value = { jetstream: "enabled", info, streamNames: [], failing: [], domains: [] } as const;
  return { accountView: { ok: true, value } };
}

const short = (found: readonly { readonly code: string; readonly health?: string; readonly message: string }[]) =>
  found.map(({ code, health }) => [code, health].filter(Boolean).join(" "));

const capacity = (file: number, max = 1_000, name = "s1"): Partial<Observation> => ({
  capacities: {
    ok: true,
    value: [
      {
        server: name,
        max: { memory: 100, file: max },
        reserved: { memory: 0, file: 0 },
        used: { memory: 500, file },
      },
    ],
  },
});

describe("limits", () => {
  test.each<[string, Observation, readonly string[], readonly string[]]>([
    ["without limits", seen({}), [], []],
    ["with room", seen({ disk_storage: 4_000 }), [], []],
    ["with nine tenths used", seen({ disk_storage: 444 }), [], ["limit.near"]],
    ["without room for one more", seen({ disk_storage: 420 }), ["limit.storage dead"], []],
    ["without room for a large message", seen({ disk_storage: 1_900 }, [ORDERS, BIG]), ["limit.storage degraded"], []],
    ["beyond its limit", seen({ disk_storage: 100 }), ["limit.storage dead"], []],
    [
      "exceeded according to the servers",
      seen({ disk_storage: 4_000 }, [ORDERS], told({ flat: room(4_000, 4_000) })),
      ["limit.storage dead"],
      [],
    ],
    [
      "in a tier, with three replicas in the servers' report",
      seen({ ...NO_FLAT, tiered_limits: { R3: { disk_storage: 500 } } }, [THREE], told({ R3: room(1_200, 500) })),
      [],
      [],
    ],
    [
      "of memory, which takes nothing from the disk",
      seen({ mem_storage: 400 }, [ORDERS, stream({ name: "MEM", storage: "memory" })]),
      ["limit.storage dead"],
      [],
    ],
    [
      "without a tier for a stream",
      seen({ ...NO_FLAT, tiered_limits: { R3: { disk_storage: -1 } } }),
      ["limit.no_tier dead"],
      [],
    ],
    [
      "of streams that count in no tier",
      seen({ ...NO_FLAT, tiered_limits: { R1: { disk_storage: -1 } } }, [ORDERS], told({ "": room(400, 0) })),
      ["limit.outside_tiers dead"],
      [],
    ],
    [
      "of an empty stream that counts in none",
      seen({ ...NO_FLAT, tiered_limits: { R1: { disk_storage: -1 } } }, [ORDERS], told({ "": room(0, 0, 1) })),
      ["limit.outside_tiers dead"],
      [],
    ],
    [
      "once all have moved",
      seen({ ...NO_FLAT, tiered_limits: { R1: { disk_storage: -1 } } }, [ORDERS], told({ "": room(0, 0, 0) })),
      [],
      [],
    ],
    ["with as many streams as may be", seen({ streams: 1 }), [], ["limit.reached"]],
    [
      "with more consumers than may be",
      seen({ consumer: 1 }, [stream({ consumers: [consumer(), consumer({ name: "other" })] })]),
      [],
      ["limit.reached"],
    ],
    [
      "with all storage counted against the largest stream's limit",
      seen({ disk_max_stream_bytes: 410 }),
      ["limit.storage dead"],
      [],
    ],
    [
      "the same from 2.12.5 on",
      seen({ disk_max_stream_bytes: 410 }, [ORDERS], { servers: [server({ version: "2.12.5" })] }),
      [],
      [],
    ],
    [
      "of a stream that discards new messages, at its own limit",
      seen({}, [stream({ config: { name: "ORDERS", discard: "new", max_msgs: 10 } })]),
      [],
      ["stream.full"],
    ],
    [
      "of a copy whose origin has larger messages than fit (random world 255)",
      seen({ disk_storage: 1_200, mem_storage: 9_000 }, [
        stream({ name: "MEM", storage: "memory", bytes: 4_000, messages: 4 }),
        stream({ name: "COPY", config: { name: "COPY", sources: [{ name: "MEM" }] } }),
      ]),
      ["limit.storage degraded"],
      [],
    ],
    ["of a server that is full", seen({}, [ORDERS], capacity(1_001)), ["limit.server_storage dead"], []],
    ["of one that is nearly so", seen({}, [ORDERS], capacity(950)), [], ["limit.near"]],
    ["of one that holds nothing of the account", seen({}, [ORDERS], capacity(1_001, 1_000, "s9")), [], []],
    [
      "of one that only has a replica",
      seen({}, [stream({ peers: [{ name: "s2", current: true }] })], capacity(1_001, 1_000, "s2")),
      ["limit.server_storage degraded"],
      [],
    ],
    ["of servers that don't report it", seen({}, [ORDERS], { capacities: FAILED }), ["probe.failed unknown"], []],
  ])("%s", (_, observed, findings, warnings) => {
    expect(short(limitFindings(observed))).toEqual(findings);
    expect(short(limitWarnings(observed))).toEqual(warnings);
  });

  test("names the limit, the usage, who is refused, and the command to type", () => {
    const [found] = limitFindings(seen({ disk_storage: 420 }));
    expect(found?.message).toBe(
      "disk_storage: streams on disk hold 400 B (limit: 420 B); servers refuse messages of average size to ORDERS (10002); `relight jetstream limits APP --storage 1MiB --yes` raises it",
    );
  });

  test("an account that has expired has no such finding", () => {
    const document = claims({}, { disk_storage: 1 });
    const value = [
      { server: "s1", loaded: true, expired: true, signatureValid: true, jetstream: true, document },
    ] as const;
    expect(limitFindings(observation({ running: { ok: true, value } }))).toEqual([]);
  });

  test("a warning does not change the verdict", () => {
    const document = claims({}, { ...UNLIMITED, disk_storage: 444 });
    const stored = { ok: true, value: { document, signatureValid: true } } as const;
    const verdict = assess(seen({ disk_storage: 444 }, [ORDERS], { stored }), {
      operator,
      unfinishedToggle: false,
      unfinishedChanges: [],
    });
    expect(verdict).toMatchObject({ health: "healthy", warnings: [{ code: "limit.near" }] });
  });
});

describe("connections", () => {
  const NOT_ASKED = { accountView: { ok: "not-asked", why: "a test" } } as const;
  const clients = (count: number, leafnodes = 0) => ({ clients: count, leafnodes });

  test.each<[string, Observation["running"], string | undefined]>([
    ["are not limited", running({}, clients(9)), undefined],
    ["are fewer than allowed", running({ conn: 3 }, clients(1), clients(1)), undefined],
    ["are used up on several servers", running({ conn: 3 }, clients(1), clients(2)), "full"],
    ["are counted with the server's own leafnodes", running({ conn: 3 }, clients(2, 1)), "full"],
    ["of another server's leafnodes are not", running({ conn: 3 }, clients(1, 1), clients(1)), undefined],
    ["are not reported", running({ conn: 3 }, undefined), undefined],
    ["are not reported by one server", running({ conn: 3 }, clients(3), undefined), undefined],
    ["may be none", running({ conn: 0 }, clients(0)), "locked"],
    ["are missing, which means zero", running({ conn: undefined }, clients(0)), "locked"],
    ["could not be asked about", FAILED, undefined],
  ])("%s", (_, seenRunning, door) => expect(connectionRefusal(seenRunning)?.kind).toBe(door));

  test("used-up ones are degraded, and make nothing unknown", () => {
    const observed = observation({ running: running({ conn: 3 }, clients(3)), ...NOT_ASKED });
    expect(short(limitFindings(observed))).toEqual(["limit.connections degraded"]);
    expect(limitFindings(observed)[0]?.message).toMatch(/^3 of 3 connections \(conn\) are in use: .*raise `conn`/);
  });

  test("nearly used-up ones are a warning", () => {
    const observed = observation({ running: running({ conn: 10 }, clients(9)) });
    expect(connectionUse(observed.running)).toEqual({ used: 9, limit: 10 });
    expect(short(limitWarnings(observed))).toEqual(["limit.near"]);
  });

  test("with a limit of zero the claims lock the account", () => {
    const observed = observation({ running: running({ conn: 0 }, clients(0)), ...NOT_ASKED });
    expect(short(limitFindings(observed))).toEqual(["limit.locked dead"]);
  });
});

test("a changed description moves streams into their tiers, except streams that refuse updates", () => {
  const streams = [
    stream({ config: { name: "ORDERS", description: "all of them" } }),
    stream({ name: "SEALED", config: { name: "SEALED", sealed: true } }),
    stream({ name: "LOST", nodeMissingOn: ["s2"] }),
  ];
  expect(tierEntries(observation({ streams: { ok: true, value: streams } }))).toEqual([
    {
      stream: "ORDERS",
      before: { name: "ORDERS", description: "all of them" },
      during: { name: "ORDERS", description: "all of them (Relight moves it into its tier)" },
      consumers: [],
    },
  ]);
});
