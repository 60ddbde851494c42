import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimChange } from "../../domain/claims/claims.ts";
import { gate, RENEWAL_CLAIMS, type Refusal } from "../../domain/gate/gate.ts";
import type { HarmLeave } from "../../domain/gate/gate-harm.ts";
import { defined } from "../../domain/time/defined.ts";
import { toSeconds } from "../../domain/time/time.ts";
import type { Context } from "../context/context.ts";
import { lookOnce } from "../observe/look.ts";
import { gateFacts } from "../push/gate-facts.ts";

/** What a JWT would change, for a person to review before the push. */
export interface PushPreview {
  readonly account: AccountId;
  /** All differences from the claims in force, except those that every new JWT has. */
  readonly changes: readonly ClaimChange[];
  /** Refusals that a person can't override. */
  readonly refusals: readonly Refusal[];
  /** Id of the JWT in force that it was compared with; absent for an unknown account. */
  readonly comparedWith?: string;
}

/** Compares a JWT with the claims in force and runs the gate, without pushing. @throws RelightError `jwt.malformed` */
export async function previewPush(
  context: Context,
  token: string,
  allowed: readonly HarmLeave[] = [],
): Promise<PushPreview> {
  const { document: candidate, signatureValid } = context.codec.decode(token);
  const account = candidate.claims.sub;
  const seen = await lookOnce(context, account);
  const current = seen.known.comparable;
  const decision = gate({
    account,
    operator: context.operator,
    candidate,
    signatureValid,
    allowance: "claims",
    use: seen.observation.streams,
    allowed,
    ...(await gateFacts(context, account, { current, candidate, allowance: "claims" })),
    ...defined({ current }),
    now: toSeconds(context.clock.now()),
  });
  return {
    account,
    changes: decision.changes.filter(({ path }) => !RENEWAL_CLAIMS.includes(path)),
    refusals: decision.decision === "refuse" ? decision.refusals : [],
    ...(current === undefined ? {} : { comparedWith: current.claims.jti }),
  };
}
