import { RelightError } from "../../../lib/errors.ts";
import type { Context } from "../../../lib/usecases/context/context.ts";

/** A process that is interrupted at one of its writes. */
export interface InterruptedProcess {
  readonly context: Context;
  /** How many writes were requested. */
  readonly writes: () => number;
}

/**
 * What changes the cluster, the journal, or what a person knows: a crash anywhere between two of these has the same
 * effect.
 */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  journal: ["append"],
  resolver: ["push"],
  assets: ["recreate", "stepDown", "configure"],
  escalation: ["send"],
  restarter: ["restart"],
};

/** Replaces a call of a port. @param count how many writes were requested, including this one */
type Intercept = (port: string, count: number, isWrite: boolean, call: () => unknown) => unknown;

function intercepted(context: Context, intercept: Intercept): InterruptedProcess {
  let writes = 0;
  const wrapped = (name: string, port: object): object =>
    new Proxy(port, {
      get: (target, key, receiver) => {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const isWrite = WRITES[name]?.includes(String(key)) ?? false;
          if (isWrite) writes++;
          return intercept(name, writes, isWrite, () => value.apply(target, args));
        };
      },
    });
  const ports = ["journal", "leases", "resolver", "probes", "assets", "escalation", "restarter"] as const;
  const all = ports.flatMap((name) => {
    const port = context[name];
    return port === undefined ? [] : [[name, wrapped(name, port)] as const];
  });
  return { context: { ...context, ...Object.fromEntries(all) }, writes: () => writes };
}

/**
 * The context of a process that crashes right before its `last`th write: that write and everything it requests
 * afterwards is never done, the lease is not released, and nobody is paged.
 */
export function crashing(context: Context, last = Number.POSITIVE_INFINITY): InterruptedProcess {
  return intercepted(context, (_port, count, _isWrite, call) => {
    if (count >= last) throw new Error("this process is no more");
    return call();
  });
}

/** The context of a process whose `nth` write is done, but the answer is lost. */
export function unanswered(context: Context, nth: number): Context {
  const code = { journal: "journal.unavailable", escalation: "escalation.undeliverable" } as const;
  return intercepted(context, (port, count, isWrite, call) => {
    if (!isWrite || count !== nth) return call();
    return (async () => {
      await call();
      throw new RelightError(code[port as keyof typeof code] ?? "nats.timeout", "no answer came");
    })();
  }).context;
}
