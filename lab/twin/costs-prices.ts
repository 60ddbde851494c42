/** A price on AWS's public list for US East (N. Virginia), without free tiers and volume discounts. */
export interface Price {
  readonly usd: number;
  /** The number of units for this price. */
  readonly per: number;
  readonly of: string;
  readonly source: string;
}

const MILLION = 1_000_000;
const price = (usd: number, per: number, of: string, source: string): Price => ({ usd, per, of, source });

/** When the sources were read. They were stored copies, so check the list itself before you decide. */
export const READ_ON = "November 2026";
/** Without a source. */
const FROM_MEMORY = "from memory of the public price list, check";

export const PRICES = {
  lambdaRequest: price(
    0.2,
    MILLION,
    "Lambda requests",
    "aws.amazon.com/lambda/pricing, cloudchipr.com/blog/aws-lambda-pricing",
  ),
  lambdaGbSecond: price(0.0000133334, 1, "Lambda GB-seconds, arm64", "cloudchipr.com/blog/aws-lambda-pricing"),
  sqsFifo: price(0.5, MILLION, "SQS FIFO requests", "cloudburn.io/blog/amazon-sqs-pricing, March 2026"),
  sqsStandard: price(0.4, MILLION, "SQS standard requests", "cloudburn.io/blog/amazon-sqs-pricing, March 2026"),
  dynamoWrite: price(
    0.625,
    MILLION,
    "DynamoDB write units, on demand",
    "airbyte.com/data-engineering-resources/dynamodb-pricing, July 2025",
  ),
  dynamoRead: price(
    0.125,
    MILLION,
    "DynamoDB read units, on demand",
    "airbyte.com/data-engineering-resources/dynamodb-pricing, July 2025",
  ),
  dynamoGb: price(0.25, 1, "DynamoDB GB-months", FROM_MEMORY),
  dynamoRecoveryGb: price(0.2, 1, "DynamoDB GB-months of point-in-time recovery", FROM_MEMORY),
  event: price(1, MILLION, "EventBridge custom events", "cloudburn.io/blog/amazon-eventbridge-pricing, March 2026"),
  schedule: price(1, MILLION, "Scheduler invocations", "cloudburn.io/blog/amazon-eventbridge-pricing, March 2026"),
  metric: price(0.3, 1, "CloudWatch metrics a month", "signoz.io/guides/cloudwatch-pricing, February 2026"),
  alarm: price(0.1, 1, "CloudWatch alarms a month", FROM_MEMORY),
  dashboard: price(3, 1, "CloudWatch dashboards a month", "factualminds.com, amazon-cloudwatch-pricing, June 2026"),
  logGb: price(0.5, 1, "GB of logs taken in", "factualminds.com, amazon-cloudwatch-pricing, June 2026"),
  logStoredGb: price(0.03, 1, "GB-months of logs kept", FROM_MEMORY),
  secret: price(0.4, 1, "secrets a month", "hivebook.wiki, aws-secrets-manager"),
  secretCall: price(0.05, 10_000, "Secrets Manager calls", "hivebook.wiki, aws-secrets-manager"),
  kmsCall: price(0.03, 10_000, "KMS requests", FROM_MEMORY),
  trace: price(5, MILLION, "X-Ray traces recorded", "aws.amazon.com/xray/pricing"),
  httpRequest: price(
    1,
    MILLION,
    "HTTP API requests",
    "docs.aws.amazon.com, API Gateway private APIs, cost optimization",
  ),
  email: price(2, 100_000, "SNS e-mails", FROM_MEMORY),
} as const satisfies Readonly<Record<string, Price>>;

export type Priced = keyof typeof PRICES;

/** US dollars for this many units. */
export function costOf(what: Priced, count: number): number {
  const { usd, per } = PRICES[what];
  return (count / per) * usd;
}
