import { describe, expect, test } from "@jest/globals";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { importDefect, importWarnings } from "../../../lib/domain/verdict/import-warnings.ts";
import { claims, server, stream } from "../observations.ts";

const importing = (...imports: JsonObject[]) =>
  claims({ nats: { type: "account", version: 2, imports } as never }).claims;
const warned = (version: string, ...imports: JsonObject[]) =>
  importWarnings(importing(...imports), [stream({ name: "DATA", subjects: ["data.>"] })], [server({ version })]);

describe("a stream on an imported subject", () => {
  test.each<[string, JsonObject]>([
    ["the exported subject", { type: "stream", subject: "data.in" }],
    ["a wildcard", { type: "stream", subject: "*.in" }],
    ["a local subject", { type: "stream", subject: "raw.*", local_subject: "data.$1" }],
    ["an old prefix", { type: "stream", subject: "in.>", to: "data" }],
  ])("is warned of before 2.10.26, by %s", (_by, imported) => {
    const [warning] = warned("2.10.20", imported);
    expect(warning).toMatchObject({
      code: "import.unproved",
      subject: { stream: "DATA" },
      message: expect.stringMatching(/#6498.*fixed in 2.10.26 and 2.11.0/),
    });
    expect(warned("2.10.27", imported)).toEqual([]);
  });

  test.each<[string, JsonObject]>([
    ["another subject", { type: "stream", subject: "other.>" }],
    ["a service", { type: "service", subject: "data.in" }],
  ])("is none with %s", (_with, imported) => {
    expect(warned("2.10.20", imported)).toEqual([]);
  });

  test("is a doubt about pushes where any server has the defect", () => {
    expect(importDefect([{ version: "2.10.27" }, { version: "2.9.10" }])).toMatch(/^2.9.10 has nats-server #6498/);
    expect(importDefect([{ version: "2.15.1" }])).toBeUndefined();
  });
});
