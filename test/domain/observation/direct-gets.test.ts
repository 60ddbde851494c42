import { describe, expect, test } from "@jest/globals";
import { nextStep } from "../../../lib/domain/ladder/ladder.ts";
import { scaleUps } from "../../../lib/domain/ladder/reconfiguration.ts";
import { serversToRestart } from "../../../lib/domain/ladder/restart.ts";
import { areHeard, silencedMirrorGroups } from "../../../lib/domain/ladder/step-down.ts";
import { directToggles, updateDanger } from "../../../lib/domain/observation/direct-gets.ts";
import type { Observation, StreamFacts } from "../../../lib/domain/observation/observation.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { settleTime } from "../../../lib/domain/verdict/settling.ts";
import type { Verdict } from "../../../lib/domain/verdict/verdict.ts";
import { TIMING } from "../../../lib/usecases/context/timing.ts";
import { claims, DEAF, FAILED, observation, operator, server, stream } from "../observations.ts";

const PEERS = [
  { name: "s2", current: true },
  { name: "s3", current: true },
];
const cluster = (version: string) =>
  ["s1", "s2", "s3"].map((name) => server({ name, id: name, topology: "clustered", version }));

const direct = (deafOn: readonly string[], heardOn: readonly string[] = []): Partial<StreamFacts> => ({
  name: "KV_cfg",
  replicas: 3,
  peers: PEERS,
  config: { name: "KV_cfg", allow_direct: true },
  directGets: { ok: true, value: { deafOn, heardOn } },
});
const STRAY: Partial<StreamFacts> = {
  ...direct([]),
  directGets: { ok: true, value: { deafOn: [], heardOn: ["s1", "s2", "s3"], strayOn: ["s2"] } },
};
const ALL = direct(["s1", "s2", "s3"]);

function seen(version: string, ...streams: readonly Partial<StreamFacts>[]): Observation {
  const found = streams.map((changes) => stream(changes));
  return observation({
    servers: cluster(version),
    streams: { ok: true, value: found },
    accountView: { ok: "not-asked", why: "" },
  });
}

const verdictOf = (look: Observation): Verdict =>
  assess(look, { operator, unfinishedToggle: false, unfinishedChanges: [] });

function step(look: Observation, hasAccountKey = true): string {
  const next = nextStep(
    {
      observation: look,
      verdict: verdictOf(look),
      claims: claims(),
      canSign: true,
      hasAccountKey,
      allowMemoryLoss: false,
      canRestart: false,
      memorySeen: [],
    },
    new Set(),
  );
  if (next.kind === "rung") return next.rung.id;
  return next.kind === "stop" ? `stop: ${next.why}` : next.kind;
}

describe("the verdict on direct gets", () => {
  test.each<[string, Partial<StreamFacts>, string, string[]]>([
    ["answered by every replica", direct([], ["s1", "s2", "s3"]), "healthy", []],
    ["answered by none", ALL, "dead", ["stream.direct_deaf"]],
    ["answered by some", direct(["s2"], ["s1", "s3"]), "degraded", ["stream.direct_partly_deaf"]],
    ["by a removed replica, too", STRAY, "degraded", ["stream.direct_stray"]],
    [
      "twice by a stream that runs twice",
      { ...STRAY, server: "s2", runsTwice: true },
      "degraded",
      ["stream.runs_twice"],
    ],
    ["with a failed probe", { directGets: FAILED }, "unknown", ["probe.failed"]],
    ["of no stream", {}, "healthy", []],
    ["by an idle mirror", { mirrorDirect: { ok: true, value: "idle" } }, "healthy", []],
    ["partly by a mirror", { mirrorDirect: { ok: true, value: "broken" } }, "degraded", ["mirror.direct_deaf"]],
  ])("%s", (_, facts, verdict, codes) => {
    const { findings, ...rest } = verdictOf(seen("2.10.27", facts));
    expect({ verdict: rest.health, codes: findings.map(({ code }) => code) }).toEqual({ verdict, codes });
  });

  test("describes the visible effect, and names the defect", () => {
    const { findings, diagnosis } = verdictOf(seen("2.10.27", ALL, { ...ALL, name: "OBJ_files" }));
    expect(findings.map(({ message }) => message)).toEqual([
      "no server answers direct gets of stream KV_cfg (asked: s1, s2, s3): every get of KV bucket cfg fails",
      "no server answers direct gets of stream OBJ_files (asked: s1, s2, s3): reading object store files fails",
    ]);
    expect(diagnosis.join()).toMatch(/#6806/);
  });

  test("a removed replica needs its server's restart, and nothing else helps", () => {
    const look = seen("2.10.27", STRAY);
    expect(settleTime(verdictOf(look), TIMING)).toBe(10_000);
    expect(step(look)).toMatch(/^stop: /);
    expect(serversToRestart(look)).toEqual(["s2"]);
  });

  test("a replica that is catching up gets time", () => {
    expect(settleTime(verdictOf(seen("2.10.27", direct(["s2"], ["s1", "s3"]))), TIMING)).toBe(10_000);
  });
});

describe("the rung that turns direct gets off and on", () => {
  test("comes after rungs that make the stream itself heard", () => {
    expect(step(seen("2.10.27", { ...ALL, ...DEAF }))).toBe("step-down-leaders");
    expect(step(seen("2.10.27", ALL))).toBe("toggle-direct-gets");
    expect(step(seen("2.10.27", direct(["s2"], ["s1", "s3"])))).toBe("toggle-direct-gets");
  });

  test("changes that one setting and back", () => {
    expect(directToggles(seen("2.10.27", ALL)).possible).toEqual([
      {
        stream: "KV_cfg",
        before: { name: "KV_cfg", allow_direct: true },
        during: { name: "KV_cfg", allow_direct: false },
        consumers: [],
      },
    ]);
  });

  test("is only for one replica before 2.9.12, and says what is left to do", () => {
    const single = { ...direct(["s1"]), replicas: 1, peers: [] };
    expect(step(seen("2.9.10", single))).toBe("toggle-direct-gets");
    expect(step(seen("2.9.12", ALL))).toBe("toggle-direct-gets");
    expect(step(seen("2.9.10", ALL))).toMatch(/2\.9\.10 can turn direct gets .* restart the servers one at a time/);
    expect(serversToRestart(seen("2.9.10", ALL))).toEqual(["s1", "s2", "s3"]);
  });

  test("never runs while anything of the account lacks its Raft node, if servers may not survive an update", () => {
    const damaged = { name: "LOST", replicas: 3, nodeMissingOn: ["s3"] };
    const why = /LOST lost Raft nodes, and s1 \(2\.10\.27\), .* may not survive an update/;
    expect(step(seen("2.10.27", ALL, damaged))).toMatch(why);
    expect(step(seen("2.12.5", ALL, damaged))).toMatch(/may not survive an update/);
    expect(step(seen("2.15.1", ALL, damaged))).toBe("toggle-direct-gets");
    const elsewhere = { elsewhere: { ok: true, value: [stream(damaged)] } } as const;
    expect(step({ ...seen("2.10.27", ALL), ...elsewhere })).toMatch(why);
  });

  test("needs the account's key, and a stream with leader and nodes", () => {
    expect(step(seen("2.10.27", ALL), false)).toMatch(/toggle-direct-gets is refused: .*signingKey/);
    const { leader: _, ...leaderless } = stream(ALL);
    const streams = { ok: true, value: [leaderless] } as const;
    expect(directToggles({ ...seen("2.10.27"), streams }).possible).toEqual([]);
    expect(directToggles(seen("2.15.1", { ...ALL, nodeMissingOn: ["s2"] })).possible).toEqual([]);
  });

  test("a toggle of JetStream helps on a standalone server without the account's key", () => {
    const alone = observation({
      streams: { ok: true, value: [stream(direct(["s1"]))] },
      accountView: { ok: "not-asked", why: "" },
    });
    expect(step(alone, false)).toBe("toggle-jetstream");
  });
});

describe("mirrors that answer for their origin", () => {
  const mirror = (value: "idle" | "broken", changes: Partial<StreamFacts> = {}): Partial<StreamFacts> => ({
    name: "COPY",
    subjects: [],
    replicas: 3,
    peers: PEERS,
    mirrorDirect: { ok: true, value },
    ...changes,
  });
  const single = { replicas: 1, peers: [] };

  test("get a new leader if they answer partly, or not at all while something is deaf", () => {
    const names = (look: Observation) => silencedMirrorGroups(look).map((group) => group.stream);
    expect(names(seen("2.10.27", mirror("broken")))).toEqual(["COPY"]);
    expect(names(seen("2.10.27", mirror("idle")))).toEqual([]);
    expect(names(seen("2.10.27", mirror("idle"), DEAF))).toEqual(["COPY"]);
    expect(step(seen("2.10.27", mirror("broken")))).toBe("step-down-leaders");
  });

  test("with one replica get two more for it", () => {
    const scaled = (look: Observation) => scaleUps(look).possible.map((change) => change.stream);
    expect(scaled(seen("2.10.27", mirror("broken", single)))).toEqual(["COPY"]);
    expect(scaled(seen("2.9.10", mirror("broken", single)))).toEqual(["COPY"]);
    expect(scaled(seen("2.10.27", mirror("idle", single)))).toEqual([]);
  });

  test("are not waited for, because they answer with the next message, and cause no restart", () => {
    expect(areHeard(seen("2.10.27", mirror("idle"), DEAF), [{ stream: "COPY" }])).toBe(true);
    expect(serversToRestart(seen("2.10.27", mirror("broken")))).toEqual([]);
  });
});

test("a stream without its Raft node does not block another's update", () => {
  const look = seen("2.10.27", { name: "LOST", nodeMissingOn: ["s1"] }, { name: "WHOLE" });
  expect(updateDanger(look)).toMatch(/^LOST lost Raft nodes/);
  expect(updateDanger(look, ["WHOLE", "LOST"])).toMatch(/^LOST lost Raft nodes/);
  expect(updateDanger(look, ["WHOLE"])).toBeUndefined();
});
