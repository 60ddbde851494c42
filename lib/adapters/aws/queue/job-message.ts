import * as z from "zod";
import { isAccountId } from "../../../domain/claims/account.ts";
import { parseJson } from "../../../domain/time/json.ts";
import { RelightError } from "../../../errors.ts";
import type { Job, Trigger } from "../../../ports/jobs.ts";

// Records, so the compiler checks that the names are complete.
const ACTIONS: Record<Job["action"], true> = {
  remediate: true,
  heal: true,
  renew: true,
  push: true,
  verify: true,
};
const TRIGGERS: Record<Trigger, true> = {
  schedule: true,
  webhook: true,
  manual: true,
  event: true,
  resume: true,
};

const schema = z.strictObject({
  account: z.string().refine(isAccountId, { message: "is not an account's public key" }),
  trigger: z.enum(Object.keys(TRIGGERS) as Trigger[]),
  reason: z.string(),
  action: z.enum(Object.keys(ACTIONS) as Job["action"][]),
  token: z.string().exactOptional(),
  correlation: z.string().min(1).exactOptional(),
  id: z.string().min(1),
});

/**
 * Parses the body of a message. Refuses unknown keys: they come from a newer version, and ignoring them would do something
 * else than requested.
 * @throws RelightError `job.invalid` with every fault; never quotes the body.
 */
export function parseJob(body: string): Job {
  const value = parseJson(body);
  if (value === undefined) throw invalidJob(["body: is not JSON"]);
  const parsed = schema.safeParse(value);
  if (!parsed.success)
    throw invalidJob(parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`));
  return parsed.data;
}

function invalidJob(faults: string[]): RelightError {
  const message = `a message of the queue is not a job: ${faults.join("; ")}`;
  return new RelightError("job.invalid", message, { details: { faults } });
}
