import { Webhook } from "standardwebhooks";
import type { JsonObject } from "../../domain/time/json.ts";
import { type Millis, toSeconds } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";

export interface DeliverySettings {
  /** What kind of webhook it is, as errors call it: `escalation`, `restart`. */
  readonly kind: string;
  /** Where to post; a name and a password in it are sent as basic authorization. */
  readonly url: string;
  /** Signs what is sent, as Standard Webhooks (`whsec_…`) does. */
  readonly secret?: string;
  readonly clock: Clock;
  /** How long one try may take. */
  readonly timeout: Millis;
}

/** What came of one try. */
export type Delivery =
  | { readonly ok: true; readonly status: number }
  /** The receiver answered, and not with 2xx. */
  | { readonly ok: false; readonly why: string; readonly status: number }
  /** There was no answer: `ECONNREFUSED`, `TimeoutError`, … */
  | { readonly ok: false; readonly why: string; readonly reason: string };

export interface WebhookSender {
  /** What errors may call the receiver: paths and queries of webhooks are often secrets themselves. */
  readonly name: string;
  /** One try. `id` is the message's, the same each time it is sent, so that a receiver can tell a repetition. */
  post(id: string, message: JsonObject): Promise<Delivery>;
}

/**
 * Posts messages as JSON under the Standard Webhooks specification, each once; redirections are not followed.
 * @throws RelightError `secret.malformed` at once if the secret can't sign; `config.invalid` for a bad address.
 */
export function webhookSender(settings: DeliverySettings): WebhookSender {
  const { clock, timeout } = settings;
  const target = targetOf(settings);
  const sign = signer(settings);
  return {
    name: target.name,
    post: (id, message) => {
      const body = JSON.stringify(message);
      return postOnce(target, { timeout, body, headers: sign(id, toSeconds(clock.now()), body) });
    },
  };
}

type Sign = (id: string, timestamp: number, body: string) => Readonly<Record<string, string>>;

function signer({ kind, secret }: DeliverySettings): Sign {
  const webhook = secret === undefined ? undefined : webhookOf(kind, secret);
  return (id, timestamp, body) => ({
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    ...(webhook && { "webhook-signature": webhook.sign(id, new Date(timestamp * 1000), body) }),
  });
}

function webhookOf(kind: string, secret: string): Webhook {
  try {
    return new Webhook(secret);
  } catch {
    throw new RelightError("secret.malformed", `the ${kind} webhook's secret is not whsec_ and base64`);
  }
}

interface Target {
  readonly url: URL;
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
}

function targetOf({ kind, url: text }: DeliverySettings): Target {
  const url = URL.parse(text);
  if (url === null) throw new RelightError("config.invalid", `the ${kind} webhook's url is not an address`);
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

async function postOnce({ url, headers }: Target, post: Post): Promise<Delivery> {
  try {
    const { ok, status, body } = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...post.headers },
      body: post.body,
      // A followed redirect would become a GET, or carry the message to a stranger.
      redirect: "manual",
      signal: AbortSignal.timeout(post.timeout),
    });
    // Only the status counts; whatever else comes is not waited for.
    void body?.cancel().catch(() => undefined);
    return ok ? { ok, status } : { ok, status, why: `HTTP ${status}` };
  } catch (thrown) {
    const reason = networkReason(thrown);
    return { ok: false, why: reason, reason };
  }
}

/** `ECONNREFUSED`, `TimeoutError`, …: what went wrong, without the address that fetch may have put in. */
function networkReason(thrown: unknown): string {
  const { cause: root = thrown } = thrown as { cause?: unknown };
  const { code, name } = root as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name);
}
