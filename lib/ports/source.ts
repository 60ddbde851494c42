import type { AccountId } from "../domain/claims/account.ts";
import type { SourceAccount } from "../domain/claims/claims-source.ts";
import type { DecodedJwt } from "./keys.ts";

/** One entry of a source of truth: an account's JWT, or why it is invalid. */
export type SourceEntry =
  | { readonly ok: true; readonly place: string; readonly jwt: DecodedJwt }
  | {
      readonly ok: false;
      readonly place: string;
      readonly problem: string;
      /** The account that the entry seems to belong to; absent if that is unknown. */
      readonly account?: AccountId;
    };

/** The source of truth: where the accounts' JWTs are kept outside the cluster. */
export interface ClaimsSource {
  /** The configured reference. */
  readonly name: string;
  /**
   * Every entry; a bad one does not hide the others. The caller checks trust, expiry and operator.
   * @throws RelightError `source.unavailable` if the source itself can't be read.
   */
  accounts(): AsyncIterable<SourceEntry>;
  /** One account in the source. The source is read once per run for all accounts. @throws as {@link accounts} */
  lookup(account: AccountId): Promise<SourceAccount>;
}
