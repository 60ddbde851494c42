import {
  ApiException,
  AppsV1Api,
  CoreV1Api,
  KubeConfig,
  Observable,
  type ObservableMiddleware,
  type V1Pod,
  type V1StatefulSet,
} from "@kubernetes/client-node";
import { parseJsonObject } from "../../domain/time/json.ts";
import { type Millis, millis } from "../../domain/time/time.ts";
import { RelightError } from "../../errors.ts";
import type { RedactText } from "./server.ts";

export interface KubernetesAccess {
  readonly namespace: string;
  /** A kubeconfig's text. Without it, the pod's service account, and outside of pods kubectl's own configuration. */
  readonly kubeconfig?: string;
  /** One of the kubeconfig's contexts; by default its current one. */
  readonly context?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly redactText: RedactText;
  /** How long one request may take. */
  readonly requestTimeout?: Millis;
}

/** An answer of the API server; `status` is absent if there was none. `why` is redacted. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: string; readonly status?: number };

/** The three requests that a restart needs, each with its own time limit and `limit`. */
export interface KubernetesApi {
  pod(name: string, limit: AbortSignal): Promise<Answer<V1Pod>>;
  statefulSet(name: string, limit: AbortSignal): Promise<Answer<V1StatefulSet>>;
  /** Deletes the pod only if it still has that uid, with its own grace period. */
  deletePod(name: string, uid: string, limit: AbortSignal): Promise<Answer<unknown>>;
}

/** @throws RelightError `secret.malformed`, `config.invalid` if the kubeconfig or context does not exist. */
export function kubernetesApi(access: KubernetesAccess): KubernetesApi {
  const { namespace, redactText, requestTimeout = millis(10_000) } = access;
  const config = kubeConfigOf(access);
  const core = config.makeApiClient(CoreV1Api);
  const apps = config.makeApiClient(AppsV1Api);

  async function ask<T>(
    what: Request,
    limit: AbortSignal,
    call: (options: CallOptions) => Promise<T>,
  ): Promise<Answer<T>> {
    const signal = AbortSignal.any([limit, AbortSignal.timeout(requestTimeout)]);
    try {
      return { ok: true, value: await bounded(call(abortedBy(signal)), signal) };
    } catch (thrown) {
      return refusalOf(thrown, what, namespace, redactText);
    }
  }

  return {
    pod: (name, limit) =>
      ask(["get", "pods", name], limit, (options) => core.readNamespacedPod({ name, namespace }, options)),
    statefulSet: (name, limit) =>
      ask(["get", "statefulsets.apps", name], limit, (options) =>
        apps.readNamespacedStatefulSet({ name, namespace }, options),
      ),
    deletePod: (name, uid, limit) =>
      ask(["delete", "pods", name], limit, (options) =>
        core.deleteNamespacedPod({ name, namespace, body: { preconditions: { uid } } }, options),
      ),
  };
}

function kubeConfigOf({ kubeconfig, context, env }: KubernetesAccess): KubeConfig {
  const config = new KubeConfig();
  try {
    if (kubeconfig !== undefined) config.loadFromString(kubeconfig);
    else if (env["KUBERNETES_SERVICE_HOST"] !== undefined && context === undefined) config.loadFromCluster();
    else config.loadFromDefault();
  } catch {
    // The parser's message may quote a key.
    throw new RelightError("secret.malformed", "restart.kubernetes: the kubeconfig can't be read");
  }
  if (context !== undefined) config.setCurrentContext(context);
  if (config.getCurrentCluster()?.server !== undefined) return config;
  const which = context === undefined ? "current context" : `context "${context}"`;
  throw new RelightError("config.invalid", `restart.kubernetes: the kubeconfig has no ${which} with a cluster`);
}

type Request = readonly [verb: string, resource: string, name: string];

interface CallOptions {
  readonly middleware: ObservableMiddleware[];
  readonly middlewareMergeStrategy: "append";
}

/** The library accepts a signal only through a middleware. */
function abortedBy(signal: AbortSignal): CallOptions {
  const middleware: ObservableMiddleware = {
    pre: (request) => {
      request.setSignal(signal);
      return new Observable(Promise.resolve(request));
    },
    post: (response) => new Observable(Promise.resolve(response)),
  };
  return { middleware: [middleware], middlewareMergeStrategy: "append" };
}

/** Bounds the work: the request's signal does not bound getting credentials from a plugin or an identity provider. */
async function bounded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const over = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return await Promise.race([work, over]);
}

function refusalOf(
  thrown: unknown,
  [verb, resource, name]: Request,
  namespace: string,
  redactText: RedactText,
): Answer<never> & { ok: false } {
  if (!(thrown instanceof ApiException)) return { ok: false, why: `no answer (${redactText(networkReason(thrown))})` };
  const { code: status, body } = thrown;
  if (status === 403)
    return {
      ok: false,
      status,
      why: `it is not allowed to ${verb} ${resource} "${name}" in the namespace ${namespace}`,
    };
  if (status === 401) return { ok: false, status, why: "its credentials were not accepted (HTTP 401)" };
  return { ok: false, status, why: redactText(`HTTP ${status}: ${messageOf(body)}`) };
}

/** The message of the API's `Status`. The exception's own message also contains the headers. */
function messageOf(body: unknown): string {
  const text = String(body);
  const status = parseJsonObject(text);
  return status === undefined ? text.slice(0, 200) : String(status["message"]);
}

/** `ECONNREFUSED`, `TimeoutError`, `DEPTH_ZERO_SELF_SIGNED_CERT`, or why there are no credentials. */
function networkReason(thrown: unknown): string {
  const { cause: root = thrown } = thrown as { cause?: unknown };
  const { code, name, message } = root as { code?: unknown; name?: unknown; message?: unknown };
  if (typeof code === "string") return code;
  return name === "Error" ? String(message) : String(name);
}
