import { METRICS, type MetricDescription } from "../../lib/domain/metrics/measures.ts";

/** What Relight emits, by name. */
export const EMITTED: Readonly<Record<string, MetricDescription>> = METRICS;

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
