import type * as z from "zod";
import { RelightError } from "../errors.ts";
import { meantKey, writtenPath } from "./suggestions.ts";

/** What is wrong with a key, for people; one fault for each unknown key. */
export function describeIssue(schema: z.ZodType, issue: z.core.$ZodIssue): string[] {
  const path = writtenPath(issue.path);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(schema, issue.path, path, key));
  const missing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
  if (missing && INSTEAD_OF_CONTEXT.includes(path)) return [`${path}: is missing, and so is cluster.context`];
  return [`${path || "the file"}: ${missing ? `is missing (${issue.expected})` : issue.message}`];
}

const INSTEAD_OF_CONTEXT: readonly string[] = ["cluster.servers", "cluster.systemCredentials"];

function unknownKey(schema: z.ZodType, path: readonly PropertyKey[], place: string, key: string): string {
  const meant = meantKey(schema, path, key);
  const advice = meant === undefined ? "" : `; did you mean ${meant}?`;
  return `${[place, key].filter(Boolean).join(".")}: is an unknown key${advice}`;
}

/** `origin` names the configuration. */
export function invalid(origin: string, faults: readonly string[]): RelightError {
  const list = faults.map((fault) => `\n  - ${fault}`).join("");
  const count = faults.length === 1 ? "one fault" : `${faults.length} faults`;
  return new RelightError("config.invalid", `the configuration ${origin} has ${count}:${list}`, {
    details: { faults: [...faults] },
  });
}
