import { readFileSync } from "node:fs";
import { join } from "node:path";
import { statementsIn } from "../../lab/twin/rights.ts";
import { packageForTwin } from "./package.ts";

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
/** An object of a template; what is missing is undefined, and a test that needs it fails there. */
// biome-ignore lint/suspicious/noExplicitAny: a CloudFormation template
export type Properties = any;

export interface Resource {
  readonly Type: string;
  readonly Properties: Properties;
  readonly DependsOn?: string | readonly string[];
  readonly [attribute: string]: unknown;
}

/** The result of `npm run package`, offline and without credentials. */
export interface PackagedStack {
  readonly folder: string;
  /** The template's file, and its text as it would be uploaded. */
  readonly file: string;
  readonly text: string;
  /** By logical id, with conditions decided: what CloudFormation would create. */
  readonly resources: Readonly<Record<string, Resource>>;
  ofType(type: string): readonly (readonly [string, Properties])[];
}

export function packageStack(params: Readonly<Record<string, string>> = {}): PackagedStack {
  const folder = packageForTwin(params);
  const file = join(folder, "cloudformation-template-update-stack.json");
  const text = readFileSync(file, "utf8");
  const resources = decided(JSON.parse(text));
  return {
    folder,
    file,
    text,
    resources,
    ofType: (type) =>
      Object.entries(resources).flatMap(([id, { Type, Properties }]) => (Type === type ? [[id, Properties]] : [])),
  };
}

const NOTHING = Symbol("AWS::NoValue");

/** The template's resources with each `Fn::If` decided; the conditions compare only literals. */
function decided({ Conditions = {}, Resources }: Properties): Record<string, Resource> {
  const holds = (condition: Properties): boolean => {
    if ("Fn::Not" in condition) return !holds(condition["Fn::Not"][0]);
    const [left, right] = condition["Fn::Equals"];
    return left === right;
  };
  const decide = (value: Properties): unknown => {
    if (Array.isArray(value)) return value.map(decide).filter((each) => each !== NOTHING);
    if (typeof value !== "object" || value === null) return value;
    if (value.Ref === "AWS::NoValue") return NOTHING;
    const [condition, yes, no] = value["Fn::If"] ?? [];
    if (condition !== undefined) return decide(holds(Conditions[condition]) ? yes : no);
    const entries = Object.entries(value).map(([key, each]) => [key, decide(each)] as const);
    return Object.fromEntries(entries.filter(([, each]) => each !== NOTHING));
  };
  const kept = Object.entries<Properties>(Resources).filter(
    ([, { Condition }]) => Condition === undefined || holds(Conditions[Condition]),
  );
  return decide(Object.fromEntries(kept)) as Record<string, Resource>;
}

/** Every logical id that the value refers to, with the requested attribute. */
export function referencesIn(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, argument]: [string, Properties]) => {
    if (key === "Ref") return [argument];
    if (key === "Fn::GetAtt") return [argument[0]];
    if (key === "DependsOn") return [argument].flat();
    if (key !== "Fn::Sub") return referencesIn(argument);
    const [text, own = {}] = [argument].flat();
    const names = [...text.matchAll(/\$\{([^!.}]+)[^}]*\}/g)].map(([, name]) => name);
    return [...names.filter((name) => !(name in own)), ...referencesIn(own)];
  });
}

/** A role's permissions, a line for each action on each resource: `sqs:SendMessage on JobsQueue`. */
export function rightsOf({ Policies }: Properties): readonly string[] {
  return statementsOf({ Policies }).flatMap(({ Effect, Action, Resource, Condition }) => {
    const bounds = Object.values<Properties>(Condition ?? {}).flatMap((each) => Object.entries(each));
    const where = bounds.map(([key, wanted]) => ` where ${key} is ${[wanted].flat().map(nameOf).join(" or ")}`);
    const on = [Resource].flat().map((resource) => ` on ${nameOf(resource)}${where.join("")}`);
    const actions: string[] = [Action].flat();
    return actions.flatMap((action) => on.map((place) => `${Effect === "Allow" ? "" : "never "}${action}${place}`));
  });
}

export function statementsOf({ Policies = [] }: Properties): readonly Properties[] {
  return statementsIn(Policies);
}

/** An ARN without the common prefix of the stack's ARNs. */
function nameOf(resource: Properties): string {
  if (typeof resource === "string") return resource;
  if (resource["Fn::GetAtt"] !== undefined) return resource["Fn::GetAtt"][0];
  if (resource.Ref !== undefined) return resource.Ref;
  return String(resource["Fn::Sub"])
    .replace(/^.*\$\{AWS::AccountId\}:/, "")
    .replace(/\$\{(\w+)\.Arn\}/, "$1");
}

/** The names in a zip file's directory. */
export function filesIn(zip: string): readonly string[] {
  const content = readFileSync(zip);
  const names: string[] = [];
  for (let at = content.indexOf("PK\x01\x02"); at >= 0; at = content.indexOf("PK\x01\x02", at + 46)) {
    const length = content.readUInt16LE(at + 28);
    names.push(content.toString("utf8", at + 46, at + 46 + length));
  }
  return names;
}
