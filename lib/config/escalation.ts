import * as z from "zod";
import { RUNBOOK } from "../domain/incidents/page-text.ts";
import { duration } from "./policy.ts";
import { EVEN_IF_FAULTY, exactlyOne, httpAddress, secretReference } from "./values.ts";

const WAYS = ["webhook", "pagerDuty", "slack", "sns"] as const;

/** A channel for pages, with exactly one service. */
const channel = z
  .strictObject({
    webhook: z
      .strictObject({
        url: httpAddress,
        /** Signs messages according to Standard Webhooks. */
        secret: secretReference.optional(),
      })
      .optional(),
    /** A service's integration "Events API v2". */
    pagerDuty: z
      .strictObject({
        routingKey: secretReference,
        url: httpAddress.default("https://events.pagerduty.com/v2/enqueue"),
      })
      .optional(),
    /** An incoming webhook. Its address is a secret, because anybody who knows it can post. */
    slack: z.strictObject({ url: secretReference }).optional(),
    sns: z
      .strictObject({
        topic: z.string().regex(/^arn:[\w-]+:sns:[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?$/, {
          message: "is not the ARN of an SNS topic (arn:aws:sns:REGION:ACCOUNT:NAME)",
        }),
      })
      .optional(),
  })
  .superRefine(exactlyOne(WAYS), EVEN_IF_FAULTY);

/** A list is short for `channels`. */
export const escalation = z.preprocess(
  (value) => (Array.isArray(value) ? { channels: value } : (value ?? {})),
  z.strictObject({
    /** How long an account, or the whole cluster, is unknown before a person is paged. */
    unknownAfter: duration.prefault("5m"),
    channels: z.array(channel).default([]),
  }),
);

/** The path of a fault in the file: in the short form, `channels` is not a key. */
export const asWritten =
  (written: unknown) =>
  (issue: z.core.$ZodIssue): z.core.$ZodIssue => {
    const [first, second, ...rest] = issue.path;
    const isOfList = Array.isArray(written) && first === "escalation" && second === "channels";
    return isOfList ? { ...issue, path: [first, ...rest] } : issue;
  };

export type EscalationChannel = z.infer<typeof channel>;

/** Links for pages; `{class}`, `{account}` and `{name}` are replaced by the incident's. */
export const pageLinks = z
  .strictObject({ runbook: httpAddress.default(RUNBOOK), console: httpAddress.exactOptional() })
  .prefault({});
