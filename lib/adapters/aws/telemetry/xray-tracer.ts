import { AsyncLocalStorage } from "node:async_hooks";
import { randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { asRelightError } from "../../../errors.ts";
import type { Tracer } from "../../../ports/observers.ts";
import { onCalls, type SegmentFields } from "./xray-calls.ts";

/** A running step in X-Ray's terms. */
interface Segment {
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly id: string;
}

/** X-Ray refuses traces above 500 kB, so the number of segments is bounded. */
const MOST_SEGMENTS = 600;
/** Characters. */
const LONGEST_NAME = 200;
const LONGEST_ANNOTATION = 250;

export interface XRaySettings {
  /** `AWS_XRAY_DAEMON_ADDRESS`: `host:port`, or `tcp:host:port udp:host:port`. */
  readonly daemon: string;
  /** The current `_X_AMZN_TRACE_ID`, which Lambda changes with each request. */
  readonly header: () => string | undefined;
}

/**
 * Sends the duration of each step to the X-Ray daemon over UDP, as a subsegment of Lambda's own segment, when the step
 * ends. Waits for no answer. AWS requests are steps too. Format: docs.aws.amazon.com/xray, "Segment documents" and
 * "Sending trace data".
 */
export function xrayTracer({ daemon, header }: XRaySettings): Tracer {
  const current = new AsyncLocalStorage<Segment>();
  const { send, close } = datagrams(daemon);
  let left = MOST_SEGMENTS;

  const parent = (): Segment | undefined => current.getStore() ?? sampledRoot(header());
  function sendSegment(segment: Segment, above: Segment, name: string, began: number, fields: SegmentFields): void {
    const ended = Date.now();
    // Omit steps that took no time, such as a cached secret.
    if (ended === began && fields.fault === undefined) return;
    left -= 1;
    if (left < 0) return;
    send({
      type: "subsegment",
      trace_id: segment.traceId,
      id: segment.id,
      parent_id: above.id,
      name: nameOf(name),
      start_time: began / 1_000,
      end_time: ended / 1_000,
      ...fields,
    });
  }

  const stopListening = onCalls(() => {
    const above = parent();
    if (above === undefined) return undefined;
    const [segment, began] = [below(above), Date.now()];
    return (name, fields) => sendSegment(segment, above, name, began, fields);
  });

  return {
    step: async (name, work, facts = {}) => {
      const above = parent();
      if (above === undefined) return work();
      const [segment, began] = [below(above), Date.now()];
      const annotations = annotationsOf(facts);
      try {
        const result = await current.run(segment, work);
        sendSegment(segment, above, name, began, { annotations });
        return result;
      } catch (thrown) {
        sendSegment(segment, above, name, began, { annotations, fault: true, cause: causeOf(thrown) });
        throw thrown;
      }
    },
    [Symbol.asyncDispose]: async () => {
      stopListening();
      await close();
    },
  };
}

/** Lambda's own segment if this request is sampled: `Root=1-…;Parent=…;Sampled=1`, in any order. */
export function sampledRoot(header: string | undefined): Segment | undefined {
  const fields = new Map((header ?? "").split(";").map((field) => field.split("=", 2) as [string, string]));
  const [traceId, id] = [fields.get("Root"), fields.get("Parent")];
  if (traceId === undefined || id === undefined || fields.get("Sampled") !== "1") return undefined;
  return { traceId, id };
}

const below = ({ traceId }: Segment): Segment => ({ traceId, id: randomBytes(8).toString("hex") });

/** X-Ray allows letters, numbers, spaces and a few symbols. */
const nameOf = (name: string): string => name.replace(/[^\p{L}\p{N}\s_.:/%&#=+\\@-]/gu, "_").slice(0, LONGEST_NAME);

function annotationsOf(facts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(facts).map(([key, value]) => [key, value.slice(0, LONGEST_ANNOTATION)]));
}

/** Only the code, because an error's message may quote data. */
function causeOf(thrown: unknown): object {
  const { code } = asRelightError(thrown);
  return { exceptions: [{ id: randomBytes(8).toString("hex"), type: "RelightError", message: code }] };
}

function datagrams(daemon: string): { send: (document: object) => void; close: () => Promise<void> } {
  const { host, port } = addressOf(daemon);
  let socket: Socket | undefined;
  const sending = new Set<Promise<void>>();
  const open = (): Socket => {
    const opened = createSocket("udp4").unref();
    // Ignore errors: without a daemon, traces are lost.
    return opened.on("error", () => {});
  };
  return {
    send: (document) => {
      socket ??= open();
      const { promise, resolve } = Promise.withResolvers<void>();
      sending.add(promise);
      // A datagram that is too long or can't be sent is only lost.
      socket.send(`{"format": "json", "version": 1}\n${JSON.stringify(document)}`, port, host, () => {
        sending.delete(promise);
        resolve();
      });
    },
    close: async () => {
      await Promise.all(sending);
      socket?.close();
      socket = undefined;
    },
  };
}

function addressOf(daemon: string): { readonly host: string; readonly port: number } {
  const udp =
    daemon
      .split(/\s+/)
      .find((part) => part.startsWith("udp:"))
      ?.slice("udp:".length) ?? daemon;
  const [host = "", port = ""] = udp.split(":");
  return { host: host || "127.0.0.1", port: Number(port) || 2_000 };
}
