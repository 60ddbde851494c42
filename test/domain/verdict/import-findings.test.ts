import { describe, expect, test } from "@jest/globals";
import type { StreamFacts } from "../../../lib/domain/observation/observation.ts";
import type { JsonObject } from "../../../lib/domain/time/json.ts";
import { importDefect, importFindings, importWarnings } from "../../../lib/domain/verdict/import-findings.ts";
import { claims, server, stream } from "../observations.ts";

const EXPORTER = `A${"B".repeat(55)}`;
const importing = (imported: JsonObject) =>
  claims({ nats: { type: "account", version: 2, imports: [{ ...imported, account: EXPORTER }] } as never }).claims;
const data = (changes: Partial<StreamFacts> = {}) => stream({ name: "DATA", subjects: ["data.>"], ...changes });
const warned = (version: string, imported: JsonObject, changes: Partial<StreamFacts> = {}) =>
  importWarnings(importing(imported), [data(changes)], [server({ version })]);

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

  const heard = (...deaf: string[]) => ({ deafImports: { ok: true, value: deaf } }) as const;
  const IMPORTED = { type: "stream", subject: "data.>" };

  test("is neither warned of nor a finding where it is proved to take the import", () => {
    expect(warned("2.10.20", IMPORTED, heard())).toEqual([]);
    expect(importFindings(data(heard()))).toEqual([]);
  });

  test("is degraded where it is proved to take nothing, with what mends it", () => {
    expect(warned("2.10.20", IMPORTED, heard("data.>"))).toEqual([]);
    expect(importFindings(data(heard("data.>")))).toMatchObject([
      {
        code: "import.deaf",
        health: "degraded",
        subject: { stream: "DATA" },
        message: expect.stringContaining("restart s1"),
      },
    ]);
    const [inCluster] = importFindings(data({ ...heard("data.>"), peers: [{ name: "s2", current: true }] }));
    expect(inCluster?.message).toContain("`nats stream cluster step-down DATA`");
  });

  test("is warned of where nothing could be proved", () => {
    const failed = { deafImports: { ok: false, code: "nats.timeout", message: "no answer" } } as const;
    expect(warned("2.10.20", IMPORTED, failed)).toMatchObject([{ code: "import.unproved" }]);
    expect(importFindings(data(failed))).toEqual([]);
  });

  test("is a doubt about pushes where any server has the defect", () => {
    expect(importDefect([{ version: "2.10.27" }, { version: "2.9.10" }])).toMatch(/^2.9.10 has nats-server #6498/);
    expect(importDefect([{ version: "2.15.1" }])).toBeUndefined();
  });
});
