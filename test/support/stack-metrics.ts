import { METRICS } from "../../lib/domain/metrics/catalogue.ts";
import type { MetricDescription } from "../../lib/domain/metrics/forms.ts";

/** What Relight emits, by name. */
export const EMITTED = Object.fromEntries(
  Object.entries<MetricDescription>(METRICS).flatMap(([name, { cloudWatch }]) =>
    cloudWatch === undefined ? [] : [[name, cloudWatch]],
  ),
);

/** What AWS services emit, as far as the stack uses it. */
export const OF_AWS: Readonly<Record<string, readonly string[]>> = {
  "AWS/Lambda": ["Errors", "Throttles", "Duration"],
  "AWS/SQS": [
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateAgeOfOldestMessage",
  ],
  "AWS/ApiGateway": ["Count", "4xx", "5xx"],
};
