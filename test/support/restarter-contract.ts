import { expect, test } from "@jest/globals";
import { createUser } from "@nats-io/nkeys";
import { seedOf } from "../../lab/keys.ts";
import { millis } from "../../lib/domain/time/time.ts";
import { RelightError } from "../../lib/errors.ts";
import type { Restarter } from "../../lib/ports/remedies.ts";
import { server } from "./kubernetes.ts";

/** The contract of every restarter, and what its tests share. */

export const SEED = seedOf(createUser());
export const SECRET = `whsec_${Buffer.from("a secret of a test, long enough").toString("base64")}`;
export const LONG = millis(30_000);
export const SHORT = millis(1_000);

/** A restarter of servers nats-0 to nats-2, and the names of those that were restarted, in order. */
export interface Harness extends AsyncDisposable {
  readonly restarter: Restarter;
  readonly restarted: () => Promise<readonly string[]>;
}
/** `hangs`: not carried out within {@link SHORT}, its timeout. The message of `fails` contains {@link SEED}. */
export type Open = (how: "works" | "fails" | "hangs") => Promise<Harness>;

export function restarterContract(open: Open): void {
  test("restarts the right server, once, and it is done when it says so", async () => {
    await using harness = await open("works");
    await harness.restarter.restart(server("nats-1"));
    expect(await harness.restarted()).toEqual(["nats-1"]);
  });

  test("what fails is restart.failed, names the server, and tells no secret", async () => {
    await using harness = await open("fails");
    const error = await failureOf(harness.restarter.restart(server("nats-1")));
    expect(error).toMatchObject({ code: "restart.failed", retryable: false });
    expect(error.message).toContain('restarting the server "nats-1" failed: ');
    expect(error.details).toMatchObject({ server: { name: "nats-1" }, begun: expect.any(Boolean) });
    expect(allOf(error)).not.toMatch(secrets);
    expect(await harness.restarted()).toEqual([]);
  });

  test("the time limit holds", async () => {
    await using harness = await open("hangs");
    const begun = performance.now();
    const error = await failureOf(harness.restarter.restart(server("nats-1")));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(SHORT - 50);
    expect(performance.now() - begun).toBeLessThan(5 * SHORT);
    expect(error).toMatchObject({ code: "restart.failed", details: { begun: true } });
    expect(allOf(error)).not.toMatch(secrets);
  });

  test("a server whose name or id could be read as anything else is refused, and nothing is done", async () => {
    await using harness = await open("works");
    for (const bad of HARMFUL.flatMap((text) => [server(text), { id: text, name: "nats-1" }])) {
      const error = await failureOf(harness.restarter.restart(bad));
      expect(error).toMatchObject({ code: "restart.failed", details: { begun: false } });
      expect(error.message).toContain("is refused: it may contain only A-Z");
    }
    expect(await harness.restarted()).toEqual([]);
  });
}

const HARMFUL = [
  ...["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "{name}", "../x", ".", "a/b", "a\nb", "ä", "x".repeat(300)],
];

export const secrets = new RegExp(`${SEED}|QUERY-SECRET|that-must-stay-secret|${SECRET.slice(6)}`);

/** The error of a restart that must fail. */
export async function failureOf(restart: Promise<void> | undefined): Promise<RelightError> {
  const error: unknown = await restart?.then(
    () => undefined,
    (thrown) => thrown,
  );
  if (error instanceof RelightError) return error;
  throw new Error(`it should have failed with a RelightError: ${String(error)}`);
}

/** Everything that a log or a terminal could show of an error, including its causes. */
export function allOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return [JSON.stringify(error), error.stack, JSON.stringify({ ...error }), allOf(error.cause)].join("\n");
}
