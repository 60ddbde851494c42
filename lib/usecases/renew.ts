import { skewOf } from "../domain/clocks.ts";
import { renewClaims } from "../domain/renewal.ts";
import { RelightError } from "../errors.ts";
import { type Context, type RunningJob, requireSigner } from "./context.ts";
import type { Look } from "./look.ts";
import { type ProvedPush, push } from "./push.ts";
import { claimsToRenew } from "./verify.ts";

/**
 * Re-signs the account's claims with a new expiry, through the gate, and proves them on every server.
 * @throws RelightError `signer.missing`, `account.no_claims`, and whatever {@link push} throws.
 */
export async function renew(context: Context, job: RunningJob, seen: Look): Promise<ProvedPush> {
  const signer = await requireSigner(context);
  const current = await claimsToRenew(context, seen);
  if (current === undefined)
    throw new RelightError("account.no_claims", `nothing is left of the claims of ${job.account} to renew`);
  const renewed = renewClaims(current, {
    ...{ issuer: signer.publicKey, id: context.newId(), now: context.clock.now() },
    lifetime: context.policyOf(job.account, current.claims).lifetime,
  });
  const token = await signer.sign(renewed);
  const skew = skewOf(seen.observation.servers);
  return push(context, job, { token, current, leave: "nothing", purpose: "renewal", skew });
}
