import { expect, test } from "@jest/globals";
import { goDuration } from "../../../lib/domain/time/go-duration.ts";

test.each([
  ["0s", 0],
  ["641µs", 0.641],
  ["2.484333ms", 2.484333],
  ["1m2.5s", 62_500],
  ["1h0m0s", 3_600_000],
  ["", undefined],
  ["5", undefined],
  ["5 s", undefined],
])("the duration %j of Go has %p milliseconds", (text, expected) => {
  const length = goDuration(text);
  if (expected === undefined) expect(length).toBeUndefined();
  else expect(length).toBeCloseTo(expected, 6);
});
