import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import { defined } from "../../../domain/time/defined.ts";

/** Fields of a segment document besides name, ids and times. */
export interface SegmentFields {
  readonly namespace?: "aws" | "remote";
  readonly aws?: object;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly error?: true;
  readonly fault?: true;
  readonly throttle?: true;
  readonly cause?: object;
}

/** Called when a request ends. */
export type CallEnded = (name: string, fields: SegmentFields) => void;

const [CREATED, FINISHED, FAILED] = [
  ...(["http.client.request.created", "http.client.response.finish", "http.client.request.error"] as const),
];

/**
 * Observes every AWS request of this process through Node's diagnostics channels, without the SDK's clients. (The SDK uses
 * `node:http`; `fetch` has other channels and is not used for AWS.)
 * @param begin called in the caller's context; returns undefined to ignore the request
 * @returns a function that stops observing
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

/** From the protocol's target, or from the host for older services. */
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
