import type { Call } from "./call.ts";
import type { Functions } from "./functions.ts";
import { ACCOUNT, REGION, type Stack } from "./template.ts";

/**
 * Whether a function's role allows a call, from the template's statements: actions, resources, and conditions on the call's
 * parameters. Moto's own enforcement compares every resource with `*` and denies everything with a condition.
 */
export interface Right {
  /** `dynamodb:PutItem` */
  readonly action: string;
  readonly resource: string;
  /** Values of known condition keys; an absent key has none. */
  readonly context: Readonly<Record<string, readonly string[]>>;
}

export interface Statement {
  readonly Effect: "Allow" | "Deny";
  readonly Action?: OneOrMore;
  readonly NotAction?: OneOrMore;
  readonly Resource?: OneOrMore;
  readonly NotResource?: OneOrMore;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, OneOrMore>>>>;
}

type OneOrMore = string | readonly string[];

interface Policy {
  readonly PolicyDocument: { readonly Statement: Statement | readonly Statement[] };
}

/** The statements of a function's role, both inline and attached ones of the same stack. */
export function statementsOf(stack: Stack, functions: Functions, name: string): readonly Statement[] {
  const arn = functions.properties(name).Role;
  const role = stack
    .resources<{ readonly Policies?: readonly Policy[]; readonly ManagedPolicyArns?: readonly string[] }>(
      "AWS::IAM::Role",
    )
    .find(({ id }) => stack.resolve({ "Fn::GetAtt": [id, "Arn"] }) === arn);
  if (role === undefined) throw new Error(`the stack has no role ${arn}`);
  const attached = stack
    .resources<Policy & { readonly Roles?: readonly string[] }>("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
    .filter(
      ({ id, properties }) =>
        properties.Roles?.includes(String(stack.resolve({ Ref: role.id }))) === true ||
        role.properties.ManagedPolicyArns?.includes(String(stack.resolve({ Ref: id }))) === true,
    );
  const policies = [...(role.properties.Policies ?? []), ...attached.map(({ properties }) => properties)];
  return statementsIn(policies);
}

/** All statements of a role's policies. */
export function statementsIn(policies: readonly Policy[]): readonly Statement[] {
  return policies.flatMap(({ PolicyDocument: { Statement: statement } }) => statement);
}

/** A denial wins over everything; by default everything is denied. */
export function isAllowed(statements: readonly Statement[], right: Right): boolean {
  const fitting = statements.filter((statement) => fits(statement, right));
  return fitting.some(({ Effect }) => Effect === "Allow") && fitting.every(({ Effect }) => Effect === "Allow");
}

function fits(statement: Statement, { action, resource, context }: Right): boolean {
  const { Action, NotAction, Resource, NotResource, Condition = {} } = statement;
  const named = (patterns: OneOrMore | undefined, text: string): boolean =>
    list(patterns ?? []).some((pattern) => like(pattern, text));
  const lower = action.toLowerCase();
  const isAction = Action === undefined ? !named(lowered(NotAction), lower) : named(lowered(Action), lower);
  const isResource = Resource === undefined ? !named(NotResource, resource) : named(Resource, resource);
  return (
    isAction &&
    isResource &&
    Object.entries(Condition).every(([operator, keys]) =>
      Object.entries(keys).every(([key, wanted]) => holds(operator, list(wanted), context[key] ?? [])),
    )
  );
}

/** @throws Error for an unknown operator, because it must not count as fulfilled. */
function holds(operator: string, wanted: readonly string[], values: readonly string[]): boolean {
  const [, set, name = "", ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?$/.exec(operator) ?? [];
  if (ifExists !== undefined && values.length === 0) return true;
  const test = OPERATORS[name];
  if (test === undefined) throw new Error(`the condition operator ${operator} is unknown`);
  const fitsOne = (value: string): boolean => test(wanted, value);
  // As in AWS, `ForAllValues` is true for no values.
  return set === "ForAllValues" ? values.every(fitsOne) : values.some(fitsOne);
}

const equal = (wanted: readonly string[], value: string): boolean => wanted.includes(value);
const likeOne = (wanted: readonly string[], value: string): boolean => wanted.some((pattern) => like(pattern, value));

const OPERATORS: Readonly<Record<string, (wanted: readonly string[], value: string) => boolean>> = {
  StringEquals: equal,
  StringLike: likeOne,
  StringNotEquals: (wanted, value) => !equal(wanted, value),
  StringNotLike: (wanted, value) => !likeOne(wanted, value),
  ArnEquals: likeOne,
  ArnLike: likeOne,
  Bool: (wanted, value) => equal(wanted.map(String), value),
};

const list = (value: OneOrMore): readonly string[] => (typeof value === "string" ? [value] : value);
const lowered = (value: OneOrMore = []): readonly string[] => list(value).map((each) => each.toLowerCase());

/** IAM's wildcards: `*` is any text, `?` any one character. */
function like(pattern: string, text: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", "[^]*").replaceAll("?", "[^]")}$`).test(text);
}

type Input = Readonly<Record<string, unknown>>;
type Key = Readonly<Record<string, { readonly S?: string }>>;

/** The permissions that a call needs. `secretArn` knows the random end of a secret's ARN. */
export function rightsOf(
  { service, operation, input }: Pick<Call, "service" | "operation" | "input">,
  secretArn: (name: string) => string | undefined = () => undefined,
): readonly Right[] {
  const one = (resource: string, context: Right["context"] = {}): readonly Right[] => [
    { action: `${service}:${operation.replace(/Batch$/, "")}`, resource, context },
  ];
  const arn = (rest: string): string => `arn:aws:${service}:${REGION}:${ACCOUNT}:${rest}`;
  if (service === "dynamodb") return dynamoRights(operation, input);
  if (service === "sqs") return one(arn(String(input["QueueUrl"]).split("/").at(-1) ?? ""));
  if (service === "sns") return one(String(input["TopicArn"]));
  if (service === "events") return busesOf(input).map((bus) => ({ ...right(service, operation), ...bus }));
  if (service === "kms") return one(arn("key/of-the-alias"), kmsContext(input));
  if (service !== "secretsmanager") return one("*");
  const id = String(input["SecretId"]);
  return one(id.startsWith("arn:") ? id : (secretArn(id) ?? arn(`secret:${id}-AbCdEf`)));
}

const right = (service: string, operation: string) => ({ action: `${service}:${operation}`, context: {} });

function busesOf(input: Input): readonly Pick<Right, "resource" | "context">[] {
  const entries = (input["Entries"] ?? []) as readonly Readonly<Record<string, string>>[];
  return entries.map(({ EventBusName: bus = "default", Source, DetailType }) => ({
    resource: bus.startsWith("arn:") ? bus : `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/${bus}`,
    context: { "events:source": [String(Source)], "events:detail-type": [String(DetailType)] },
  }));
}

function kmsContext({ KeyId, SigningAlgorithm }: Input): Right["context"] {
  return {
    "kms:ResourceAliases": [String(KeyId)],
    ...(SigningAlgorithm === undefined ? {} : { "kms:SigningAlgorithm": [String(SigningAlgorithm)] }),
  };
}

/** Operations on many items need the permissions of each part; transactions need the parts' own actions. */
function dynamoRights(operation: string, input: Input): readonly Right[] {
  const transaction = input["TransactItems"] as readonly Readonly<Record<string, Input>>[] | undefined;
  const parts = transaction?.flatMap((item) => Object.entries(item));
  const names: Readonly<Record<string, string>> = {
    Put: "PutItem",
    Update: "UpdateItem",
    Delete: "DeleteItem",
    Get: "GetItem",
  };
  if (parts !== undefined)
    return parts.flatMap(([kind, part]) => dynamoRights(names[kind] ?? "ConditionCheckItem", part));
  const batch = input["RequestItems"] as Readonly<Record<string, unknown>> | undefined;
  const tables = batch === undefined ? [String(input["TableName"])] : Object.keys(batch);
  const index = input["IndexName"] === undefined ? "" : `/index/${input["IndexName"]}`;
  return tables.map((table) => ({
    action: `dynamodb:${operation}`,
    resource: `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${table}${index}`,
    context: { "dynamodb:LeadingKeys": leadingKeys(input, batch?.[table]) },
  }));
}

/** The partition keys of the call. */
function leadingKeys(input: Input, batch: unknown): readonly string[] {
  const items = [input["Item"], input["Key"], ...batchItems(batch)] as (Key | undefined)[];
  const keys = items.flatMap((item) => (item?.["pk"]?.S === undefined ? [] : [item["pk"].S]));
  const [, , value] = /(?:^|[\s(])([#\w]+)\s*=\s*(:\w+)/.exec(String(input["KeyConditionExpression"])) ?? [];
  const values = (input["ExpressionAttributeValues"] ?? {}) as Key;
  const queried = value === undefined ? undefined : values[value]?.S;
  return queried === undefined ? keys : [...keys, queried];
}

function batchItems(batch: unknown): readonly unknown[] {
  if (Array.isArray(batch)) return batch.map(({ PutRequest, DeleteRequest }) => PutRequest?.Item ?? DeleteRequest?.Key);
  return (batch as { Keys?: readonly unknown[] } | undefined)?.Keys ?? [];
}
