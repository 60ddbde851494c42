import { allows, describeMode, type Mode, modeJson, type RunMode, whyLeft } from "../../domain/ladder/mode.ts";
import { asRelightError, RelightError } from "../../errors.ts";

/** @throws RelightError `mode.forbids` if the mode does not allow `what`. */
export function requireMode(mode: RunMode, needed: Mode, what: string): void {
  if (allows(mode.mode, needed)) return;
  throw new RelightError("mode.forbids", `${what} is not allowed: ${describeMode(mode)}`, {
    details: { needed, ...modeJson(mode) },
  });
}

/** The mode that each method of a port needs. A missing method does not compile. */
export type Needs<Port> = { readonly [Name in keyof Port]: Mode };

/** A port whose methods throw `mode.forbids` if the mode does not allow them. Methods that change something must be async. */
export function guarded<Port extends object>(mode: RunMode, port: Port, needs: Needs<Port>): Port {
  return new Proxy(port, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof value !== "function") return value;
      // An unlisted method counts as a change.
      const needed = Object.hasOwn(needs, key) ? needs[key as keyof Port] : "heal";
      if (allows(mode.mode, needed)) return value;
      return async () => requireMode(mode, needed, String(key));
    },
  });
}

/** The end of a job that the mode kept from a step, which comes first in `would`. */
export function left<Done extends { readonly would?: readonly string[] }>(mode: RunMode, done: Done, first: string) {
  const would = [first, ...(done.would ?? [])];
  return { ...done, outcome: "looked" as const, would, why: whyLeft(mode, would) };
}

/** Runs the work; in a dry run, only up to the first change, and then returns `seen`. @throws the errors of `work` */
export async function tried<Done extends { readonly would?: readonly string[] }>(
  mode: RunMode,
  what: string,
  seen: Done,
  work: () => Promise<Done>,
): Promise<Done> {
  try {
    return await work();
  } catch (thrown) {
    if (!mode.dryRun || asRelightError(thrown).code !== "mode.forbids") throw thrown;
    return left(mode, seen, what);
  }
}
