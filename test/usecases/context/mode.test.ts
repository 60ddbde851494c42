import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { allows, MODES, type Mode, type RunMode } from "../../../lib/domain/ladder/mode.ts";
import { RelightError } from "../../../lib/errors.ts";
import { guarded, type Needs } from "../../../lib/usecases/context/mode.ts";
import * as writes from "../../../lib/usecases/context/writes.ts";

/** Every write, by its port and method. */
const PORTS: Readonly<Record<string, Readonly<Record<string, Mode>>>> = {
  Resolver: writes.RESOLVER_NEEDS,
  Probes: writes.PROBES_NEED,
  Assets: writes.ASSETS_NEED,
  Restarter: writes.RESTARTER_NEEDS,
  RotatingSecret: writes.ROTATING_SECRET_NEEDS,
};

/**
 * Ports that do not reach the cluster: Relight's own memory, its inputs, pagers, and keys that sign nothing by
 * themselves.
 */
const ELSEWHERE = [
  ...["Clock", "Secrets", "Signer", "RemoteKey", "JwtCodec", "ClaimsSource", "Monitoring", "Events"],
  ...["Journal", "Leases", "Jobs", "Escalation", "Announcer", "Log", "LiveMetrics", "Metrics"],
];

/** `reopen` and the three ports above. */
const MADE_OF_PORTS = ["Cluster"];

/** The methods of each interface of the ports, as in the source. */
function portsInSource(): ReadonlyMap<string, readonly string[]> {
  const folder = join(import.meta.dirname, "../../../lib/ports");
  const source = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
  const ports = [...source.matchAll(/export interface (\w+)[^{]*\{([\s\S]*?)\n\}/g)].map(
    ([, name = "", body = ""]) =>
      [name, [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, method = ""]) => method)] as const,
  );
  return new Map(ports.filter(([, methods]) => methods.length > 0));
}

const modeOf = (mode: Mode): RunMode => ({ mode, because: "a test says so", dryRun: false });

describe("the writes", () => {
  test("are classified: every method of every port that reaches the cluster, and no other port", () => {
    const found = portsInSource();
    expect([...found.keys()].sort()).toEqual([...Object.keys(PORTS), ...ELSEWHERE, ...MADE_OF_PORTS].sort());
    for (const [port, needs] of Object.entries(PORTS))
      expect([port, Object.keys(needs)]).toEqual([port, found.get(port)]);
    expect(found.get("Cluster")).toEqual(["reopen"]);
  });

  test("are these", () => {
    const named = Object.entries(PORTS).flatMap(([port, needs]) =>
      Object.entries(needs).flatMap(([method, mode]) => (mode === "look" ? [] : [`${port}.${method}: ${mode}`])),
    );
    expect(named.sort()).toEqual([
      ...["Assets.configure: heal", "Assets.recreate: heal", "Assets.stepDown: heal"],
      ...["Resolver.push: renew", "Restarter.restart: heal"],
      ...["RotatingSecret.promote: renew", "RotatingSecret.putPending: renew"],
    ]);
  });

  test.each(MODES)("in the mode %s each is done or refused as classified", async (mode) => {
    for (const needs of Object.values(PORTS))
      for (const [method, needed] of Object.entries(needs)) {
        const called: string[] = [];
        const port = { [method]: async () => void called.push(method) };
        const done = await guarded(modeOf(mode), port, needs as Needs<typeof port>)
          [method]?.()
          .catch((error: RelightError) => error);
        const isAllowed = allows(mode, needed);
        expect({ method, called }).toEqual({ method, called: isAllowed ? [method] : [] });
        if (!isAllowed) expect(done).toMatchObject({ code: "mode.forbids", details: { needed, mode } });
      }
  });

  test("include a method that nobody classified", async () => {
    const port = { wipe: async () => undefined };
    const guard = guarded(modeOf("renew"), port, {} as Needs<typeof port>);
    await expect(guard.wipe()).rejects.toBeInstanceOf(RelightError);
  });
});
