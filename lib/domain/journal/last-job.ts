import { defined } from "../time/defined.ts";
import type { Json, JsonObject } from "../time/json.ts";
import { type EpochMillis, epochMillis } from "../time/time.ts";
import type { Health } from "../verdict/verdict.ts";
import type { JournalEntry } from "./journal.ts";

interface Known {
  readonly job: string;
  /** The id of the trigger. */
  readonly correlation?: string;
  /** When a job on the account last ended with a known verdict. */
  readonly verifiedAt?: EpochMillis;
}

/** The newest job on an account. A sweep decides by it without checking the account. */
export type LastJob =
  | (Known & { readonly state: "running"; readonly since: EpochMillis })
  | (Known & {
      readonly state: "finished";
      readonly at: EpochMillis;
      /** The job's outcome; `failed` for an error that a retry cannot fix. */
      readonly outcome: string;
      /** Absent if the job ended without a verdict. */
      readonly verdict?: Health;
      /** The id of the JWT in force, if any. */
      readonly jti?: string;
      /** When the claims in force, or the last ones in force, expire. */
      readonly expiresAt?: EpochMillis;
      /** The policy's thresholds for that expiry, because a sweep may not have the claims. */
      readonly warnAt?: EpochMillis;
      readonly pageAt?: EpochMillis;
      /** The renewal window for that expiry, and the planned renewal in it; no `renewAt` if a person renews the account. */
      readonly opensAt?: EpochMillis;
      readonly closesAt?: EpochMillis;
      readonly renewAt?: EpochMillis;
      /** Somebody deleted the account and a person was paged; nothing else is done. */
      readonly withdrawn?: true;
    });

/** What a job knows about its account at its end. */
export type Ending = Pick<
  Extract<LastJob, { state: "finished" }>,
  | ("verdict" | "jti" | "expiresAt" | "warnAt" | "pageAt" | "verifiedAt" | "withdrawn")
  | ("opensAt" | "closesAt" | "renewAt")
>;

/** The job that an entry begins or ends; undefined for other entries. */
export function lastJobOf({ kind, at, job, data }: JournalEntry): LastJob | undefined {
  if (kind !== "job.started" && kind !== "job.finished") return undefined;
  const known = {
    job,
    ...text("correlation", data["correlation"]),
    ...time("verifiedAt", data["verifiedAt"]),
  };
  if (kind === "job.started") return { state: "running", since: at, ...known };
  return {
    state: "finished",
    at,
    ...known,
    outcome: String(data["outcome"]),
    ...(isHealth(data["verdict"]) ? { verdict: data["verdict"] } : {}),
    ...text("jti", data["jti"]),
    ...time("expiresAt", data["expiresAt"]),
    ...time("warnAt", data["warnAt"]),
    ...time("pageAt", data["pageAt"]),
    ...time("opensAt", data["opensAt"]),
    ...time("closesAt", data["closesAt"]),
    ...time("renewAt", data["renewAt"]),
    ...(data["withdrawn"] === true ? { withdrawn: true } : {}),
  };
}

/** The fields of the entry `job.finished` besides the outcome. */
export function endingData(ending: Ending): JsonObject {
  const { verdict, jti, expiresAt, warnAt, pageAt, verifiedAt, withdrawn, opensAt, closesAt, renewAt } = ending;
  return {
    ...defined({ verdict, jti, expiresAt, warnAt, pageAt, verifiedAt, withdrawn, opensAt, closesAt, renewAt }),
  };
}

const HEALTHS: Record<Health, true> = { healthy: true, degraded: true, dead: true, unknown: true };

function isHealth(value: Json | undefined): value is Health {
  return typeof value === "string" && Object.hasOwn(HEALTHS, value);
}

function text<K extends string>(key: K, value: Json | undefined): { readonly [key in K]?: string } {
  return typeof value === "string" ? ({ [key]: value } as { [key in K]: string }) : {};
}

function time<K extends string>(key: K, value: Json | undefined): { readonly [key in K]?: EpochMillis } {
  return typeof value === "number" ? ({ [key]: epochMillis(value) } as { [key in K]: EpochMillis }) : {};
}
