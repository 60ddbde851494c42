import type { AccountId } from "../../domain/claims/account.ts";
import type { ClaimChange } from "../../domain/claims/claims.ts";
import { gate, RENEWAL_CLAIMS, type Refusal } from "../../domain/gate/gate.ts";
import type { HarmLeave } from "../../domain/gate/gate-harm.ts";
import { defined } from "../../domain/time/defined.ts";
import { toSeconds } from "../../domain/time/time.ts";
import type { Context } from "../context/context.ts";
import { lookOnce } from "../observe/look.ts";
import { gateFacts } from "../push/gate-facts.ts";

/** What a JWT would change, for a person to look at before it is pushed. */
export interface PushPreview {
  readonly account: AccountId;
  /** Every difference from the claims in force, but for what each new JWT has of its own. */
  readonly changes: readonly ClaimChange[];
  /** What nobody can give leave for. */
  readonly refusals: readonly Refusal[];
  /** Id of the JWT in force that it was compared with; absent for an account that nobody knows. */
  readonly comparedWith?: string;
}

/** Compares a JWT with the claims in force and asks the gate; pushes nothing. @throws RelightError `jwt.malformed` */
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
