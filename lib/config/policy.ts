import ms from "ms";
import * as z from "zod";
import { isAccountId } from "../domain/claims/account.ts";
import { isTimeZone, WEEKDAYS } from "../domain/expiry/blackouts.ts";
import { type ExpiryPolicy, type Lead, type PolicyRules, policyFaults } from "../domain/expiry/expiry-policy.ts";
import { type Millis, millis } from "../domain/time/time.ts";

const A_DURATION = "a duration; write 90d, 12h, 30m or 45s";
/** Nobody needs more, and a JWT could not express its expiry. */
const LONGEST = ms("100y");

/** A duration such as `90d`, `12h`, `30m`, `45s`, `250ms`; in milliseconds. */
export const duration = z.string(`is not ${A_DURATION}`).transform((text, context): Millis => {
  const value = readDuration(text);
  if (value !== undefined) return value;
  context.addIssue({ code: "custom", message: `"${text}" is not ${A_DURATION}` });
  return z.NEVER;
});

function readDuration(text: string): Millis | undefined {
  const value = /^\d+(\.\d+)?\s*[a-z]+$/i.test(text) ? ms(text as ms.StringValue) : undefined;
  return value !== undefined && value > 0 && value <= LONGEST ? millis(value) : undefined;
}

const A_LEAD = `${A_DURATION}, or a share of the lifetime such as 33%`;

/** `30d`, or `33%` of the JWT's lifetime. */
const lead = z.string(`is not ${A_LEAD}`).transform((text, context): Lead => {
  const share = Number(/^(\d+(?:\.\d+)?)\s*%$/.exec(text)?.[1] ?? Number.NaN) / 100;
  if (share > 0 && share < 1) return { unit: "share", share };
  const before = readDuration(text);
  if (before !== undefined) return { unit: "time", before };
  context.addIssue({ code: "custom", message: `"${text}" is not ${A_LEAD}` });
  return z.NEVER;
});

/** `22:00` as minutes since midnight; `24:00` is the end of the day. */
const timeOfDay = z.string("is not a time of day; write 22:00").transform((text, context): number => {
  const [, hours, minutes] = /^(\d{2}):([0-5]\d)$/.exec(text) ?? [];
  const value = Number(hours) * 60 + Number(minutes);
  if (value <= 24 * 60) return value;
  context.addIssue({ code: "custom", message: `"${text}" is not a time of day; write 22:00` });
  return z.NEVER;
});

const blackout = z
  .strictObject({
    days: z
      .array(z.enum(WEEKDAYS, `is not a day; write ${WEEKDAYS.join(", ")}`))
      .min(1, { message: "needs a day" })
      .default([...WEEKDAYS]),
    from: timeOfDay.prefault("00:00"),
    to: timeOfDay.prefault("24:00"),
    timeZone: z
      .string()
      .refine(isTimeZone, { message: "is not a time zone; write one like Europe/Berlin, or UTC" })
      .default("UTC"),
  })
  .refine(({ from, to }) => from !== to, { path: ["to"], message: "is the same as from" });

const rules = {
  lifetime: duration.exactOptional(),
  /** How long before its expiry an account's renewal window opens. */
  renewBefore: lead.exactOptional(),
  /** How long before its expiry the window closes. */
  renewBy: lead.exactOptional(),
  warnBefore: lead.exactOptional(),
  pageBefore: lead.exactOptional(),
  blackouts: z.array(blackout).exactOptional(),
  /** Watch and warn only; never renew. */
  manual: z.boolean().exactOptional(),
  /** Renew only if independent readings of the claims agree. */
  critical: z.boolean().exactOptional(),
};

export const accountPolicy = z.strictObject(rules);

const accountId = z
  .string()
  .refine(isAccountId, { message: "is not an account's public key (A and 55 characters of A-Z2-7)" });
const some = <T extends z.ZodType>(entry: T) => z.array(entry).min(1, { message: "needs an entry" });

/** A policy for matching accounts. */
export const matchedPolicy = z.strictObject({
  match: z
    .strictObject({
      accounts: some(accountId).exactOptional(),
      names: some(z.string().min(1)).exactOptional(),
      tags: some(z.string().min(1)).exactOptional(),
    })
    .refine((match) => Object.keys(match).length > 0, {
      message: "needs accounts, names or tags; to match all accounts, use policy",
    }),
  ...rules,
});

export const generalPolicy = z
  .strictObject({
    ...rules,
    lifetime: duration.prefault("90d"),
    renewBefore: lead.prefault("30d"),
    blackouts: z.array(blackout).default([]),
    manual: z.boolean().default(false),
    critical: z.boolean().default(false),
    /** Allows remedies that lose what exists only in memory. */
    allowMemoryLoss: z.boolean().default(false),
  })
  .superRefine((policy, context) => {
    for (const { key, problem } of policyFaults(policy))
      context.addIssue({ code: "custom", path: [key], message: problem });
  });

/** Reports faults of the policies that result from overrides, each at the override that causes it. */
export function checkOverrides(
  general: ExpiryPolicy,
  overrides: readonly { readonly path: readonly (string | number)[]; readonly rules: PolicyRules }[],
  report: (path: readonly (string | number)[], problem: string) => void,
): void {
  for (const { path, rules: own } of overrides)
    for (const { key, problem } of policyFaults({ ...general, ...own })) {
      const culprit = own[key] === undefined ? (Object.keys(own).find(isLead) ?? key) : key;
      report([...path, culprit], culprit === key ? problem : `makes ${key} invalid: it ${problem}`);
    }
}

const isLead = (key: string): boolean => key === "lifetime" || key.startsWith("renewB") || key.endsWith("Before");
