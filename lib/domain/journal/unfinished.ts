import { readSketch, type Sketch } from "../ladder/loss.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { JournalEntry } from "./journal.ts";

/** A rung of a job that never ended. */
export interface BegunRung {
  readonly rung: string;
  readonly why: string;
  readonly job: string;
  /** Absent if the job crashed before it knew the result. */
  readonly result?: string;
  /** The account's assets before the rung. */
  readonly assets: readonly Sketch[];
}

/** A push by such a job. */
export interface BegunPush {
  readonly purpose: string;
  readonly job: string;
  /** From `push.started`: `jti`, `iss`, `iat`, `exp`. */
  readonly jwt: JsonObject & { readonly jti: string };
  readonly changes: readonly JsonObject[];
  /** The servers that were proved to run it; absent if the job crashed before. */
  readonly servers?: readonly string[];
}

/** The work of all jobs on an account since one last ended. */
export interface Unfinished {
  /** Oldest first, as the pushes are. */
  readonly rungs: readonly BegunRung[];
  /** Without the pushes that belong to a rung. */
  readonly pushes: readonly BegunPush[];
  /** Whether any of the jobs found the account not healthy. */
  readonly wasUnhealthy: boolean;
}

/** Purposes of pushes that belong to a rung. */
export const WITHIN_RUNGS: readonly string[] = ["JetStream off", "JetStream on", "push again"];

/**
 * The unfinished work of crashed jobs. Jobs on an account never overlap, so this is everything after its last
 * `job.finished`.
 * @param entries of one account, oldest first
 * @param job the current job, whose entries do not count
 */
export function unfinishedWork(entries: readonly JournalEntry[], job: string): Unfinished {
  const others = entries.filter((entry) => entry.job !== job);
  const since = others.slice(others.findLastIndex(({ kind }) => kind === "job.finished") + 1);
  const rungs: BegunRung[] = [];
  const pushes: BegunPush[] = [];
  for (const entry of since) {
    if (entry.kind === "rung.started") rungs.push(rungOf(entry));
    if (entry.kind === "rung.finished") endRung(rungs, entry);
    if (entry.kind === "push.started") pushes.push(pushOf(entry));
    if (entry.kind === "push.proved") provePush(pushes, entry);
  }
  const wasUnhealthy = since.some(({ kind, data }) => kind === "verdict" && data["verdict"] !== "healthy");
  return { rungs, pushes: pushes.filter(({ purpose }) => !WITHIN_RUNGS.includes(purpose)), wasUnhealthy };
}

const rungOf = ({ job, data }: JournalEntry): BegunRung => ({
  rung: String(data["rung"]),
  why: String(data["why"]),
  job,
  assets: readSketch(data["assets"]),
});

function endRung(rungs: BegunRung[], { data }: JournalEntry): void {
  const index = rungs.findLastIndex(({ rung, result }) => rung === data["rung"] && result === undefined);
  const begun = rungs[index];
  if (begun !== undefined) rungs[index] = { ...begun, result: String(data["result"]), why: String(data["why"]) };
}

function pushOf({ job, data }: JournalEntry): BegunPush {
  const jwt = isJsonObject(data["jwt"]) ? data["jwt"] : {};
  const changes = listOf(data["changes"]).filter(isJsonObject);
  return { purpose: String(data["purpose"]), job, jwt: { ...jwt, jti: String(jwt["jti"]) }, changes };
}

function provePush(pushes: BegunPush[], { data }: JournalEntry): void {
  const index = pushes.findLastIndex(({ jwt }) => jwt.jti === data["jti"]);
  const begun = pushes[index];
  if (begun !== undefined) pushes[index] = { ...begun, servers: listOf(data["servers"]).map(String) };
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/**
 * The outcome that the crashed jobs would have reported; undefined if they did nothing.
 * @param push their push that is in force
 */
export function outcomeOfUnfinished(
  { rungs, wasUnhealthy }: Unfinished,
  push: BegunPush | undefined,
): "healed" | "renewed" | "pushed" | undefined {
  if (rungs.length > 0) return "healed";
  if (push === undefined) return undefined;
  if (wasUnhealthy && HEALING.includes(push.purpose)) return "healed";
  return push.purpose === RENEWAL ? "renewed" : "pushed";
}

export const RENEWAL = "renewal";
/** Purposes of pushes that fix an account, in contrast to pushes of a delivered JWT. */
const HEALING: readonly string[] = [RENEWAL, "from the source of truth"];
