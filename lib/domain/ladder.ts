import type { Rung, RungId, Situation } from "./rung.ts";
import { LADDER } from "./rungs.ts";
import { hasFinding } from "./verdict.ts";

export type Step =
  | { readonly kind: "done" }
  | { readonly kind: "renew"; readonly why: string }
  | {
      readonly kind: "climb";
      readonly rung: Rung;
      readonly why: string;
      readonly refused: readonly RefusedRung[];
    }
  | { readonly kind: "stop"; readonly why: string; readonly refused: readonly RefusedRung[] };

export interface RefusedRung {
  readonly rung: RungId;
  readonly why: string;
}

/**
 * The next step up: the cheapest rung that helps, is safe here and was not tried yet.
 * An account of which something is unknown, and nothing dead, is left alone: a network fault never climbs.
 */
export function nextStep(situation: Situation, tried: ReadonlySet<RungId>): Step {
  const { verdict } = situation;
  if (verdict.verdict === "healthy") return { kind: "done" };
  if (hasFinding(verdict, "account.expired"))
    return { kind: "renew", why: "renew first: an expired account can't be revived" };
  if (verdict.verdict === "unknown")
    return { kind: "stop", why: "the account is unknown, and nothing is done on a guess", refused: [] };

  const refused: RefusedRung[] = [];
  for (const rung of LADDER.filter(({ id }) => !tried.has(id))) {
    const why = rung.helps(situation);
    if (why === undefined) continue;
    const objection = rung.forbids(situation);
    if (objection === undefined) return { kind: "climb", rung, why, refused };
    refused.push({ rung: rung.id, why: objection });
  }
  return { kind: "stop", why: whyStopped(refused, tried), refused };
}

function whyStopped(refused: readonly RefusedRung[], tried: ReadonlySet<RungId>): string {
  if (refused.length > 0) return refused.map(({ rung, why }) => `${rung} is refused: ${why}`).join("; ");
  if (tried.size > 0) return `no rung is left after ${[...tried].join(", ")}`;
  return "no rung of the ladder helps against what was found";
}
