import * as z from "zod";
import { duration } from "./policy.ts";
import { EVEN_IF_FAULTY, exactlyOne, httpAddress, secretReference } from "./values.ts";

const WAYS = ["webhook", "pagerDuty", "slack", "sns"] as const;

/** Where a person is called: through exactly one service per channel. */
const channel = z
  .strictObject({
    webhook: z
      .strictObject({
        url: httpAddress,
        /** Signs what is sent, as Standard Webhooks does, so that the receiver can trust it. */
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
    /** An incoming webhook; whoever knows its address can post, so that is a secret. */
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

/** A list is one of channels. */
export const escalation = z.preprocess(
  (value) => (Array.isArray(value) ? { channels: value } : (value ?? {})),
  z.strictObject({
    /** How long an account, or the whole cluster, is unknown before a person is called. */
    unknownAfter: duration.prefault("5m"),
    channels: z.array(channel).default([]),
  }),
);

/** Where the fault is in the file: a list's channels have no key of their own. */
export const asWritten =
  (written: unknown) =>
  (issue: z.core.$ZodIssue): z.core.$ZodIssue => {
    const [first, second, ...rest] = issue.path;
    const isOfList = Array.isArray(written) && first === "escalation" && second === "channels";
    return isOfList ? { ...issue, path: [first, ...rest] } : issue;
  };

export type EscalationChannel = z.infer<typeof channel>;

/** Where a person who was called reads on; `{class}`, `{account}` and `{name}` become the incident's. */
export const pageLinks = z
  .strictObject({ runbook: httpAddress.exactOptional(), console: httpAddress.exactOptional() })
  .prefault({});
