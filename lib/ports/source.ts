import type { AccountId } from "../domain/claims/account.ts";
import type { Sourced } from "../domain/claims/claims-source.ts";
import type { DecodedJwt } from "./keys.ts";

/** One entry of a source of truth: an account's JWT, or what is wrong with what lies there instead. */
export type SourceEntry =
  | { readonly ok: true; readonly place: string; readonly jwt: DecodedJwt }
  | {
      readonly ok: false;
      readonly place: string;
      readonly problem: string;
      /** The account that it seems to be of; absent where it could be of any. */
      readonly account?: AccountId;
    };

/** Where the accounts' JWTs are kept outside of the cluster: the source of truth. */
export interface ClaimsSource {
  /** The reference it was configured by. */
  readonly name: string;
  /**
   * Every entry; a bad one hides no others. What is trusted, expired or another operator's is for the caller.
   * @throws RelightError `source.unavailable` if the source itself can't be read.
   */
  accounts(): AsyncIterable<SourceEntry>;
  /** What it says of one account; everything is read once per run for all of these. @throws as {@link accounts} */
  lookup(account: AccountId): Promise<Sourced>;
}
