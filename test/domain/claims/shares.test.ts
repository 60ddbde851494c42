import { expect, test } from "@jest/globals";
import { exportFor, importsOf, isRevoked } from "../../../lib/domain/claims/shares.ts";
import { ACCOUNT, claims } from "../observations.ts";

const withShares = (nats: object) => claims({ nats: { ...nats, type: "account", version: 2 } }).claims;
const EXPORTER = `A${"E".repeat(55)}`;

test.each([
  ["as it is", { subject: "a.b", type: "service" }, "a.b"],
  ["a service's old `to`", { subject: "mine", to: "a.b", type: "service" }, "a.b"],
  ["a service under a local subject", { subject: "a.b", local_subject: "mine", type: "service" }, "a.b"],
  ["a stream's old prefix", { subject: "a.b", to: "mine", type: "stream" }, "a.b"],
])("an import's subject in the exporting account: %s", (_what, entry, subject) => {
  expect(importsOf(withShares({ imports: [{ account: EXPORTER, ...entry }] }))).toEqual([
    { exporter: EXPORTER, subject, type: entry.type, token: "" },
  ]);
});

test("the export of the same subject is meant before one that covers it", () => {
  const exporter = withShares({
    exports: [
      { subject: "a.>", type: "stream", token_req: true },
      { subject: "a.b", type: "stream" },
    ],
  });
  expect(exportFor(exporter, "a.b", "stream")?.needsToken).toBe(false);
  expect(exportFor(exporter, "a.c", "stream")?.needsToken).toBe(true);
  expect(exportFor(exporter, "a.b", "service")).toBeUndefined();
});

test.each([
  [{ [ACCOUNT]: 10 }, 10, true],
  [{ [ACCOUNT]: 10 }, 11, false],
  [{ "*": 10 }, 9, true],
  [{}, 9, false],
])("with the revocations %j a token of %i is revoked: %s", (revocations, issuedAt, expected) => {
  const offered = exportFor(withShares({ exports: [{ subject: "a", type: "stream", revocations }] }), "a", "stream");
  expect(offered !== undefined && isRevoked(offered, ACCOUNT, issuedAt)).toBe(expected);
});
