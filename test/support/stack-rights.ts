import type { EntryKind } from "../../lib/domain/journal/journal.ts";

/**
 * What each role of the stack may do, and nothing else: a new permission must be added here first. `-??????` is the
 * random end that Secrets Manager adds to a secret's ARN.
 */

const traces = ["xray:PutTraceSegments on *", "xray:PutTelemetryRecords on *"];
const logs = (group: string) => [`logs:CreateLogStream on ${group}`, `logs:PutLogEvents on ${group}`];
const receive = (queue: string) =>
  ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"].map((action) => `${action} on ${queue}`);
const secret = (name: string) => `secretsmanager:GetSecretValue on secret:${name}-??????`;
const read = ["dynamodb:Query on JournalTable", "dynamodb:Query on JournalTable/index/kind-index"];
const latest = "dynamodb:BatchGetItem on JournalTable where dynamodb:LeadingKeys is latest#*";
const writes = (...keys: readonly string[]) =>
  `dynamodb:PutItem on JournalTable where dynamodb:LeadingKeys is ${keys.join(" or ")}`;
const release = "dynamodb:DeleteItem on JournalTable where dynamodb:LeadingKeys is lease#*";
const rotates = (action: string) =>
  `secretsmanager:${action} on secret:relight/system-?????? where secretsmanager:resource/AllowRotationLambdaArn is function:relight-prod-rotate-credentials`;

/** Of both functions that work on accounts. */
const accounts = [
  ...traces,
  ...["relight/system", "relight/accounts", "relight/operator"].map(secret),
  writes("account#*", "incident#*", "known#accounts", "latest#*", "lease#*"),
  ...read,
  latest,
  release,
  "events:PutEvents on EventsBus",
];

/** With the default parameters. */
export const RIGHTS: Readonly<Record<string, readonly string[]>> = {
  SweepRole: [
    ...logs("SweepLogGroup"),
    ...traces,
    secret("relight/system"),
    ...read,
    latest,
    writes("incident#*"),
    "sqs:SendMessage on JobsQueue",
    "sqs:GetQueueAttributes on JobsQueue",
    "events:PutEvents on EventsBus",
  ],
  RemediateRole: [...logs("RemediateLogGroup"), ...receive("JobsQueue"), ...accounts],
  ManualRole: [...logs("ManualLogGroup"), ...accounts],
  IssuerWebhookRole: [
    ...logs("IssuerDashwebhookLogGroup"),
    ...traces,
    secret("relight/issuer-webhook"),
    writes("lease#*"),
    release,
    "sqs:SendMessage on JobsQueue",
  ],
  ApiRole: [
    ...logs("ApiLogGroup"),
    ...traces,
    ...read,
    "dynamodb:Query on JournalTable/index/job-index",
    latest,
    writes("request#*"),
    "sqs:SendMessage on JobsQueue",
  ],
  EscalateRole: [
    ...logs("EscalateLogGroup"),
    ...traces,
    secret("relight/channels"),
    ...read,
    writes("incident#-", "lease#*"),
    release,
    ...receive("PagesQueue"),
  ],
  RotateCredentialsRole: [
    ...logs("RotateDashcredentialsLogGroup"),
    ...traces,
    secret("relight/system"),
    secret("relight/system-key"),
    ...["DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage"].map(rotates),
    writes("credentials#-"),
    "dynamodb:Query on JournalTable where dynamodb:LeadingKeys is credentials#-",
  ],
  SweepScheduleRole: ["lambda:InvokeFunction on SweepLambdaFunction"],
};

/**
 * Which kinds of entries a function writes, about accounts and about the cluster (`-`): its role allows no other
 * (docs/decisions/0021).
 */
const JOBS_OWN = [
  ...(["job.started", "job.finished", "claims.seen", "verdict", "gate.refused", "memory.seen"] as const),
  ...(["push.started", "push.proved", "rung.started", "rung.finished", "source.adopted"] as const),
  ...(["toggle.opened", "toggle.closed", "reconfigure.opened", "reconfigure.closed"] as const),
  ...(["restart.opened", "restart.closed", "loss.found", "loss.acknowledged"] as const),
  ...(["account.deleted", "account.forgotten", "streams.seen", "tiers.seen"] as const),
  ...(["incident.opened", "incident.resolved"] as const),
] satisfies readonly EntryKind[];
interface Written {
  readonly kinds: readonly EntryKind[];
  readonly on: readonly ("account" | "-")[];
}
export const WRITES: Readonly<Record<string, Written>> = {
  remediate: { kinds: JOBS_OWN, on: ["account", "-"] },
  manual: { kinds: JOBS_OWN, on: ["account", "-"] },
  sweep: { kinds: ["incident.opened", "incident.resolved"], on: ["account", "-"] },
  escalate: { kinds: ["incident.opened", "incident.resolved"], on: ["-"] },
  api: { kinds: ["job.requested"], on: ["account", "-"] },
  "rotate-credentials": { kinds: ["credentials.rotated"], on: ["-"] },
  "issuer-webhook": { kinds: [], on: [] },
};

const key = (id: string) => `arn:aws:kms:eu-central-1:123456789012:key/${id}`;
const OPERATOR_KEY = key("0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f");
const SECRETS_KEY = key("1a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f");
const PAGES_TOPIC = "arn:aws:sns:eu-central-1:123456789012:pages";

/** Every optional parameter set. */
export const ALL_PARAMETERS = {
  operatorKey: OPERATOR_KEY,
  secretsKey: SECRETS_KEY,
  sourcePrefix: "jwts/",
  pagesTopic: PAGES_TOPIC,
  restartSecret: "relight/restart",
  watchedSecret: "relight/watched",
  alarmEmail: "oncall@example.com",
  tlsSecret: "relight/tls",
  subnets: "subnet-0a1b2c3d,subnet-1a1b2c3d",
  securityGroups: "sg-0a1b2c3d",
  reserveConcurrency: "no",
  jobsAtOnce: "7",
} as const;

// biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation's placeholders
const bySecretsManager = "where kms:ViaService is secretsmanager.${AWS::Region}.${AWS::URLSuffix}";
const decrypt = `kms:Decrypt on ${SECRETS_KEY} ${bySecretsManager}`;
const source = ["secretsmanager:GetSecretValue on secret:jwts/*", "secretsmanager:ListSecrets on *"];
const work = [
  ...[decrypt, ...source, secret("relight/restart"), secret("relight/tls"), `kms:GetPublicKey on ${OPERATOR_KEY}`],
  `kms:Sign on ${OPERATOR_KEY} where kms:SigningAlgorithm is ED25519_SHA_512`,
];

/** What {@link ALL_PARAMETERS} add to {@link RIGHTS}. With a key in KMS, the operator's secret is out of reach. */
export const ADDED_RIGHTS: Readonly<Record<string, readonly string[]>> = {
  SweepRole: [decrypt, ...source, secret("relight/watched"), secret("relight/tls")],
  RemediateRole: work,
  ManualRole: work,
  IssuerWebhookRole: [decrypt],
  ApiRole: [],
  EscalateRole: [decrypt, `sns:Publish on ${PAGES_TOPIC}`],
  RotateCredentialsRole: [decrypt, secret("relight/tls"), `kms:GenerateDataKey on ${SECRETS_KEY} ${bySecretsManager}`],
  SweepScheduleRole: [],
};
export const REMOVED_RIGHT = secret("relight/operator");

/** Where AWS accepts only "*". */
export const WITHOUT_RESOURCE = [
  "xray:PutTraceSegments",
  "xray:PutTelemetryRecords",
  "secretsmanager:ListSecrets",
] as const;
