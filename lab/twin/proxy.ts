import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Call, operationOf, type RawRequest, signerOf } from "./call.ts";
import { type ErrorAnswer, type Fault, type FaultChooser, failure, throttlingError } from "./faults.ts";

/** The owner of an access key. Every invocation gets its own key, which identifies its calls. */
export interface Caller {
  readonly name: string;
  readonly request: string;
}

/**
 * A proxy between the functions and the emulator: records every call, and injects the faults that a test chooses. Point the
 * SDK at it with `AWS_ENDPOINT_URL`.
 */
export interface AwsProxy extends AsyncDisposable {
  readonly url: string;
  /** All calls so far, oldest first; the list grows. */
  readonly calls: readonly Call[];
  /** Registers an access key. Calls with an unknown key are refused with 403. */
  introduce(key: string, caller: Caller): void;
  /** Asks `meddler` about each call from now on; of several, the newest first. */
  injectFaults(choose: FaultChooser): Disposable;
}

interface State {
  readonly target: URL;
  readonly calls: Call[];
  readonly callers: Map<string, Caller>;
  /** The number of calls of each invocation. */
  readonly counts: Map<string, number>;
  readonly choosers: FaultChooser[];
}

export async function startProxy(endpoint: string): Promise<AwsProxy> {
  const state: State = {
    target: new URL(endpoint),
    calls: [],
    choosers: [],
    callers: new Map(),
    counts: new Map(),
  };
  const server = createServer((incoming, response) => {
    // Killed or disconnected callers are not errors of the proxy.
    incoming.on("error", () => {});
    response.on("error", () => {});
    handle(state, incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls: state.calls,
    introduce: (key, caller) => state.callers.set(key, caller),
    injectFaults: (choose) => {
      state.choosers.unshift(choose);
      return { [Symbol.dispose]: () => void state.choosers.splice(state.choosers.indexOf(choose), 1) };
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

async function handle(state: State, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const raw: RawRequest = {
    method: incoming.method ?? "GET",
    path: incoming.url ?? "/",
    headers: incoming.headers,
    body: await bodyOf(incoming),
  };
  const caller = state.callers.get(signerOf(raw).key);
  if (caller === undefined) {
    response.writeHead(403).end("the twin's proxy does not know this access key");
    return;
  }
  const call = record(state, caller, raw);
  const fault = faultFor(state, call);
  await carryOut(state, fault, { raw, call, response });
}

function record({ calls, counts }: State, { name, request }: Caller, raw: RawRequest): Call {
  const nth = (counts.get(request) ?? 0) + 1;
  counts.set(request, nth);
  const call: Call = {
    number: calls.length + 1,
    nth,
    caller: name,
    request,
    ...operationOf(raw),
    requestBytes: raw.body.length,
    at: Date.now(),
  };
  calls.push(call);
  return call;
}

function faultFor({ choosers }: State, call: Call): Fault | undefined {
  for (const choose of choosers) {
    const fault = choose(call);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

interface Exchange {
  readonly raw: RawRequest;
  readonly call: Call;
  readonly response: ServerResponse;
}

async function carryOut(state: State, fault: Fault | undefined, exchange: Exchange): Promise<void> {
  const { call, response } = exchange;
  if (fault?.kind === "throttle") return answer(exchange, throttlingError(call));
  if (fault?.kind === "delay") await sleep(fault.millis);
  if (fault?.kind === "run" && fault.when === "before") await fault.work(call);
  const isBefore = fault?.kind === "cut" || fault?.kind === "fail" ? fault.when !== "after" : false;
  // A killed caller's call that was held back here never takes effect.
  const got = isBefore || response.destroyed ? undefined : await passOn(state, exchange.raw);
  if (fault?.kind === "run" && fault.when === "after") await fault.work(call);
  if (fault?.kind === "fail") return answer(exchange, failure(call, fault.status));
  if (fault?.kind === "cut" || got === undefined) {
    call.status = 0;
    response.destroy();
    return;
  }
  answer(exchange, got);
}

interface Answer extends Omit<ErrorAnswer, "body" | "headers"> {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string | Buffer;
}

function answer({ call, response }: Exchange, { status, headers, body }: Answer): void {
  call.status = status;
  call.responseBytes = Buffer.byteLength(body);
  call.took = Date.now() - call.at;
  const { "transfer-encoding": _, ...rest } = headers;
  response.writeHead(status, { ...rest, "content-length": Buffer.byteLength(body) }).end(body);
}

function passOn({ target }: State, { method, path, headers, body }: RawRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = target;
    const outgoing = forward({ hostname, port, method, path, headers, agent: false }, (incoming) => {
      bodyOf(incoming).then(
        (text) => resolve({ status: incoming.statusCode ?? 502, headers: incoming.headers, body: text }),
        reject,
      );
    });
    outgoing.on("error", reject).end(body);
  });
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
