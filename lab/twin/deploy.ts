import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  UpdateStackCommand,
} from "@aws-sdk/client-cloudformation";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { waitFor } from "../wait.ts";
import type { MotoSettings } from "./moto.ts";
import { type Resource, readTemplate, type Stack, stackOf, type Template } from "./template.ts";

const STACK = "relight-prod";

const run = promisify(execFile);

/** The stack in the emulator. */
export interface Deployment {
  readonly stack: Stack;
  /** Resource types that the emulator created, and those that it does not support. */
  readonly made: readonly string[];
  readonly missing: readonly string[];
}

/**
 * Deploys `artefacts` like the Serverless Framework: first a stack with only a bucket, then the code into the bucket, then
 * the whole stack. Moto skips unknown types; the twin does their work (routes, schedules) from the same template.
 * @throws Error with CloudFormation's reason if the stack is refused.
 */
export async function deploy(artefacts: string, settings: MotoSettings): Promise<Deployment> {
  const client = new CloudFormationClient(settings);
  const whole = await readTemplate(artefacts, "update");
  const body = await readTemplate(artefacts, "create");
  await client.send(new CreateStackCommand({ StackName: STACK, TemplateBody: JSON.stringify(body) }));
  await upload(artefacts, whole, await physicalIds(client), settings);
  const forMoto = JSON.stringify(withoutMappings(whole));
  await client.send(new UpdateStackCommand({ StackName: STACK, TemplateBody: forMoto }));
  await succeeded(client);
  const ids = await physicalIds(client);
  // Moto creates a bus but reports no id.
  const isMade = (id: string): boolean =>
    ids[id] !== undefined || whole.Resources[id]?.Type === "AWS::Events::EventBus";
  const types = (keep: (id: string) => boolean): string[] => [
    ...new Set(Object.entries(whole.Resources).flatMap(([id, { Type }]) => (keep(id) ? [Type] : []))),
  ];
  return {
    stack: stackOf(whole, ids),
    made: types(isMade).sort(),
    missing: types((id) => !isMade(id)).sort(),
  };
}

/**
 * Without event source mappings, because moto would receive each message at once to invoke a function in Docker, even
 * without Docker. The twin handles mappings.
 */
function withoutMappings(template: Template): Template {
  const kept = Object.entries(template.Resources).filter(([, { Type }]) => Type !== "AWS::Lambda::EventSourceMapping");
  return { ...template, Resources: Object.fromEntries(kept) };
}

async function succeeded(client: CloudFormationClient): Promise<void> {
  const status = await waitFor("the stack to be deployed", async () => {
    const { Stacks: [stack] = [] } = await client.send(new DescribeStacksCommand({ StackName: STACK }));
    return stack?.StackStatus?.endsWith("_IN_PROGRESS") === false ? stack : undefined;
  });
  if (status.StackStatus !== "UPDATE_COMPLETE")
    throw new Error(`the stack ended as ${status.StackStatus}: ${status.StackStatusReason ?? "no reason"}`);
}

async function physicalIds(client: CloudFormationClient): Promise<Readonly<Record<string, string>>> {
  const answer = await client.send(new DescribeStackResourcesCommand({ StackName: STACK }));
  return Object.fromEntries(
    (answer.StackResources ?? []).flatMap(({ LogicalResourceId: name, PhysicalResourceId: id }) =>
      name === undefined || id === undefined ? [] : [[name, id]],
    ),
  );
}

async function upload(
  artefacts: string,
  template: Template,
  ids: Readonly<Record<string, string>>,
  settings: MotoSettings,
): Promise<void> {
  const client = new S3Client({ ...settings, forcePathStyle: true });
  for (const { properties } of stackOf(template, ids).resources<FunctionProperties>("AWS::Lambda::Function")) {
    const { S3Bucket: bucket, S3Key: key } = properties.Code;
    const body = await readFile(zipOf(artefacts, key));
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  }
}

const zipOf = (artefacts: string, key: string): string => join(artefacts, key.split("/").at(-1) ?? key);

/** The function properties that the twin uses. */
export interface FunctionProperties {
  readonly FunctionName: string;
  readonly Handler: string;
  readonly Code: { readonly S3Bucket: string; readonly S3Key: string };
  /** Seconds. */
  readonly Timeout?: number;
  /** Mebibytes. */
  readonly MemorySize?: number;
  readonly Role: string;
  readonly ReservedConcurrentExecutions?: number;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
}

/** Unzips a function's artifact like Lambda, to run exactly what would be deployed. */
export async function unzip(artefacts: string, key: string, folder: string, python: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run(python, ["-m", "zipfile", "-e", zipOf(artefacts, key), folder]);
}

export type { Resource };
