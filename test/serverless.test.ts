import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { installMoto } from "../lab/moto.ts";
import { isAllowed, statementsIn } from "../lab/twin/rights.ts";
import { stackOf } from "../lab/twin/template.ts";
import { JOURNAL_TABLE, JOURNAL_TTL } from "../lib/adapters/aws/journal/dynamodb-journal.ts";
import { entryKey } from "../lib/adapters/aws/journal/dynamodb-partitions.ts";
import { ACTED_ON, type EntryKind } from "../lib/domain/journal/journal.ts";
import {
  filesIn,
  type PackagedStack,
  type Properties,
  packageStack,
  referencesIn,
  rightsOf,
  statementsOf,
} from "./support/packaged-stack.ts";
import {
  ADDED_RIGHTS,
  ALL_PARAMETERS,
  REMOVED_RIGHT,
  RIGHTS,
  WITHOUT_RESOURCE,
  WRITES,
} from "./support/stack-rights.ts";

/** The result of `npm run package`, offline and without credentials: by default, and with every parameter set. */

const stack = packageStack();
const full = packageStack(ALL_PARAMETERS);

const DIST = join(import.meta.dirname, "..", "dist", "functions");
const NAMES = ["api", "escalate", "issuer-webhook", "manual", "remediate", "rotate-credentials", "sweep"];
const functions = stack.ofType("AWS::Lambda::Function");
const nameOf = ({ Handler }: Properties): string => /^dist\/functions\/(.+)\.handler$/.exec(Handler)?.[1] ?? Handler;
const functionOf = (name: string): readonly [string, Properties] => {
  const found = functions.find(([, properties]) => nameOf(properties) === name);
  if (found === undefined) throw new Error(`no function ${name}`);
  return found;
};
const propertiesOf = (id: string): Properties => stack.resources[id]?.Properties;
const targetOf = (reference: Properties): string => reference.Ref ?? reference["Fn::GetAtt"][0];

describe("the functions", () => {
  test("are the planned ones, on Node 24 and arm64, traced, each with only its own bundle", () => {
    expect(functions.map(([, properties]) => nameOf(properties)).sort()).toEqual(NAMES);
    for (const [, { Runtime, Architectures, TracingConfig }] of functions)
      expect({ Runtime, Architectures, TracingConfig }).toEqual({
        Runtime: "nodejs24.x",
        Architectures: ["arm64"],
        TracingConfig: { Mode: "Active" },
      });
    const whose = ["relight.yaml", "operator.jwt", "ca.pem"];
    for (const name of NAMES) {
      const files = filesIn(join(stack.folder, `${name}.zip`)).filter((file) => !whose.includes(file));
      const built = readdirSync(join(DIST, name)).filter((file) => file.endsWith(".mjs"));
      const chunks = built.map((file) => `dist/functions/${name}/${file}`);
      expect(files.toSorted()).toEqual([`dist/functions/${name}.mjs`, ...chunks].toSorted());
    }
  });

  test("have a role each, which only Lambda may assume", () => {
    const roles = functions.map(([, { Role }]) => Role["Fn::GetAtt"][0]);
    expect(new Set(roles).size).toBe(NAMES.length);
    for (const role of roles)
      expect(propertiesOf(role).AssumeRolePolicyDocument.Statement).toEqual([
        { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } },
      ]);
  });

  test("write to a log with a retention, and know queue, journal, bus and service", () => {
    const logs = stack.ofType("AWS::Logs::LogGroup").map(([, properties]) => properties);
    for (const [, { FunctionName, Environment }] of functions) {
      expect(logs).toContainEqual({ LogGroupName: `/aws/lambda/${FunctionName}`, RetentionInDays: 90 });
      expect(Environment.Variables).toEqual({
        RELIGHT_CONFIG: "relight.yaml",
        RELIGHT_QUEUE: { "Fn::Join": ["", ["sqs:", { Ref: "JobsQueue" }]] },
        RELIGHT_JOURNAL: { "Fn::Join": ["", ["dynamodb:", { Ref: "JournalTable" }]] },
        RELIGHT_EVENTS: { "Fn::Join": ["", ["eventbridge:", { "Fn::GetAtt": ["EventsBus", "Name"] }]] },
        POWERTOOLS_SERVICE_NAME: "relight-prod",
        POWERTOOLS_METRICS_NAMESPACE: "Relight",
      });
    }
  });

  test("that people and schedules start are not retried hours later", () => {
    const configured = stack.ofType("AWS::Lambda::EventInvokeConfig").map(([, properties]) => properties);
    expect(
      configured.map(({ FunctionName, MaximumRetryAttempts: tries, MaximumEventAgeInSeconds: age }) => [
        ...[FunctionName.Ref, tries, age],
      ]),
    ).toEqual([
      ["SweepLambdaFunction", 0, 300],
      ["ManualLambdaFunction", 0, 60],
    ]);
  });

  test("run in a VPC if one is given, which their roles then allow, and one sweep at a time by default", () => {
    const shown = (packaged: PackagedStack) =>
      packaged.ofType("AWS::Lambda::Function").map(([, { VpcConfig }]) => VpcConfig);
    expect(shown(stack)).toEqual(NAMES.map(() => undefined));
    const inside = {
      SubnetIds: { "Fn::Split": [",", ALL_PARAMETERS.subnets] },
      SecurityGroupIds: { "Fn::Split": [",", ALL_PARAMETERS.securityGroups] },
    };
    expect(shown(full)).toEqual(NAMES.map(() => inside));
    for (const [, { Role }] of full.ofType("AWS::Lambda::Function"))
      expect(full.resources[Role["Fn::GetAtt"][0]]?.Properties.ManagedPolicyArns).toEqual([{ Ref: "NetworkPolicy" }]);
    expect(stack.resources["NetworkPolicy"]).toBeUndefined();
    expect(functionOf("sweep")[1].ReservedConcurrentExecutions).toBe(1);
    expect(full.resources["SweepLambdaFunction"]?.Properties).not.toHaveProperty("ReservedConcurrentExecutions");
  });
});

describe("the roles", () => {
  const rights = (packaged: PackagedStack) =>
    Object.fromEntries(packaged.ofType("AWS::IAM::Role").map(([id, role]) => [id, rightsOf(role).toSorted()] as const));

  test("allow what their functions need and nothing else", () => {
    const expected = Object.entries(RIGHTS).map(([id, list]) => [id, list.toSorted()]);
    expect(rights(stack)).toEqual(Object.fromEntries(expected));
  });

  test("allow more only for a parameter's resources, and with a KMS key no longer the secret", () => {
    const expected = Object.entries(RIGHTS).map(([id, list]) => {
      const kept = list.filter((right) => right !== REMOVED_RIGHT);
      return [id, [...kept, ...(ADDED_RIGHTS[id] ?? [])].toSorted()];
    });
    expect(rights(full)).toEqual(Object.fromEntries(expected));
  });

  test.each(Object.entries(WRITES))("let %s write its own kinds of entries, and no other", (name, { kinds, on }) => {
    const packaged = stackOf(JSON.parse(stack.text), {});
    const properties = packaged.resources<Properties>("AWS::Lambda::Function").map((each) => each.properties);
    const own = properties.find((each) => nameOf(each) === name);
    const role = packaged.resources<Properties>("AWS::IAM::Role");
    const [found] = role.filter(({ id }) => packaged.resolve({ "Fn::GetAtt": [id, "Arn"] }) === own?.Role);
    const statements = statementsIn(found?.properties.Policies);
    const resource = String(packaged.resolve({ "Fn::GetAtt": ["JournalTable", "Arn"] }));
    const may = (action: string, key: string): boolean =>
      isAllowed(statements, { action, resource, context: { "dynamodb:LeadingKeys": [key] } });
    for (const kind of Object.keys(ACTED_ON) as EntryKind[])
      for (const account of ["A".repeat(56), "-"]) {
        const key = entryKey(kind, account);
        const isOwn = kinds.includes(kind) && on.includes(account === "-" ? "-" : "account");
        expect({ kind, key, may: may("dynamodb:PutItem", key) }).toEqual({ kind, key, may: isOwn });
        for (const action of ["UpdateItem", "DeleteItem", "BatchWriteItem", "PartiQLInsert", "PartiQLUpdate"])
          expect({ action, key, may: may(`dynamodb:${action}`, key) }).toEqual({ action, key, may: false });
      }
  });

  test('use "*" as resource only if AWS accepts nothing else, and never a part of a secret or a key', () => {
    for (const [, role] of full.ofType("AWS::IAM::Role"))
      for (const { Action, Resource } of statementsOf(role))
        for (const resource of [Resource].flat().map((each) => JSON.stringify(each)))
          if (resource === '"*"') expect(WITHOUT_RESOURCE).toEqual(expect.arrayContaining([Action].flat()));
          else if (resource.includes(":secret:")) expect(resource).toMatch(/[\w-]-\?{6}"}$|secret:jwts\/\*"}$/);
          else expect(resource).not.toMatch(/[*?]|alias/);
    expect(JSON.stringify(RIGHTS)).not.toMatch(/kms:|secret:[^"]*\*/);
  });

  test("let only this account's schedule start sweeps, and only this account's Secrets Manager rotations", () => {
    const [statement] = propertiesOf("SweepScheduleRole").AssumeRolePolicyDocument.Statement;
    expect(statement.Principal).toEqual({ Service: "scheduler.amazonaws.com" });
    expect(statement.Condition.StringEquals["aws:SourceAccount"]).toEqual({ Ref: "AWS::AccountId" });
    const callers = stack.ofType("AWS::Lambda::Permission").map(([, properties]) => properties);
    expect(callers.map(({ Principal }) => Principal).sort()).toEqual([
      ...["apigateway.amazonaws.com", "apigateway.amazonaws.com", "secretsmanager.amazonaws.com"],
    ]);
    const rotation = callers.find(({ Principal }) => Principal.startsWith("secrets"));
    expect(rotation.SourceAccount).toEqual({ Ref: "AWS::AccountId" });
    expect(stack.ofType("AWS::SecretsManager::RotationSchedule")).toEqual([]);
  });
});

describe("queues, table and triggers", () => {
  test("the journal's table matches the code, is encrypted, recoverable, and outlives the stack", () => {
    expect(stack.resources["JournalTable"]).toMatchObject({
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        ...JOURNAL_TABLE,
        TimeToLiveSpecification: JOURNAL_TTL,
        DeletionProtectionEnabled: true,
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        SSESpecification: { SSEEnabled: true },
      },
    });
  });

  test("a queue hides messages for six timeouts, one at a time, and failures are reported separately", () => {
    const mappings = stack.ofType("AWS::Lambda::EventSourceMapping").map(([, properties]) => properties);
    const work = { RemediateLambdaFunction: "JobsQueue", EscalateLambdaFunction: "PagesQueue" };
    const targets = mappings.map((each) => [targetOf(each.FunctionName), targetOf(each.EventSourceArn)]);
    expect(Object.fromEntries(targets)).toEqual(work);
    for (const mapping of mappings) {
      const queue = propertiesOf(targetOf(mapping.EventSourceArn));
      const { Timeout } = propertiesOf(targetOf(mapping.FunctionName));
      expect(queue.VisibilityTimeout).toBeGreaterThanOrEqual(6 * Timeout);
      expect(mapping).toMatchObject({ BatchSize: 1, FunctionResponseTypes: ["ReportBatchItemFailures"] });
      expect(mapping.ScalingConfig.MaximumConcurrency).toBeGreaterThanOrEqual(2);
    }
    const jobs = full.ofType("AWS::Lambda::EventSourceMapping").map(([, properties]) => properties);
    expect(jobs.map(({ ScalingConfig }) => Number(ScalingConfig.MaximumConcurrency))).toEqual([7, 2]);
  });

  test("every queue is encrypted, and has a dead-letter queue of its kind with the longest retention", () => {
    const queues = stack.ofType("AWS::SQS::Queue");
    expect(queues.map(([id]) => id).sort()).toEqual([
      ...["JobsDeadLetters", "JobsQueue", "PagesDeadLetters", "PagesQueue"],
    ]);
    for (const [, { RedrivePolicy, FifoQueue, SqsManagedSseEnabled }] of queues) {
      expect(SqsManagedSseEnabled).toBe(true);
      if (RedrivePolicy === undefined) continue;
      const dead = propertiesOf(targetOf(RedrivePolicy.deadLetterTargetArn));
      expect([dead.FifoQueue, dead.MessageRetentionPeriod]).toEqual([FifoQueue, 1_209_600]);
      expect(RedrivePolicy.maxReceiveCount).toBe(5);
    }
  });

  test("the schedule sweeps every five minutes, on time, without catching up on a day of misses", () => {
    const [[, schedule] = []] = stack.ofType("AWS::Scheduler::Schedule");
    expect(schedule).toMatchObject({
      ScheduleExpression: "rate(5 minutes)",
      FlexibleTimeWindow: { Mode: "OFF" },
      Target: { RetryPolicy: { MaximumEventAgeInSeconds: 240, MaximumRetryAttempts: 3 } },
    });
    expect(targetOf(schedule.Target.Arn)).toBe("SweepLambdaFunction");
    expect(targetOf(schedule.Target.RoleArn)).toBe("SweepScheduleRole");
    const input = JSON.parse(schedule.Target.Input);
    expect(input.time).toBe("<aws.scheduler.scheduled-time>");
    const sample = readFileSync(join(import.meta.dirname, "..", "events", "sweep.schedule.json"), "utf8");
    expect(Object.keys(input)).toEqual(Object.keys(JSON.parse(sample)));
  });

  test("IAM identifies every API caller, except the issuer, who signs; and calls are throttled", () => {
    const routes = stack.ofType("AWS::ApiGatewayV2::Route").map(([, properties]) => properties);
    expect(Object.fromEntries(routes.map((each) => [each.RouteKey, each.AuthorizationType]))).toEqual({
      "POST /issuer": undefined,
      "GET /accounts": "AWS_IAM",
      "GET /accounts/{account}": "AWS_IAM",
      "POST /accounts/{account}/jobs": "AWS_IAM",
      "GET /accounts/{account}/jobs/{correlation}": "AWS_IAM",
    });
    expect(functionOf("api")[1].Timeout).toBeLessThan(30);
    const { DefaultRouteSettings, RouteSettings, AccessLogSettings } = propertiesOf("HttpApiStage");
    for (const settings of [DefaultRouteSettings, RouteSettings["POST /issuer"]])
      expect(Math.min(settings.ThrottlingRateLimit, settings.ThrottlingBurstLimit)).toBeGreaterThan(0);
    expect(JSON.parse(AccessLogSettings.Format)).toMatchObject({ status: "$context.status" });
    expect(AccessLogSettings.Format).not.toMatch(/authorizer|header|body|querystring/i);
  });

  test("only rules put pages into the queue, and only the queue feeds its dead letters", () => {
    const rules = stack.ofType("AWS::Events::Rule");
    expect(rules.map(([, { EventBusName, EventPattern }]) => [EventBusName, EventPattern["detail-type"]])).toEqual([
      [{ "Fn::GetAtt": ["EventsBus", "Name"] }, ["Incident Opened", "Incident Resolved"]],
      [undefined, ["CloudWatch Alarm State Change"]],
    ]);
    const arns = rules.map(([id]) => ({ "Fn::GetAtt": [id, "Arn"] }));
    const policies = stack.ofType("AWS::SQS::QueuePolicy").map(([, { PolicyDocument, Queues }]) => {
      const [statement, ...others] = PolicyDocument.Statement;
      expect(others).toEqual([]);
      expect(statement).toMatchObject({
        Action: "sqs:SendMessage",
        Principal: { Service: "events.amazonaws.com" },
      });
      expect(statement.Condition).toEqual({ ArnEquals: { "aws:SourceArn": arns } });
      expect(targetOf(statement.Resource)).toBe(Queues[0].Ref);
      return Queues[0].Ref;
    });
    for (const [, { Targets }] of rules)
      expect([targetOf(Targets[0].Arn), targetOf(Targets[0].DeadLetterConfig.Arn)]).toEqual(policies);
  });
});

describe("the template", () => {
  test.each([
    ["as it comes", stack],
    ["with every parameter", full],
  ])("%s has no dangling reference and no secret, and is within CloudFormation's limits", (_, packaged) => {
    const wanted = referencesIn(packaged.resources).filter((name) => !name.startsWith("AWS::"));
    expect(wanted.length).toBeGreaterThan(100);
    expect(wanted.filter((name) => packaged.resources[name] === undefined)).toEqual([]);
    expect(packaged.text).not.toMatch(/\bS[OAUN][A-Z2-7]{56}\b|eyJ[\w-]+\.eyJ|whsec_|\$\{param:/);
    expect(Object.keys(packaged.resources).length).toBeLessThan(500);
    expect(Buffer.byteLength(packaged.text)).toBeLessThan(1_000_000);
  });

  test("passes cfn-lint, which has CloudFormation's own schemas", async () => {
    const moto = await installMoto();
    if (!moto.ok) return console.warn(`SKIPPED, NOT TESTED: cfn-lint comes with moto, and ${moto.missing}`);
    // W3005: dependencies that osls writes twice. W8003: conditions are decided when packaging.
    const unneeded = ["W3005", "W8003"];
    // E3510, W1033: the contents of branches that empty parameters disable.
    const findings = await Promise.all([
      lint(moto.python, full, unneeded),
      lint(moto.python, stack, [...unneeded, "E3510", "W1033"]),
    ]);
    expect(findings).toEqual(["", ""]);
  });
});

async function lint(python: string, { file }: PackagedStack, ignored: readonly string[]): Promise<string> {
  const main = "from cfnlint.runner import main; main()";
  const args = ["-c", main, "-t", file, "-r", "eu-central-1", "--format", "parseable", "-i", ...ignored];
  return promisify(execFile)(python, args).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr, message }) => stdout || stderr || message,
  );
}
