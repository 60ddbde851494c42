import { Webhook } from "standardwebhooks";
import type { JsonObject } from "../../domain/time/json.ts";
import { type Millis, toSeconds } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";

export interface DeliverySettings {
  /** The kind of webhook, for errors: `escalation`, `restart`. */
  readonly kind: string;
  /** Where to post. A user and password in it are sent as basic authorization. */
  readonly url: string;
  /** Signs messages according to Standard Webhooks (`whsec_…`). */
  readonly secret?: string;
  readonly clock: Clock;
  /** How long one try may take. */
  readonly timeout: Millis;
}

/** The result of one try. */
export type Delivery =
  | { readonly ok: true; readonly status: number }
  /** The receiver did not answer with 2xx. */
  | { readonly ok: false; readonly why: string; readonly status: number }
  /** There was no answer: `ECONNREFUSED`, `TimeoutError`, … */
  | { readonly ok: false; readonly why: string; readonly reason: string };

export interface WebhookSender {
  /** The receiver's name in errors, without path and query, which are often secrets. */
  readonly name: string;
  /** One try. `id` identifies the message and stays the same for repetitions. */
  post(id: string, message: JsonObject): Promise<Delivery>;
}

/**
 * Posts messages as JSON according to Standard Webhooks, each once, without following redirects.
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
    throw new RelightError("secret.malformed", `the ${kind} webhook's secret is not whsec_ followed by base64`);
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
  // fetch refuses an address with a user or password.
  const bare = Object.assign(new URL(url), { username: "", password: "" });
  const basic = Buffer.from([username, password].map(decoded).join(":")).toString("base64");
  return { url: bare, name, headers: { authorization: `Basic ${basic}` } };
}

/** Keeps a `%` that is not an escape. */
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
      // A redirect would turn the request into a GET, or send the message to somebody else.
      redirect: "manual",
      signal: AbortSignal.timeout(post.timeout),
    });
    // Only the status counts, so do not wait for the body.
    void body?.cancel().catch(() => undefined);
    return ok ? { ok, status } : { ok, status, why: `HTTP ${status}` };
  } catch (thrown) {
    const reason = networkReason(thrown);
    return { ok: false, why: reason, reason };
  }
}

/** The error code (`ECONNREFUSED`, `TimeoutError`), because fetch's message may contain the address. */
function networkReason(thrown: unknown): string {
  const { cause: root = thrown } = thrown as { cause?: unknown };
  const { code, name } = root as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : String(name);
}
