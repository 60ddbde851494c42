import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { JOURNAL_TABLE, JOURNAL_TTL } from "../lib/adapters/aws/dynamodb-journal.ts";

/** What `npm run package` makes, offline and without credentials. */

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "relight-package-"));
// biome-ignore lint/suspicious/noExplicitAny: a CloudFormation template
let resources: Record<string, { Type: string; Properties: any }>;

beforeAll(() => {
  const osls = join(root, "node_modules", "osls", "bin", "serverless.js");
  const { AWS_PROFILE: _profile, ...env } = process.env;
  execFileSync(process.execPath, [osls, "package", "--package", folder], { cwd: root, env, stdio: "pipe" });
  resources = JSON.parse(
    readFileSync(join(folder, "cloudformation-template-update-stack.json"), "utf8"),
  ).Resources;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ofType = (type: string) => Object.values(resources).filter((resource) => resource.Type === type);

describe("serverless.yml", () => {
  test("has four functions on Node 24, arm64, each with its own bundle and nothing else", () => {
    const functions = ofType("AWS::Lambda::Function").map(({ Properties }) => Properties);
    expect(functions.map(({ Handler }) => Handler).sort()).toEqual(
      ["issuer-webhook", "manual", "remediate", "sweep"].map((name) => `dist/functions/${name}.handler`),
    );
    for (const { Runtime, Architectures } of functions)
      expect({ Runtime, Architectures }).toEqual({ Runtime: "nodejs24.x", Architectures: ["arm64"] });
    for (const name of ["issuer-webhook", "manual", "remediate", "sweep"])
      expect(filesIn(join(folder, `${name}.zip`))).toContain(`dist/functions/${name}.mjs`);
  });

  test("has the table that the journal needs", () => {
    const [table] = ofType("AWS::DynamoDB::Table");
    expect(table?.Properties).toMatchObject({
      ...JOURNAL_TABLE,
      TimeToLiveSpecification: JOURNAL_TTL,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });

  test("queues first in, first out, with a dead-letter queue, and reports partial failures", () => {
    const [jobs, dead] = ofType("AWS::SQS::Queue").map(({ Properties }) => Properties);
    expect([jobs.FifoQueue, dead.FifoQueue]).toEqual([true, true]);
    expect(jobs.RedrivePolicy.maxReceiveCount).toBe(5);
    const [mapping] = ofType("AWS::Lambda::EventSourceMapping");
    expect(mapping?.Properties.FunctionResponseTypes).toEqual(["ReportBatchItemFailures"]);
    const remediate = ofType("AWS::Lambda::Function").find(({ Properties }) =>
      /remediate/.test(Properties.Handler),
    );
    expect(jobs.VisibilityTimeout).toBeGreaterThanOrEqual(6 * remediate?.Properties.Timeout);
  });

  test("sweeps on a schedule and takes the issuer's POST", () => {
    expect(ofType("AWS::Events::Rule")[0]?.Properties.ScheduleExpression).toBe("rate(5 minutes)");
    expect(ofType("AWS::ApiGatewayV2::Route")[0]?.Properties.RouteKey).toBe("POST /issuer");
  });

  test("gives no right on every secret, key or table, and may delete leases only", () => {
    const statements = ofType("AWS::IAM::Role").flatMap(({ Properties }) =>
      // biome-ignore lint/suspicious/noExplicitAny: an IAM policy
      Properties.Policies.flatMap(({ PolicyDocument }: any) => PolicyDocument.Statement),
    );
    for (const { Resource } of statements) expect(Resource).not.toBe("*");
    const deletes = statements.filter(({ Action }) => JSON.stringify(Action).includes("dynamodb:Delete"));
    expect(deletes).toHaveLength(1);
    expect(JSON.stringify(deletes[0].Condition)).toContain("lease#*");
  });

  test("holds no secret", () => {
    expect(JSON.stringify(resources)).not.toMatch(/\bS[OAUN][A-Z2-7]{56}\b|eyJ[\w-]+\.eyJ|whsec_/);
  });
});

/** The names in a zip file's directory. */
function filesIn(zip: string): string[] {
  const content = readFileSync(zip);
  const names: string[] = [];
  for (let at = content.indexOf("PK\x01\x02"); at >= 0; at = content.indexOf("PK\x01\x02", at + 46)) {
    const length = content.readUInt16LE(at + 28);
    names.push(content.toString("utf8", at + 46, at + 46 + length));
  }
  expect(names.filter((name) => name.includes("node_modules"))).toEqual([]);
  return names;
}
