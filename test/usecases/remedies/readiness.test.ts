import { describe, expect, test } from "@jest/globals";
import type { Situation } from "../../../lib/domain/ladder/rung.ts";
import type { Observation } from "../../../lib/domain/observation/observation.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { RelightError } from "../../../lib/errors.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";
import { readyStep } from "../../../lib/usecases/remedies/readiness.ts";
import { ACCOUNT, claims, consumer, DEAF, observation, operator, server, stream } from "../../domain/observations.ts";
import { fakeClock } from "../../support/fakes/clock.ts";

/** A rung's requirements are checked before it starts. */

const OTHER = `A${"C".repeat(55)}`;
const CACHE = { ...DEAF, name: "CACHE", storage: "memory", config: { name: "CACHE" } } as const;

/** A server with room, an account's user with all permissions, and no other account. */
function contextWith(changes: object = {}): Context {
  const none = async function* () {};
  const capacity = {
    server: "s1",
    max: { memory: 1_000_000, file: 1_000_000 },
    reserved: { memory: 0, file: 0 },
    used: { memory: 0, file: 0 },
  };
  const parts = {
    mode: { mode: "heal", because: "of a test", dryRun: false },
    signer: async () => ({ publicKey: operator.id }),
    secrets: { read: async () => "seed" },
    settingsOf: () => ({ signingKey: "file:app.nk" }),
    clock: fakeClock(epochMillis(0)),
    resolver: { list: none, running: async () => [] },
    probes: {
      capacity: async () => ({ ok: true, value: [capacity] }),
      hosted: async () => ({ ok: true, value: [] }),
    },
    assets: { forbidden: async () => [] },
  };
  return { ...parts, ...changes } as unknown as Context;
}

function situation(seen: Partial<Observation>, changes: Partial<Situation> = {}): Situation {
  const look = observation(seen);
  return {
    observation: look,
    claims: claims(),
    canSign: true,
    hasAccountKey: true,
    allowMemoryLoss: true,
    verdict: assess(look, { operator, unfinishedToggle: false, unfinishedChanges: [] }),
    canRestart: false,
    memorySeen: [],
    ...changes,
  };
}

async function stepWith(context: Context, here: Situation): Promise<string> {
  const step = await readyStep(context, ACCOUNT, here, new Set());
  if (step.kind === "rung") return step.rung.id;
  return step.kind === "stop" ? step.why : step.kind;
}

describe("the toggle", () => {
  const deaf = situation({ streams: { ok: true, value: [stream(CACHE)] } });

  test("starts if everything it needs is there", async () => {
    expect(await stepWith(contextWith(), deaf)).toBe("toggle-jetstream");
  });

  test.each<[string, object, RegExp]>([
    [
      "a right is missing",
      { assets: { forbidden: async () => ["$JS.API.STREAM.CREATE.CACHE"] } },
      /may not request \$JS\.API\.STREAM\.CREATE\.CACHE/,
    ],
    [
      "the account's user is refused",
      { assets: { forbidden: async () => Promise.reject(new RelightError("nats.unauthorized", "refused")) } },
      /could not be checked: refused/,
    ],
    [
      "the key to sign with fails",
      { signer: async () => Promise.reject(new RelightError("secret.unavailable", "no answer")) },
      /could not be checked: no answer/,
    ],
    [
      "the server could not reserve as much again",
      {
        probes: {
          capacity: async () => ({
            ok: true,
            value: [
              {
                server: "s1",
                max: { memory: 100, file: 0 },
                reserved: { memory: 0, file: 0 },
                used: { memory: 0, file: 0 },
              },
            ],
          }),
        },
      },
      /the server would not enable JetStream again: 1 KiB of memory can't be reserved/,
    ],
    [
      "the free resources are unknown",
      { probes: { capacity: async () => ({ ok: false, code: "nats.timeout", message: "no answer" }) } },
      /the server's free resources are unknown/,
    ],
  ])("is refused if %s", async (_why, changes, reason) => {
    expect(await stepWith(contextWith(changes), deaf)).toMatch(reason);
  });

  test("a lost connection is no reason: the job stops", async () => {
    const lost = new RelightError("nats.connection_lost", "lost");
    const context = contextWith({ assets: { forbidden: async () => Promise.reject(lost) } });
    await expect(stepWith(context, deaf)).rejects.toThrow("lost");
  });
});

describe("a restart", () => {
  const damaged = { streams: { ok: true, value: [stream({ nodeMissingOn: ["s1"], replicas: 3 })] } } as const;
  const servers = ["s1", "s2", "s3"].map((name) => server({ name, id: name, topology: "clustered" }));
  const here = situation({ ...damaged, servers }, { canRestart: true });
  const hosted = [
    { ...stream(), account: OTHER, server: "s1", consumers: [consumer()] },
    { ...stream(), account: OTHER, server: "s2", consumers: [consumer({ name: "other" })] },
  ];
  const running = (limits: object) => async () => [
    {
      server: "s1",
      loaded: true,
      expired: false,
      jetstream: true,
      signatureValid: true,
      document: claims({ name: "NEXT" }, { ...limits }),
    },
  ];
  const context = (limits: object): Context =>
    contextWith({
      probes: { hosted: async () => ({ ok: true, value: hosted }) },
      resolver: { running: running(limits) },
    });

  test("is refused if another account would lose what exceeds its limits", async () => {
    expect(await stepWith(context({ consumer: 1 }), here)).toMatch(
      /restart-servers is refused: account .* number of consumers of one stream is 2 .*relight jetstream limits NEXT /,
    );
    expect(await stepWith(context({ consumer: 2 }), here)).toBe("restart-servers");
  });
});

test("no rung starts while another one is unfinished", async () => {
  const look = observation({ streams: { ok: true, value: [stream(DEAF)] } });
  const verdict = assess(look, { operator, unfinishedToggle: false, unfinishedChanges: ["ORDERS"] });
  expect(await stepWith(contextWith(), { ...situation({}), observation: look, verdict })).toMatch(
    /another remedy is unfinished: .* ORDERS/,
  );
});
