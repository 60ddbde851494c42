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

const FUNCTIONS = ["issuer-webhook", "manual", "remediate", "rotate-credentials", "sweep"];
const ofType = (type: string) => Object.values(resources).filter((resource) => resource.Type === type);

describe("serverless.yml", () => {
  test("has five functions on Node 24, arm64, each with its own bundle and nothing else", () => {
    const functions = ofType("AWS::Lambda::Function").map(({ Properties }) => Properties);
    expect(functions.map(({ Handler }) => Handler).sort()).toEqual(
      FUNCTIONS.map((name) => `dist/functions/${name}.handler`),
    );
    for (const { Runtime, Architectures } of functions)
      expect({ Runtime, Architectures }).toEqual({ Runtime: "nodejs24.x", Architectures: ["arm64"] });
    for (const name of FUNCTIONS)
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

  test("lets Secrets Manager of this account, and nobody else, call the rotation, which nothing schedules", () => {
    const permissions = ofType("AWS::Lambda::Permission").map(({ Properties }) => Properties);
    const own = permissions.filter(({ FunctionName }) => JSON.stringify(FunctionName).includes("Rotate"));
    expect(own).toMatchObject([
      { Principal: "secretsmanager.amazonaws.com", SourceAccount: { Ref: "AWS::AccountId" } },
    ]);
    expect(ofType("AWS::SecretsManager::RotationSchedule")).toEqual([]);
  });

  test("lets the rotation alone write secrets, and only one whose rotation it is; and has it read no journal", () => {
    // biome-ignore lint/suspicious/noExplicitAny: an IAM policy
    const statementsOf = ({ Properties }: any): any[] =>
      // biome-ignore lint/suspicious/noExplicitAny: an IAM policy
      Properties.Policies.flatMap(({ PolicyDocument }: any) => PolicyDocument.Statement);
    const roles = ofType("AWS::IAM::Role");
    const rotation = resources["RotateCredentialsRole"];
    const writes = roles.map((role) =>
      statementsOf(role).filter(({ Action }) =>
        /Put(Secret|Res)|Update|Describe/.test(JSON.stringify(Action)),
      ),
    );
    expect(writes.filter((found) => found.length > 0)).toHaveLength(1);
    const [write] = writes.flat();
    expect(JSON.stringify(write.Condition)).toContain("AllowRotationLambdaArn");
    const actions = statementsOf(rotation).flatMap(({ Action }) => Action);
    expect(actions.filter((action: string) => /dynamodb|sqs|kms/.test(action))).toEqual(["dynamodb:PutItem"]);
    const fn = ofType("AWS::Lambda::Function").find(({ Properties }) => /rotate/.test(Properties.Handler));
    expect(fn?.Properties.Role).toEqual({ "Fn::GetAtt": ["RotateCredentialsRole", "Arn"] });
  });

  test("signs with keys of Relight's alias only, plain Ed25519 only", () => {
    const statements = ofType("AWS::IAM::Role").flatMap(({ Properties }) =>
      // biome-ignore lint/suspicious/noExplicitAny: an IAM policy
      Properties.Policies.flatMap(({ PolicyDocument }: any) => PolicyDocument.Statement),
    );
    const kms = statements.filter(({ Action }) => JSON.stringify(Action).includes("kms:"));
    expect(kms.flatMap(({ Action }) => Action).sort()).toEqual(["kms:GetPublicKey", "kms:Sign"]);
    for (const { Condition } of kms) expect(JSON.stringify(Condition)).toContain("alias/relight-*");
    expect(JSON.stringify(kms.find(({ Action }) => [Action].flat().includes("kms:Sign")))).toContain(
      "ED25519_SHA_512",
    );
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
