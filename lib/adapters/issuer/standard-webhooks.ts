import { Webhook } from "standardwebhooks";
import { RelightError } from "../../errors.ts";

export interface SignedRequest {
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The raw body, because parsed JSON can't be verified. */
  readonly body: string;
}

/**
 * Checks a Standard Webhooks signature against each of `secrets` (several allow rotation) and the replay window of five
 * minutes. Returns the webhook's id, which identifies repetitions.
 * @throws RelightError `webhook.unauthorized`
 */
export function verifySignature({ headers, body }: SignedRequest, secrets: readonly string[]): string {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  const signature = headers["webhook-signature"];
  if (id === undefined || timestamp === undefined || signature === undefined)
    throw new RelightError("webhook.unauthorized", "webhook-id, webhook-timestamp or webhook-signature is missing");
  const signed = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  const problems = secrets.map((secret) => problemOf(secret, body, signed));
  if (problems.includes(undefined)) return id;
  throw new RelightError(
    "webhook.unauthorized",
    `the webhook is not accepted: ${problems[0] ?? "no secret is configured"}`,
  );
}

function problemOf(secret: string, body: string, headers: Record<string, string>): string | undefined {
  try {
    new Webhook(secret.trim()).verify(body, headers, { jsonParse: false });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
