import { type JsonObject, parseJsonObject } from "../../domain/time/json.ts";
import { RelightError } from "../../errors.ts";
import type { Log } from "../../ports/log.ts";
import type { RotatingSecret } from "../../ports/secrets.ts";
import { type Context, record } from "../context/context.ts";

/** The steps in the order in which Secrets Manager calls them. Each may be repeated. */
export const ROTATION_STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

export interface RotationEvent {
  readonly step: RotationStep;
  /** The secret's ARN. */
  readonly secretId: string;
  /** The id of the new version. */
  readonly version: string;
}

export interface CredentialRotation extends Pick<Context, "clock" | "newId" | "journal"> {
  readonly log: Log;
  readonly secret: RotatingSecret;
  /** `cluster.systemCredentials`: the only secret to rotate. */
  readonly reference: string;
  /** Creates credentials of a new user that replaces the given one. */
  readonly mint: (current: string) => Promise<string>;
  /** Connects with the credentials and sends a request that only the system account may send. @throws RelightError `nats.*` */
  readonly prove: (credentials: string) => Promise<void>;
}

export interface RotationStepDone {
  readonly step: RotationStep;
  readonly outcome: "done" | "already-done" | "nothing-to-do";
  readonly why: string;
}

/**
 * One step of a rotation of the system user's credentials, called by Secrets Manager. Repeating a step changes nothing.
 * @throws RelightError `rotation.refused` unless a rotation of this secret is in progress; `secret.*`, `nats.*`.
 */
export async function rotateCredentials(rotation: CredentialRotation, event: RotationEvent): Promise<RotationStepDone> {
  const { step, secretId, version } = event;
  const { name, field } = parseReference(rotation.reference);
  const { stages, ...described } = await rotation.secret.describe(secretId);
  if (name !== described.name && name !== secretId)
    throw refused(`${secretId} is not the secret that cluster.systemCredentials refers to`);
  if (!described.rotationEnabled) throw refused(`rotation is not enabled for ${secretId}`);
  const labels = stages.get(version);
  if (labels === undefined) throw refused(`${secretId} has no version ${version}`);
  if (labels.includes("AWSCURRENT")) return { step, outcome: "already-done", why: "this version is already in force" };
  if (!labels.includes("AWSPENDING")) throw refused(`version ${version} is not labeled AWSPENDING`);
  switch (step) {
    case "createSecret":
      return create(rotation, event, field);
    case "setSecret":
      return {
        step,
        outcome: "nothing-to-do",
        why: "a NATS user is its signed JWT, so no server needs an update",
      };
    case "testSecret":
      await rotation.prove(credentialsIn(await pendingOf(rotation, event), field));
      return { step, outcome: "done", why: "the servers accept the new user as a user of the system account" };
    case "finishSecret":
      return finish(rotation, event, stages, field);
  }
}

async function create(
  { secret, mint }: CredentialRotation,
  { step, secretId, version }: RotationEvent,
  field: string | undefined,
): Promise<RotationStepDone> {
  if ((await secret.pending(secretId, version)) !== undefined)
    return { step, outcome: "already-done", why: "this version already has a new user" };
  const current = await secret.current(secretId);
  const credentials = await mint(credentialsIn(current, field));
  await secret.putPending(secretId, version, withCredentials(current, field, credentials));
  return { step, outcome: "done", why: "a new user was created; the old one is unchanged" };
}

/** Tests the version again before it becomes the current one, because the step may be called by hand or late. */
async function finish(
  rotation: CredentialRotation,
  event: RotationEvent,
  stages: ReadonlyMap<string, readonly string[]>,
  field: string | undefined,
): Promise<RotationStepDone> {
  const { secretId, version, step } = event;
  await rotation.prove(credentialsIn(await pendingOf(rotation, event), field));
  const [before] = [...stages].find(([, labels]) => labels.includes("AWSCURRENT")) ?? [];
  await rotation.secret.promote(secretId, version, before);
  const run = { id: rotation.newId(), account: "-" } as const;
  await record(rotation, run, "credentials.rotated", { name: secretId, version, before: before ?? null });
  rotation.log.info("the system user's credentials were rotated", { name: secretId, version });
  return {
    step,
    outcome: "done",
    why: "the new user is in force; the old one works until it expires or is revoked",
  };
}

async function pendingOf({ secret }: CredentialRotation, { secretId, version }: RotationEvent): Promise<string> {
  const text = await secret.pending(secretId, version);
  if (text !== undefined) return text;
  throw refused(`version ${version} is still empty: createSecret must run first`);
}

function parseReference(reference: string): { readonly name: string; readonly field: string | undefined } {
  const [, name, field] = /^aws-sm:\/\/([^#]+)(?:#(.+))?$/.exec(reference) ?? [];
  if (name !== undefined) return { name, field };
  throw refused("cluster.systemCredentials is not kept in Secrets Manager (aws-sm://)");
}

function credentialsIn(text: string, field: string | undefined): string {
  const value = field === undefined ? text : fieldsOf(text)[field];
  if (typeof value === "string") return value;
  throw new RelightError("secret.malformed", `the secret has no text field "${field}"`);
}

/** Replaces the credentials and keeps the secret's other fields. */
function withCredentials(text: string, field: string | undefined, credentials: string): string {
  return field === undefined ? credentials : JSON.stringify({ ...fieldsOf(text), [field]: credentials });
}

function fieldsOf(text: string): JsonObject {
  const fields = parseJsonObject(text);
  if (fields !== undefined) return fields;
  throw new RelightError("secret.malformed", "the secret is not a JSON object, so it has no fields");
}

function refused(why: string): RelightError {
  return new RelightError("rotation.refused", why);
}
