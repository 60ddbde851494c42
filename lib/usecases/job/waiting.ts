import type { AccountId } from "../../domain/claims/account.ts";
import { fnv1a } from "../../domain/time/hash.ts";
import type { Leases } from "../../ports/leases.ts";

/** What an issuer's notice asks for: a check of the account, or the push of one JWT. */
export interface Wish {
  readonly account: AccountId;
  readonly token?: string | undefined;
}

/**
 * The lease that marks a queued job of the issuer until it begins. Meanwhile the same wish needs no further job, because
 * the queued one will see whatever the notice was about.
 */
export const waitingKey = ({ account, token }: Wish): string =>
  token === undefined ? `waiting/${account}` : `waiting/${account}/${fingerprint(token)}`;

/** The job begins: a notice from now on needs another one. `holder` is the job's id. */
export const noLongerWaits = (leases: Leases, wish: Wish, holder: string): Promise<void> =>
  leases.release(waitingKey(wish), holder);

/** Of one issuer's JWTs for one account; a collision by chance is out of the question. */
function fingerprint(token: string): string {
  const half = token.length >> 1;
  return [token.length, fnv1a(token.slice(0, half)), fnv1a(token.slice(half))].join("-");
}
