import {
  allows,
  describeMode,
  type Mode,
  modeJson,
  type RunMode,
  whyLeft,
} from "../../domain/ladder/mode.ts";
import { asRelightError, RelightError } from "../../errors.ts";

/** @throws RelightError `mode.forbids` where the mode does not allow what `what` names. */
export function requireMode(mode: RunMode, needed: Mode, what: string): void {
  if (allows(mode.mode, needed)) return;
  throw new RelightError("mode.forbids", `${what} was not done: ${describeMode(mode)}`, {
    details: { needed, ...modeJson(mode) },
  });
}

/** What each method of a port needs; a method without an entry does not compile. */
export type Needs<Port> = { readonly [Name in keyof Port]: Mode };

/** A port whose methods throw `mode.forbids` where the mode does not allow them; all that need more give promises. */
export function guarded<Port extends object>(mode: RunMode, port: Port, needs: Needs<Port>): Port {
  return new Proxy(port, {
    get: (target, key, receiver) => {
      const value: unknown = Reflect.get(target, key, receiver);
      if (typeof value !== "function") return value;
      // What nobody classed is taken for a change.
      const needed = Object.hasOwn(needs, key) ? needs[key as keyof Port] : "heal";
      if (allows(mode.mode, needed)) return value;
      return async () => requireMode(mode, needed, String(key));
    },
  });
}

/** How a job ends that left something, which would have been done before all else that it left. */
export function left<Done extends { readonly would?: readonly string[] }>(
  mode: RunMode,
  done: Done,
  first: string,
) {
  const would = [first, ...(done.would ?? [])];
  return { ...done, outcome: "looked" as const, would, why: whyLeft(mode, would) };
}

/** What was ordered; in a dry run all that comes before the first change, and then `seen`. @throws whatever `work` throws */
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
