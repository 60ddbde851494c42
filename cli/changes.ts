import type { ClaimChange } from "../lib/domain/claims/claims.ts";
import type { Json } from "../lib/domain/time/json.ts";
import { redact } from "../lib/domain/time/redact.ts";
import { formatSize } from "../lib/domain/time/sizes.ts";
import { colors } from "./colors.ts";

/** Claims that are bytes, by the last part of their path. */
const BYTES = /(^|\.)(mem_storage|disk_storage|mem_max_stream_bytes|disk_max_stream_bytes)$/;

/** Differences between claims for people, a line each: `~ nats.limits.conn: 10 → 20`. */
export function renderChanges(changes: readonly ClaimChange[]): readonly string[] {
  return changes.map(({ path, before, after }) => {
    if (before === undefined) return colors.green(`  + ${path}: ${show(path, after)}`);
    if (after === undefined) return colors.red(`  - ${path}: ${show(path, before)}`);
    return colors.yellow(`  ~ ${path}: ${show(path, before)} → ${show(path, after)}`);
  });
}

/** The same for programs: without what looks like a secret, such as an import's activation token. */
export function changesJson(changes: readonly ClaimChange[]): readonly object[] {
  return changes.map(({ path, before, after }) => ({
    path,
    before: redact(before ?? null),
    after: redact(after ?? null),
  }));
}

function show(path: string, value: Json | undefined): string {
  const text = JSON.stringify(redact(value));
  return typeof value === "number" && BYTES.test(path) ? `${text} (${formatSize(value)})` : text;
}
