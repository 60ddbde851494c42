import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The template from `npm run package`, resolved like CloudFormation. Supports only the intrinsics that the stack uses; others are errors. */
export interface Template {
  readonly Parameters?: Readonly<Record<string, { readonly Default?: unknown }>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<Record<string, Resource>>;
}

export interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly Condition?: string;
  readonly DependsOn?: string | readonly string[];
}

/** A resource with resolved references. */
export interface Resolved<P> {
  /** Its name in the template. */
  readonly id: string;
  readonly type: string;
  readonly properties: P;
}

/** Moto's account and region. */
export const ACCOUNT = "123456789012";
export const REGION = "eu-central-1";

const PSEUDO: Readonly<Record<string, unknown>> = {
  "AWS::AccountId": ACCOUNT,
  "AWS::Region": REGION,
  "AWS::Partition": "aws",
  "AWS::URLSuffix": "amazonaws.com",
  "AWS::StackName": "relight-prod",
  "AWS::StackId": `arn:aws:cloudformation:${REGION}:${ACCOUNT}:stack/relight-prod/twin`,
};
/** The value of `AWS::NoValue`: the property is omitted. */
const NOTHING = Symbol("AWS::NoValue");

export type Stage = "create" | "update";

export async function readTemplate(folder: string, stage: Stage): Promise<Template> {
  const text = await readFile(join(folder, `cloudformation-template-${stage}-stack.json`), "utf8");
  return JSON.parse(text) as Template;
}

/** A template with resolvable references, given the physical ids of the created resources. */
export interface Stack {
  /** The resources of the given types whose conditions hold. */
  resources<P>(...types: readonly string[]): readonly Resolved<P>[];
  /** A value of the template with all references resolved. */
  resolve(value: unknown): unknown;
}

export function stackOf(template: Template, ids: Readonly<Record<string, string>>): Stack {
  const resolve = (value: unknown): unknown => resolveIn(template, ids, value);
  return {
    resolve,
    resources: <P>(...types: readonly string[]) =>
      Object.entries(template.Resources)
        .filter(([, { Type, Condition }]) => types.includes(Type) && holds(template, ids, Condition))
        .map(([id, { Type, Properties }]) => ({
          id,
          type: Type,
          properties: resolve(Properties ?? {}) as P,
        })),
  };
}

function holds(template: Template, ids: Readonly<Record<string, string>>, condition: string | undefined): boolean {
  return condition === undefined || resolveIn(template, ids, template.Conditions?.[condition]) === true;
}

type Ids = Readonly<Record<string, string>>;
type Intrinsic = (template: Template, ids: Ids, argument: never) => unknown;

function resolveIn(template: Template, ids: Ids, value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((each) => resolveIn(template, ids, each)).filter((each) => each !== NOTHING);
  if (typeof value !== "object" || value === null) return value;
  const [[key, argument] = ["", undefined], ...others] = Object.entries(value);
  const isFunction = others.length === 0 && (key === "Ref" || key === "Condition" || key.startsWith("Fn::"));
  if (isFunction && !(key === "Condition" && typeof argument !== "string"))
    return intrinsic(key)(template, ids, argument as never);
  const entries = Object.entries(value).map(([name, each]) => [name, resolveIn(template, ids, each)] as const);
  return Object.fromEntries(entries.filter(([, each]) => each !== NOTHING));
}

function intrinsic(name: string): Intrinsic {
  const found = INTRINSICS[name];
  if (found === undefined) throw new Error(`the template uses ${name}, which the twin does not support`);
  return found;
}

const INTRINSICS: Readonly<Record<string, Intrinsic>> = {
  Ref: (template, ids, name: string) => refOf(template, ids, name),
  Condition: (template, ids, name: string) => resolveIn(template, ids, template.Conditions?.[name]) === true,
  "Fn::GetAtt": (template, ids, argument: string | readonly [string, string]) => {
    const [id = "", ...rest] = typeof argument === "string" ? argument.split(".") : argument;
    return attributeOf(template, ids, id, rest.join("."));
  },
  "Fn::Join": (template, ids, [separator, parts]: readonly [string, unknown]) =>
    (resolveIn(template, ids, parts) as readonly unknown[]).join(separator),
  "Fn::Sub": (template, ids, argument: string | readonly [string, Record<string, unknown>]) =>
    substitute(template, ids, argument),
  "Fn::Select": (template, ids, [index, list]: readonly [string | number, unknown]) =>
    (resolveIn(template, ids, list) as readonly unknown[])[Number(index)],
  "Fn::Split": (template, ids, [separator, text]: readonly [string, unknown]) =>
    String(resolveIn(template, ids, text)).split(separator),
  "Fn::If": (template, ids, [condition, then, otherwise]: readonly [string, unknown, unknown]) =>
    resolveIn(template, ids, holds(template, ids, condition) ? then : otherwise),
  "Fn::Equals": (template, ids, pair: readonly [unknown, unknown]) => {
    const [left, right] = resolveIn(template, ids, pair) as readonly unknown[];
    return String(left) === String(right);
  },
  "Fn::Not": (template, ids, [one]: readonly [unknown]) => resolveIn(template, ids, one) !== true,
  "Fn::And": (template, ids, all: readonly unknown[]) => all.every((each) => resolveIn(template, ids, each) === true),
  "Fn::Or": (template, ids, all: readonly unknown[]) => all.some((each) => resolveIn(template, ids, each) === true),
};

function refOf(template: Template, ids: Ids, name: string): unknown {
  if (name === "AWS::NoValue") return NOTHING;
  const parameter = template.Parameters?.[name];
  if (parameter !== undefined) return parameter.Default ?? "";
  return PSEUDO[name] ?? idOf(template, ids, name);
}

/** Types whose physical id is a property, for those without an id in moto. */
const NAMES: Readonly<Record<string, string>> = {
  "AWS::Events::EventBus": "Name",
  "AWS::Scheduler::Schedule": "Name",
  "AWS::CloudWatch::Alarm": "AlarmName",
};

/** The physical id; for a resource that moto does not support, its name in the template. */
function idOf(template: Template, ids: Ids, name: string): string {
  const resource = template.Resources[name];
  if (resource === undefined) throw new Error(`the template has no ${name}`);
  const property = resource.Properties?.[NAMES[resource.Type] ?? ""];
  return ids[name] ?? String(resolveIn(template, ids, property) ?? name);
}

function substitute(
  template: Template,
  ids: Ids,
  argument: string | readonly [string, Record<string, unknown>],
): string {
  const [text, own] = typeof argument === "string" ? [argument, {}] : argument;
  return text.replace(/\$\{([^}]+)\}/g, (_, name: string) => {
    if (name.startsWith("!")) return `\${${name.slice(1)}}`;
    if (Object.hasOwn(own, name)) return String(resolveIn(template, ids, own[name]));
    const [id = "", ...attribute] = name.split(".");
    return String(
      attribute.length === 0 ? refOf(template, ids, name) : attributeOf(template, ids, id, attribute.join(".")),
    );
  });
}

/** ARNs by type; `name` is the last part of the physical id, which may be a URL or an ARN. */
const ARNS: Readonly<Record<string, (name: string, id: string) => string>> = {
  "AWS::SQS::Queue": (name) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
  "AWS::DynamoDB::Table": (name) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`,
  "AWS::Lambda::Function": (name) =>
    `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${name.replace(/^.*:function:/, "")}`,
  "AWS::IAM::Role": (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`,
  "AWS::Events::EventBus": (name) => `arn:aws:events:${REGION}:${ACCOUNT}:event-bus/${name}`,
  "AWS::Events::Rule": (_, id) =>
    id.startsWith("arn:") ? id : `arn:aws:events:${REGION}:${ACCOUNT}:rule/${id.replace("|", "/")}`,
  "AWS::SNS::Topic": (_, id) => id,
  "AWS::S3::Bucket": (name) => `arn:aws:s3:::${name}`,
  "AWS::Logs::LogGroup": (_, id) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${id}:*`,
  "AWS::CloudWatch::Alarm": (name) => `arn:aws:cloudwatch:${REGION}:${ACCOUNT}:alarm:${name}`,
  "AWS::KMS::Key": (name) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${name}`,
  "AWS::Scheduler::ScheduleGroup": (name) => `arn:aws:scheduler:${REGION}:${ACCOUNT}:schedule-group/${name}`,
};

function attributeOf(template: Template, ids: Ids, name: string, attribute: string): string {
  const id = idOf(template, ids, name);
  const last = id.split("/").at(-1) ?? id;
  if (/name$/i.test(attribute)) return last;
  const arn = ARNS[template.Resources[name]?.Type ?? ""];
  if (arn === undefined || !/arn$/i.test(attribute))
    throw new Error(`the twin does not support the attribute ${attribute} of ${name}`);
  return arn(last, id);
}
