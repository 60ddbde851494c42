import type { ClaimsDocument } from "../../domain/claims/claims.ts";
import { renewClaims } from "../../domain/claims/renewal.ts";
import { STOPS_RENEWAL } from "../../domain/incidents/incident.ts";
import { skewOf } from "../../domain/observation/clocks.ts";
import { asRelightError, RelightError } from "../../errors.ts";
import { type Context, type RunningJob, requireSigner } from "../context/context.ts";
import type { Look } from "../observe/look.ts";
import { type ProvedPush, push } from "../push/push.ts";
import { UNPROVED_CLAIMS } from "./renewal-decision.ts";

/**
 * Signs the account's claims with a new expiry, pushes them through the gate, and proves them on every server.
 * @throws RelightError `signer.missing`, `account.no_claims`, and the errors of {@link push}.
 */
export async function renew(context: Context, job: RunningJob, seen: Look): Promise<ProvedPush> {
  const { token, current } = await renewed(context, job, seen).catch(noteSecret);
  const skew = skewOf(seen.observation.servers);
  // The policy's lifetime may be shorter than the remaining time; then the earlier expiry is intended.
  const allowed = ["expires_earlier"] as const;
  return push(context, job, { token, current, allowance: "nothing", purpose: "renewal", skew, allowed });
}

async function renewed(
  context: Context,
  job: RunningJob,
  seen: Look,
): Promise<{ readonly token: string; readonly current: ClaimsDocument }> {
  const signer = await requireSigner(context);
  const { renewable: current, unproved } = seen.known;
  if (current === undefined) {
    const why = unproved === undefined ? "" : `: ${UNPROVED_CLAIMS}`;
    const message = `the claims of ${job.account} are unknown and can't be renewed${why}`;
    throw new RelightError("account.no_claims", message);
  }
  const claims = renewClaims(current, {
    issuer: signer.publicKey,
    id: context.newId(),
    now: context.clock.now(),
    lifetime: context.policyOf(job.account, current.claims).lifetime,
  });
  return { token: await signer.sign(claims), current };
}

/** Marks a `secret.*` error as preventing the renewal, because the only secret read for a signature is the signer's. */
function noteSecret(thrown: unknown): never {
  const { code, message, details } = asRelightError(thrown);
  if (!code.startsWith("secret.")) throw thrown;
  throw new RelightError(code, message, { details: { ...details, ...STOPS_RENEWAL }, cause: thrown });
}
