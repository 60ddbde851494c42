import { expect, test } from "@jest/globals";
import { areHeard } from "../../../lib/domain/ladder/step-down.ts";
import { consumer, DEAF, FAILED, observation, stream } from "../observations.ts";

const heard = { ok: true, value: [] } as const;
const groups = [{ stream: "ORDERS" }, { stream: "ORDERS", consumer: "worker" }];

test.each([
  ["a stream and its consumer that are heard", heard, { ok: true, value: true }, true],
  ["a deaf stream", DEAF.deafSubjects, { ok: true, value: true }, false],
  ["a deaf consumer", heard, { ok: true, value: false }, false],
  ["a stream that elects its leader, so that nobody can say", FAILED, { ok: true, value: true }, false],
  ["a consumer that elects its leader", heard, FAILED, false],
] as const)("%s", (_situation, deafSubjects, isHeard, expected) => {
  const consumers = [consumer({ heard: isHeard })];
  const value = [stream({ name: "ORDERS", deafSubjects, consumers })];
  expect(areHeard(observation({ streams: { ok: true, value } }), groups)).toBe(expected);
});

test("does not wait for what is gone; unanswered probes do not count as heard", () => {
  expect(areHeard(observation({ streams: { ok: true, value: [] } }), groups)).toBe(true);
  expect(areHeard(observation({ streams: FAILED }), [])).toBe(false);
});
