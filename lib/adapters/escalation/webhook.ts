import { createHash } from "node:crypto";
import pRetry from "p-retry";
import { Webhook } from "standardwebhooks";
import type { Incident } from "../../domain/incident.ts";
import type { JsonObject } from "../../domain/json.ts";
import { type Millis, millis, toSeconds } from "../../domain/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock, Escalation } from "../../ports.ts";

const RETRIES = 2;

export interface WebhookSettings {
  /** Where to post; a name and a password in it are sent as basic authorization. */
  readonly url: string;
  /** Signs what is sent, as Standard Webhooks (`whsec_…`) does. */
  readonly secret?: string;
  readonly clock: Clock;
  /** Takes secrets out of the incident before it is sent. */
  readonly scrub: (value: JsonObject) => JsonObject;
  /** How long one try may take. */
  readonly timeout?: Millis;
  /** How long to wait before the second try; twice as long before the third. */
  readonly pause?: Millis;
}

/**
 * Posts incidents as JSON under the Standard Webhooks specification. `webhook-id` is the same each time the
 * same page is sent, so that a receiver can tell a repetition. Three tries, unless the receiver said no.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookEscalation(settings: WebhookSettings): Escalation {
  const { scrub, clock, timeout = millis(10_000), pause = millis(1_000) } = settings;
  const target = targetOf(settings.url);
  const sign = signer(settings.secret);
  return {
    send: async (incident) => {
      const body = JSON.stringify(pageOf(incident, scrub));
      const id = messageId(incident);
      const post = () => {
        const timestamp = toSeconds(clock.now());
        return postOnce(target, { timeout, body, headers: sign(id, timestamp, body) });
      };
      const shouldRetry = ({ error }: { error: Error }) => mayHelpLater(error);
      await pRetry(post, { retries: RETRIES, minTimeout: pause, shouldRetry });
    },
  };
}

function pageOf(incident: Incident, scrub: WebhookSettings["scrub"]): JsonObject {
  const type = incident.status === "open" ? "incident.opened" : "incident.resolved";
  return { type, timestamp: incident.at, data: scrub({ ...incident }) };
}

function messageId({ key, status, at }: Incident): string {
  const hash = createHash("sha256").update(JSON.stringify([key, status, at]));
  return `msg_${hash.digest("base64url").slice(0, 27)}`;
}

type Sign = (id: string, timestamp: number, body: string) => Readonly<Record<string, string>>;

function signer(secret: string | undefined): Sign {
  const webhook = secret === undefined ? undefined : webhookOf(secret);
  return (id, timestamp, body) => ({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    ...(webhook && { "webhook-signature": webhook.sign(id, new Date(timestamp * 1000), body) }),
  });
}

function webhookOf(secret: string): Webhook {
  try {
    return new Webhook(secret);
  } catch {
    throw new RelightError("secret.malformed", "an escalation webhook's secret is not whsec_ and base64");
  }
}

interface Target {
  readonly url: URL;
  /** What errors call it: paths and queries of webhooks are often secrets themselves. */
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}

function targetOf(text: string): Target {
  const url = URL.parse(text);
  if (url === null) throw new RelightError("config.invalid", "an escalation webhook's url is not an address");
  const { origin: name, username, password } = url;
  if (username === "" && password === "") return { url, name, headers: {} };
  // fetch refuses an address with a name or password in it.
  const bare = Object.assign(new URL(url), { username: "", password: "" });
  const basic = Buffer.from([username, password].map(decoded).join(":")).toString("base64");
  return { url: bare, name, headers: { authorization: `Basic ${basic}` } };
}

/** A stray `%` stands for itself. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface Post {
  readonly timeout: Millis;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function postOnce({ url, name, headers }: Target, post: Post): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers, ...post.headers },
    body: post.body,
    // A followed redirect would become a GET, or carry the page to a stranger.
    redirect: "manual",
    signal: AbortSignal.timeout(post.timeout),
  }).catch((cause: unknown) => {
    const reason = networkReason(cause);
    throw undeliverable(name, reason, { reason });
  });
  // Only the status counts; whatever else comes is not waited for.
  void response.body?.cancel().catch(() => undefined);
  if (!response.ok) throw undeliverable(name, `HTTP ${response.status}`, { status: response.status });
}

/** `ECONNREFUSED`, `TimeoutError`, …: what went wrong, without the address that fetch may have put in. */
function networkReason(thrown: unknown): string {
  const { cause: root = thrown } = thrown as { cause?: unknown };
  const { code, name } = root as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name);
}

function undeliverable(name: string, why: string, details: JsonObject): RelightError {
  const message = `the escalation webhook at ${name} failed: ${why}`;
  return new RelightError("escalation.undeliverable", message, { details: { channel: name, ...details } });
}

/** Not if the receiver understood and refused. */
function mayHelpLater(error: Error): boolean {
  const status = error instanceof RelightError ? error.details["status"] : undefined;
  return typeof status !== "number" || status === 429 || status >= 500;
}
