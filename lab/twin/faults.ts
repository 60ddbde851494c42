import type { Call } from "./call.ts";

/**
 * What the proxy does with a call besides passing it on. `before`: the call has no effect. `after`: it has its effect, but
 * the caller gets no answer.
 */
export type Fault =
  /** Delayed, then passed on; milliseconds. */
  | { readonly kind: "delay"; readonly millis: number }
  /** The service's own throttling error; the call has no effect. */
  | { readonly kind: "throttle" }
  /** A server-side error; `when` is `before` by default. */
  | { readonly kind: "fail"; readonly status: 500 | 503; readonly when?: When }
  /** The connection is reset. */
  | { readonly kind: "cut"; readonly when: When }
  /** Any other work, such as killing the caller; then the call continues. */
  | { readonly kind: "run"; readonly when: When; readonly work: (call: Call) => unknown };

export type When = "before" | "after";

/** Chooses a fault for each call; `undefined` passes it on. */
export type FaultChooser = (call: Call) => Fault | undefined;

/** Affects every `count`-th call that `fits`, starting with the first. */
export function every(count: number, fault: Fault, fits: (call: Call) => boolean = () => true): FaultChooser {
  let seen = 0;
  return (call) => {
    if (!fits(call)) return undefined;
    seen += 1;
    return seen % count === 0 ? fault : undefined;
  };
}

/** Affects the first `count` calls that fit. */
export function first(count: number, fault: Fault, fits: (call: Call) => boolean = () => true): FaultChooser {
  let seen = 0;
  return (call) => {
    if (!fits(call) || seen >= count) return undefined;
    seen += 1;
    return fault;
  };
}

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The name and status of each service's throttling error, from its API reference. */
const THROTTLING: Readonly<Record<string, readonly [name: string, status: number]>> = {
  dynamodb: ["com.amazonaws.dynamodb.v20120810#ThrottlingException", 400],
  sqs: ["com.amazonaws.sqs#RequestThrottled", 400],
  secretsmanager: ["ThrottlingException", 400],
  events: ["ThrottlingException", 400],
  kms: ["ThrottlingException", 400],
  sns: ["Throttled", 429],
  cloudwatch: ["Throttling", 400],
};

export function throttlingError({ service }: Call): ErrorAnswer {
  const [name, status] = THROTTLING[service] ?? ["ThrottlingException", 429];
  return errorAnswer(service, name, status, "Rate exceeded");
}

const FAILURES = { 500: "InternalServerError", 503: "ServiceUnavailable" } as const;

export function failure({ service }: Call, status: 500 | 503): ErrorAnswer {
  return errorAnswer(service, FAILURES[status], status, "the twin was told to fail this call");
}

/** The services that speak XML; all others speak JSON. */
const XML = new Set(["sns", "sts", "iam", "s3"]);

function errorAnswer(service: string, name: string, status: number, message: string): ErrorAnswer {
  const fault = status >= 500 ? "Receiver" : "Sender";
  if (XML.has(service)) {
    const error = `<Error><Type>${fault}</Type><Code>${name}</Code><Message>${message}</Message></Error>`;
    const body = `<ErrorResponse>${error}<RequestId>twin</RequestId></ErrorResponse>`;
    return { status, headers: { "content-type": "text/xml" }, body };
  }
  const short = name.split("#").at(-1) ?? name;
  return {
    status,
    headers: {
      "content-type": "application/x-amz-json-1.0",
      "x-amzn-errortype": short,
      "x-amzn-query-error": `${short};${fault}`,
    },
    body: JSON.stringify({ __type: name, message }),
  };
}
