import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { parsePageEvent } from "../lib/adapters/aws/pages/page-events.ts";

/** The samples that docs/deploy-aws.md puts on the bus by hand: `escalate` must understand them. */
test.each([
  ["test-page.json", "open"],
  ["test-page-resolved.json", "resolved"],
])("deploy/%s is a page that is %s, with the same key", (file, status) => {
  const text = readFileSync(join(import.meta.dirname, "..", "deploy", file), "utf8");
  const [entry, ...others] = JSON.parse(text.replaceAll("NOW", "2030-01-01T00:00:00Z"));
  expect(others).toEqual([]);
  expect(entry).toMatchObject({ EventBusName: "relight-prod", Source: "relight" });
  const body = { source: entry.Source, "detail-type": entry.DetailType, detail: JSON.parse(entry.Detail) };
  expect(parsePageEvent(JSON.stringify(body))).toMatchObject({
    kind: "incident",
    incident: { key: "relight/test-page", status, at: "2030-01-01T00:00:00Z" },
  });
});
