import { describe, expect, test } from "@jest/globals";
import { isAllowed, type Right, rightsOf, type Statement } from "../../lab/twin/rights.ts";

const JOURNAL = "arn:aws:dynamodb:eu-central-1:123456789012:table/journal";
const SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:relight/system-AbCdEf";

const allow = (Action: string | string[], Resource: string | string[], Condition?: object): Statement => ({
  Effect: "Allow",
  Action,
  Resource,
  ...(Condition === undefined ? {} : { Condition: Condition as NonNullable<Statement["Condition"]> }),
});
const LEASES = { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["lease#*"] } };
const INCIDENTS = { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["incident#-", "lease#*"] } };

describe("whether a role allows a call", () => {
  test.each<[string, readonly Statement[], Partial<Right>, boolean]>([
    ["nothing is allowed by nothing", [], {}, false],
    ["an action and a resource by name", [allow("dynamodb:PutItem", JOURNAL)], {}, true],
    ["another action", [allow("dynamodb:Query", JOURNAL)], {}, false],
    ["another resource", [allow("dynamodb:PutItem", `${JOURNAL}2`)], {}, false],
    ["wildcards in both", [allow("dynamodb:*", "arn:aws:dynamodb:*:table/jour?al")], {}, true],
    ["actions in any case", [allow("DynamoDB:putitem", JOURNAL)], {}, true],
    ["a wildcard that is a letter too short", [allow("dynamodb:PutItem", JOURNAL.replace("nal", "?"))], {}, false],
    ["one of several", [allow(["sqs:SendMessage", "dynamodb:PutItem"], ["*"])], {}, true],
    [
      "a denial beside it",
      [allow("*", "*"), { Effect: "Deny", Action: "dynamodb:PutItem", Resource: JOURNAL }],
      {},
      false,
    ],
    ["all but one action", [{ Effect: "Allow", NotAction: "dynamodb:PutItem", Resource: "*" }], {}, false],
    [
      "a condition that holds for all keys",
      [allow("*", "*", LEASES)],
      { context: { "dynamodb:LeadingKeys": ["lease#a", "lease#b"] } },
      true,
    ],
    [
      "a condition that one key breaks",
      [allow("*", "*", LEASES)],
      { context: { "dynamodb:LeadingKeys": ["lease#a", "account#b"] } },
      false,
    ],
    [
      "an entry in a partition that another role writes",
      [allow("dynamodb:PutItem", JOURNAL, INCIDENTS)],
      { context: { "dynamodb:LeadingKeys": ["account#a"] } },
      false,
    ],
    [
      "an entry in its own partition",
      [allow("dynamodb:PutItem", JOURNAL, INCIDENTS)],
      { context: { "dynamodb:LeadingKeys": ["incident#-"] } },
      true,
    ],
    [
      "an entry about an account, where the cluster's alone may be written",
      [allow("dynamodb:PutItem", JOURNAL, INCIDENTS)],
      { context: { "dynamodb:LeadingKeys": ["incident#a"] } },
      false,
    ],
    [
      "a condition for any value, without a value",
      [allow("*", "*", { "ForAnyValue:StringLike": { "kms:ResourceAliases": "*" } })],
      {},
      false,
    ],
    [
      "a condition if it exists, without a value",
      [allow("*", "*", { StringEqualsIfExists: { "a:b": "c" } })],
      {},
      true,
    ],
  ])("%s", (_what, statements, more, expected) => {
    const right: Right = { action: "dynamodb:PutItem", resource: JOURNAL, context: {}, ...more };
    expect(isAllowed(statements, right)).toBe(expected);
  });

  test("an unknown condition is an error, not a permission", () => {
    const statements = [allow("*", "*", { IpAddress: { "aws:SourceIp": "10.0.0.0/8" } })];
    expect(() => isAllowed(statements, { action: "a:b", resource: "*", context: {} })).toThrow(/IpAddress/);
  });
});

describe("what a call needs", () => {
  test.each<[string, Parameters<typeof rightsOf>[0], readonly Partial<Right>[]]>([
    [
      "an entry",
      {
        service: "dynamodb",
        operation: "PutItem",
        input: { TableName: "journal", Item: { pk: { S: "account#A" } } },
      },
      [{ action: "dynamodb:PutItem", resource: JOURNAL, context: { "dynamodb:LeadingKeys": ["account#A"] } }],
    ],
    [
      "a query of an index",
      {
        service: "dynamodb",
        operation: "Query",
        input: {
          TableName: "journal",
          IndexName: "job-index",
          KeyConditionExpression: "#job = :job",
          ExpressionAttributeValues: { ":job": { S: "1" } },
        },
      },
      [{ resource: `${JOURNAL}/index/job-index`, context: { "dynamodb:LeadingKeys": ["1"] } }],
    ],
    [
      "a transaction: what its parts need",
      {
        service: "dynamodb",
        operation: "TransactWriteItems",
        input: { TransactItems: [{ Put: { TableName: "journal", Item: { pk: { S: "x" } } } }] },
      },
      [{ action: "dynamodb:PutItem", resource: JOURNAL }],
    ],
    [
      "a batch of messages",
      {
        service: "sqs",
        operation: "SendMessageBatch",
        input: { QueueUrl: "http://127.0.0.1:1/123456789012/jobs.fifo" },
      },
      [{ action: "sqs:SendMessage", resource: "arn:aws:sqs:eu-central-1:123456789012:jobs.fifo" }],
    ],
    [
      "a secret by name",
      { service: "secretsmanager", operation: "GetSecretValue", input: { SecretId: "relight/system" } },
      [{ action: "secretsmanager:GetSecretValue", resource: SECRET }],
    ],
    [
      "events, each on its bus",
      {
        service: "events",
        operation: "PutEvents",
        input: { Entries: [{ EventBusName: "b", Source: "relight", DetailType: "x" }] },
      },
      [{ action: "events:PutEvents", resource: "arn:aws:events:eu-central-1:123456789012:event-bus/b" }],
    ],
  ])("%s", (_what, call, expected) => {
    expect(rightsOf(call)).toMatchObject(expected);
  });
});
