/** What Relight emits, by name: the dimensions beside `service`, and whether `service` alone is one of them. */
export const EMITTED: Readonly<
  Record<string, { readonly dimensions: readonly string[]; readonly total: boolean }>
> = {
  SweepFinished: { dimensions: [], total: true },
  AccountsSeen: { dimensions: [], total: true },
  JobsQueued: { dimensions: [], total: true },
  JobsPostponed: { dimensions: [], total: true },
  AccountsPastPage: { dimensions: [], total: true },
  OldestUnverifiedSeconds: { dimensions: [], total: true },
  SecondsUntilExpiry: { dimensions: ["Account"], total: true },
  JobsFinished: { dimensions: ["Outcome"], total: true },
  Verdicts: { dimensions: ["Verdict"], total: false },
  RungsUsed: { dimensions: ["Rung"], total: false },
  Renewals: { dimensions: [], total: true },
  TimeToRecoverSeconds: { dimensions: [], total: true },
  QueueAgeSeconds: { dimensions: [], total: true },
  IncidentsOpened: { dimensions: [], total: true },
  IncidentsResolved: { dimensions: [], total: true },
  EscalationUndeliverable: { dimensions: [], total: true },
};

/** What AWS' own services emit, as far as the stack looks at it. */
export const OF_AWS: Readonly<Record<string, readonly string[]>> = {
  "AWS/Lambda": ["Errors", "Throttles", "Duration"],
  "AWS/SQS": [
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateAgeOfOldestMessage",
  ],
  "AWS/ApiGateway": ["Count", "4xx", "5xx"],
};
