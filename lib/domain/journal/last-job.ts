import { defined } from "../time/defined.ts";
import type { Json, JsonObject } from "../time/json.ts";
import { type EpochMillis, epochMillis } from "../time/time.ts";
import type { Health } from "../verdict/verdict.ts";
import type { JournalEntry } from "./journal.ts";

interface Known {
  readonly job: string;
  /** Ties the job to the trigger that it came from. */
  readonly correlation?: string;
  /** When a job on the account last ended with a verdict other than unknown. */
  readonly verifiedAt?: EpochMillis;
}

/** The newest job on an account: what a sweep goes by without looking at the account. */
export type LastJob =
  | (Known & { readonly state: "running"; readonly since: EpochMillis })
  | (Known & {
      readonly state: "finished";
      readonly at: EpochMillis;
      /** What the job came to; `failed` for an error that trying again can't mend. */
      readonly outcome: string;
      /** Absent where the job ended without one. */
      readonly verdict?: Health;
      /** The id of the JWT that was in force; absent where none was. */
      readonly jti?: string;
      /** When the claims in force expire, or those last seen in force. */
      readonly expiresAt?: EpochMillis;
      /** From when on that is to be told, by the account's policy: a sweep may meet it without its claims. */
      readonly warnAt?: EpochMillis;
      readonly pageAt?: EpochMillis;
      /** Somebody deleted the account, a person was told, and nothing is done about it. */
      readonly withdrawn?: true;
    });

/** What a job knows of its account at its end. */
export type Ending = Pick<
  Extract<LastJob, { state: "finished" }>,
  "verdict" | "jti" | "expiresAt" | "warnAt" | "pageAt" | "verifiedAt" | "withdrawn"
>;

/** The newest job by its newest entry; undefined for an entry that neither begins nor ends a job. */
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
    ...(data["withdrawn"] === true ? { withdrawn: true } : {}),
  };
}

/** What the entry `job.finished` says beside the outcome. */
export function endingData(ending: Ending): JsonObject {
  const { verdict, jti, expiresAt, warnAt, pageAt, verifiedAt, withdrawn } = ending;
  return {
    ...defined({ verdict }),
    ...defined({ jti }),
    ...defined({ expiresAt }),
    ...defined({ warnAt }),
    ...defined({ pageAt }),
    ...defined({ verifiedAt }),
    ...defined({ withdrawn }),
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
