import type { Tracer } from "../../ports/observers.ts";

/**
 * A port whose named methods are steps of the trace.
 * @param port its named methods must return promises
 */
export function tracedPort<T extends object>(tracer: Tracer, port: T, names: { readonly [K in keyof T]?: string }): T {
  return new Proxy(port, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      const name = Object.hasOwn(names, key) ? names[key as keyof T] : undefined;
      if (name === undefined || typeof value !== "function") return value;
      return (...args: unknown[]) => tracer.step(name, async () => value.apply(target, args));
    },
  });
}
