import { readSketch, type Sketch } from "../ladder/loss.ts";
import { isJsonObject, type Json, type JsonObject } from "../time/json.ts";
import type { JournalEntry } from "./journal.ts";

/** A rung that a job began which never ended. */
export interface BegunRung {
  readonly rung: string;
  readonly why: string;
  readonly job: string;
  /** Absent where the job did not live to see what came of it. */
  readonly result?: string;
  /** What there was before it. */
  readonly assets: readonly Sketch[];
}

/** A push that such a job began. */
export interface BegunPush {
  readonly purpose: string;
  readonly job: string;
  /** As `push.started` has it: `jti`, `iss`, `iat`, `exp`. */
  readonly jwt: JsonObject & { readonly jti: string };
  readonly changes: readonly JsonObject[];
  /** The servers that were seen to run it; absent where the job did not live to see that. */
  readonly servers?: readonly string[];
}

/** What the jobs on an account did since one last ended. */
export interface Unfinished {
  /** Oldest first, as the pushes are. */
  readonly rungs: readonly BegunRung[];
  /** Those that stand for themselves: what a rung pushes is that rung's. */
  readonly pushes: readonly BegunPush[];
  /** Whether any of the jobs saw that the account was not healthy. */
  readonly wasUnwell: boolean;
}

/** Pushes that are part of a rung. */
const WITHIN_RUNGS: readonly string[] = ["JetStream off", "JetStream on", "push again"];

/**
 * What was left without an end. Jobs on an account follow each other, so it is whatever stands behind its last
 * `job.finished`, however many jobs that were.
 * @param entries of one account, oldest first
 * @param job the one that asks, whose entries don't count
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
  const wasUnwell = since.some(({ kind, data }) => kind === "verdict" && data["verdict"] !== "healthy");
  return { rungs, pushes: pushes.filter(({ purpose }) => !WITHIN_RUNGS.includes(purpose)), wasUnwell };
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
  if (begun !== undefined)
    rungs[index] = { ...begun, result: String(data["result"]), why: String(data["why"]) };
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
 * What the job that finds the account healthy says of it: what the dead ones would have said, had they lived.
 * Undefined where they did nothing.
 * @param push the one of theirs that is in force
 */
export function outcomeOfUnfinished(
  { rungs, wasUnwell }: Unfinished,
  push: BegunPush | undefined,
): "healed" | "renewed" | "pushed" | undefined {
  if (rungs.length > 0) return "healed";
  if (push === undefined) return undefined;
  if (wasUnwell && HEALING.includes(push.purpose)) return "healed";
  return push.purpose === RENEWAL ? "renewed" : "pushed";
}

export const RENEWAL = "renewal";
/** Pushes that a job makes to mend an account, not because somebody sent it a JWT. */
const HEALING: readonly string[] = [RENEWAL, "from the source of truth"];
