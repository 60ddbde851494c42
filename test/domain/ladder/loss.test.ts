import { describe, expect, test } from "@jest/globals";
import { failureClassOf } from "../../../lib/domain/incidents/incident.ts";
import type { EntryKind, JournalEntry } from "../../../lib/domain/journal/journal.ts";
import { findLosses, type Loss, openLosses, readSketch, sketchOf } from "../../../lib/domain/ladder/loss.ts";
import type { Json } from "../../../lib/domain/time/json.ts";
import { epochMillis } from "../../../lib/domain/time/time.ts";
import { assess } from "../../../lib/domain/verdict/assess.ts";
import { ACCOUNT, consumer, observation, operator, stream } from "../observations.ts";

const GONE: Loss = {
  stream: "ORDERS",
  consumer: "two",
  kind: "gone",
  message: "consumer ORDERS > two is gone",
};
const SHORTER: Loss = { stream: "ORDERS", kind: "messages", message: "stream ORDERS ends at 7" };

const entry = (kind: EntryKind, losses: readonly Loss[]): JournalEntry => ({
  at: epochMillis(0),
  job: "j",
  account: ACCOUNT,
  kind,
  data: { losses: losses as unknown as Json },
});
const verdictWith = (losses: readonly Loss[], consumers = [consumer()]) => {
  const seen = observation({ streams: { ok: true, value: [stream({ consumers })] } });
  return assess(seen, { operator, unfinishedToggle: false, unfinishedChanges: [], losses });
};

describe("a loss", () => {
  test("is open until acknowledged; a loss that the policy allowed never is", () => {
    const found = entry("loss.found", [GONE, SHORTER, { ...GONE, consumer: "x", allowed: true }]);
    expect(openLosses([found])).toEqual([GONE, SHORTER]);
    expect(openLosses([found, entry("loss.acknowledged", [GONE])])).toEqual([SHORTER]);
    expect(openLosses([found, entry("loss.acknowledged", [GONE]), entry("loss.found", [GONE])])).toEqual([
      SHORTER,
      GONE,
    ]);
  });

  test("of a consumer is dead in each verdict, with the command to acknowledge it, and pages as a loss", () => {
    const verdict = verdictWith([GONE]);
    expect(verdict).toMatchObject({ health: "dead", findings: [{ code: "asset.lost", health: "dead" }] });
    expect(verdict.findings[0]?.message).toContain(`relight acknowledge ${ACCOUNT} 'ORDERS > two' --reason`);
    expect(failureClassOf(verdict)).toBe("assets_lost");
  });

  test("of messages is degraded, because the stream works", () => {
    expect(verdictWith([SHORTER])).toMatchObject({ health: "degraded", findings: [{ code: "asset.lost" }] });
  });

  test("is no finding while the asset is back", () => {
    expect(verdictWith([GONE], [consumer({ name: "two" })]).health).toBe("healthy");
  });
});

test("the journal's sketch of the streams is enough to find what a crashed job lost", () => {
  const before = readSketch(JSON.parse(JSON.stringify(sketchOf([stream({ consumers: [consumer()] })]))));
  expect(findLosses(before, [stream({ consumers: [consumer()] })])).toEqual([]);
  expect(findLosses(before, [stream()])).toMatchObject([{ kind: "gone", consumer: "worker" }]);
});

test("a consumer with a lower position is reported; only ephemeral and memory ones may go back", () => {
  const at = (ackFloor: number, changes: object = {}) => stream({ consumers: [consumer({ ackFloor, ...changes })] });
  const lost = (changes: object, allowMemoryLoss = false) =>
    findLosses(sketchOf([at(4, changes)]), [at(0, changes)], allowMemoryLoss);
  const message = "consumer ORDERS > worker is back at message 0; it was at 4";
  const position = { stream: "ORDERS", consumer: "worker", kind: "position" };
  expect(lost({})).toEqual([{ ...position, message }]);
  expect(lost({ durable: false })).toEqual([{ ...position, message: `ephemeral ${message}`, allowed: true }]);
  expect(lost({ storage: "memory" })).toEqual([{ ...position, message }]);
  expect(lost({ storage: "memory" }, true)).toEqual([{ ...position, message, allowed: true }]);
  expect(findLosses(sketchOf([at(4)]), [at(4)])).toEqual([]);
});

test("a memory stream that was not recreated keeps its consumers' positions", () => {
  const at = (ackFloor: number, created: string) =>
    stream({ storage: "memory", created, consumers: [consumer({ ackFloor, durable: false })] });
  const [first, second] = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"];
  const message = "ephemeral consumer ORDERS > worker is back at message 0; it was at 4";
  expect(findLosses(sketchOf([at(4, first)]), [at(0, first)])).toMatchObject([{ kind: "position", message }]);
  expect(findLosses(sketchOf([at(4, first)]), [at(0, second)])).not.toMatchObject([{ kind: "position" }]);
});
