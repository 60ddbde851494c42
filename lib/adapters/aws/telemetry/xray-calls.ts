import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import { defined } from "../../../domain/time/defined.ts";

/** What goes into a segment document beside its name, ids and times. */
export interface SegmentFields {
  readonly namespace?: "aws" | "remote";
  readonly aws?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly error?: true;
  readonly fault?: true;
  readonly throttle?: true;
  readonly cause?: object;
}

/** Tells how a call ended. */
export type CallEnded = (name: string, fields: SegmentFields) => void;

const [CREATED, FINISHED, FAILED] = [
  ...(["http.client.request.created", "http.client.response.finish", "http.client.request.error"] as const),
];

/**
 * Hears of each call of AWS in this process, from Node's own diagnostics: neither the SDK's clients nor the adapters
 * know of it. (The SDK calls through `node:http`; what goes through `fetch` is another channel's, and no AWS call.)
 * @param begin called in the context of whoever calls; undefined where nobody wants to know
 * @returns what ends the listening
 */
export function onCalls(begin: () => CallEnded | undefined): () => void {
  const calls = new WeakMap<ClientRequest, CallEnded>();
  const created = (message: unknown): void => {
    const { request } = message as { request: ClientRequest };
    const ended = isAws(request) ? begin() : undefined;
    if (ended !== undefined) calls.set(request, ended);
  };
  const end = (request: ClientRequest, status: number | undefined): void => {
    calls.get(request)?.(serviceOf(request), fieldsOf(request, status));
    calls.delete(request);
  };
  const finished = (message: unknown): void => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    end(request, response.statusCode);
  };
  const failed = (message: unknown): void => end((message as { request: ClientRequest }).request, undefined);
  subscribe(CREATED, created);
  subscribe(FINISHED, finished);
  subscribe(FAILED, failed);
  return () => {
    unsubscribe(CREATED, created);
    unsubscribe(FINISHED, finished);
    unsubscribe(FAILED, failed);
  };
}

const NAMES: Readonly<Record<string, string>> = {
  DynamoDB_20120810: "DynamoDB",
  AmazonSQS: "SQS",
  secretsmanager: "Secrets Manager",
  TrentService: "KMS",
  AWSEvents: "EventBridge",
};

const targetOf = (request: ClientRequest): string => String(request.getHeader("x-amz-target") ?? "");
const isAws = (request: ClientRequest): boolean => request.getHeader("amz-sdk-request") !== undefined;

/** By the protocol's target; the few older services are told by their host. */
function serviceOf(request: ClientRequest): string {
  const [service = ""] = targetOf(request).split(".");
  return NAMES[service] ?? (service || (request.host.split(".")[0] ?? "AWS"));
}

function fieldsOf(request: ClientRequest, status: number | undefined): SegmentFields {
  const operation = targetOf(request).split(".")[1];
  return {
    namespace: "aws",
    aws: defined({ operation }),
    ...(status === undefined || status >= 500 ? { fault: true } : {}),
    ...(status !== undefined && status >= 400 && status < 500 ? { error: true } : {}),
    ...(status === 429 ? { throttle: true } : {}),
  };
}
