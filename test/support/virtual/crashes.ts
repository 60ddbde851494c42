import type { Context } from "../../../lib/usecases/context/context.ts";

/** A process that dies midway. */
export interface Mortal {
  readonly context: Context;
  /** How many writes were asked for. */
  readonly writes: () => number;
}

/** What changes the cluster, the journal, or what a person knows: between two of these a death is like any other. */
const WRITES: Readonly<Record<string, readonly string[]>> = {
  journal: ["append"],
  resolver: ["push"],
  assets: ["recreate", "stepDown", "configure"],
  escalation: ["send"],
  restarter: ["restart"],
};

/**
 * The context of a process that dies as it is about to write for the `last`th time: that write and all that it asks of
 * the world from then on is never done, the lease is not given up, and nobody is told.
 */
export function mortal(context: Context, last = Number.POSITIVE_INFINITY): Mortal {
  let writes = 0;
  const wrapped = (name: string, port: object): object =>
    new Proxy(port, {
      get: (target, key, receiver) => {
        const value: unknown = Reflect.get(target, key, receiver);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (WRITES[name]?.includes(String(key))) writes++;
          if (writes >= last) throw new Error("this process is no more");
          return value.apply(target, args);
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
