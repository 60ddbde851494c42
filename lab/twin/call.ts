import type { IncomingHttpHeaders } from "node:http";

/** One call to AWS, as seen between a function and the emulator. */
export interface Call {
  /** Counts all calls through the proxy, from 1; in the order in which they arrived. */
  readonly number: number;
  /** Counts the calls of one invocation, from 1. */
  readonly nth: number;
  /** Who calls: a function's name in the stack (`remediate`), or `event source` for the twin's own polling. */
  readonly caller: string;
  /** Lambda's request id of the invocation. */
  readonly request: string;
  /** The service's name as IAM writes it: `dynamodb`, `sqs`, `secretsmanager`, `events`, `kms`, `sns`, … */
  readonly service: string;
  /** The operation as IAM and the API reference write it: `PutItem`. */
  readonly operation: string;
  /** The parameters. They may contain secrets: do not print them. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly requestBytes: number;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Set once it is answered; the status is 0 if the connection was cut. */
  status?: number;
  responseBytes?: number;
  /** Milliseconds until it was answered. */
  took?: number;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export type Operation = Pick<Call, "service" | "operation" | "input">;

/** Services whose name in a signature differs from IAM's. */
const IAM_NAMES: Readonly<Record<string, string>> = { monitoring: "cloudwatch", email: "ses" };

/** The signer: the access key's id and the service, from the signature's credential scope. */
export function signerOf({ headers }: RawRequest): { readonly key: string; readonly service: string } {
  const scope = /Credential=([^/,]+)\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "");
  const [, key = "", service = ""] = scope ?? [];
  return { key, service: IAM_NAMES[service] ?? service };
}

/** Reads all three AWS protocols: JSON with a target, a form with an action, and REST paths. */
export function operationOf(request: RawRequest): Operation {
  const { service } = signerOf(request);
  const { headers, body, method, path } = request;
  const target = headers["x-amz-target"];
  if (typeof target === "string")
    return { service, operation: target.split(".").at(-1) ?? target, input: jsonOf(body) };
  if (headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true) {
    const input = Object.fromEntries(new URLSearchParams(body.toString()));
    return { service, operation: String(input["Action"]), input };
  }
  const [, rpc] = /\/operation\/(\w+)$/.exec(path) ?? [];
  return { service, operation: rpc ?? `${method} ${path.split("?")[0]}`, input: jsonOf(body) };
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
