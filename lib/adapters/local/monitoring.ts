import pMap from "p-map";
import type { Probe } from "../../domain/observation/observation.ts";
import type { HealthAnswer, HealthChecks } from "../../domain/observation/server-health.ts";
import { parseJsonObject } from "../../domain/time/json.ts";
import type { Millis } from "../../domain/time/time.ts";
import type { Monitoring } from "../../ports/cluster.ts";

const AT_ONCE = 8;
/** The maximum length of a health answer, which is a single line. */
const LONGEST = 4_096;

/** The servers' HTTP monitoring (`http_port`) at the configured addresses. */
export function httpMonitoring(urls: readonly string[], timeout: Millis): Monitoring {
  return {
    check: () =>
      pMap(urls, async (url) => ({ url: shown(url), checks: await checksOf(url, timeout) }), {
        concurrency: AT_ONCE,
      }),
  };
}

/** The address without user and password. */
function shown(address: string): string {
  const url = new URL(address);
  return `${url.protocol}//${url.host}`;
}

async function checksOf(url: string, timeout: Millis): Promise<HealthChecks> {
  const [enabledOnly, serverOnly, full] = await Promise.all([
    healthz(url, "?js-enabled-only=true", timeout),
    healthz(url, "?js-server-only=true", timeout),
    healthz(url, "", timeout),
  ]);
  return { enabledOnly, serverOnly, full };
}

/** Like a Kubernetes probe: the status decides, the body gives the reason. */
async function healthz(base: string, query: string, timeout: Millis): Promise<Probe<HealthAnswer>> {
  const { address, headers } = requestTo(base, query);
  try {
    const signal = AbortSignal.timeout(timeout);
    const response = await fetch(address, { signal, headers, redirect: "error" });
    const text = (await response.text()).slice(0, LONGEST);
    return answerOf(response, text, `${shown(base)}/healthz${query}`);
  } catch (thrown) {
    return { ok: false, code: "nats.unreachable", message: `${shown(base)}: ${reason(thrown, timeout)}` };
  }
}

/** Moves a password in the address, for a proxy, into a header, because fetch refuses such addresses and quotes them. */
function requestTo(base: string, query: string): { address: URL; headers: Record<string, string> } {
  const address = new URL(base);
  const { username, password } = address;
  Object.assign(address, { username: "", password: "", search: query, hash: "" });
  address.pathname = `${address.pathname.replace(/\/+$/, "")}/healthz`;
  if (username === "" && password === "") return { address, headers: {} };
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address, headers: { authorization: `Basic ${Buffer.from(login).toString("base64")}` } };
}

function answerOf(response: Response, text: string, where: string): Probe<HealthAnswer> {
  const body = parseJsonObject(text);
  const status = body?.["status"];
  if (body === undefined || typeof status !== "string") {
    const message = `${where} answers HTTP ${response.status}, but not as nats-server does`;
    return { ok: false, code: "nats.bad_answer", message };
  }
  const message = String(body["error"] ?? status);
  return { ok: true, value: { ok: response.ok && status === "ok", message } };
}

/** Uses the cause, because fetch's own message is only `fetch failed`. */
function reason(thrown: unknown, timeout: Millis): string {
  const { name, message, cause } = thrown as Error & { readonly cause?: { readonly message?: string } };
  if (name === "TimeoutError") return `no answer within ${timeout} ms`;
  return cause?.message || message;
}
