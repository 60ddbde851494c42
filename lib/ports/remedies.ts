import type { AccountId } from "../domain/claims/account.ts";
import type { MemoryAsset } from "../domain/ladder/memory.ts";
import type { Group } from "../domain/ladder/step-down.ts";
import type { JsonObject } from "../domain/time/json.ts";

/** The ports through which remedies change streams, consumers and servers. */

/** Operations on streams and consumers that only the account itself may do. */
export interface Assets {
  /**
   * Recreates streams and consumers exactly as configured, and keeps those that exist. Continues after a failure.
   * @param accountKey seed of an account key or account signing key, to create a short-lived user.
   * @throws RelightError `assets.not_created` naming all that failed.
   */
  recreate(account: AccountId, accountKey: string, assets: readonly MemoryAsset[]): Promise<void>;
  /**
   * Asks the leader of each group to step down. Returns when all have agreed, not when others lead. A group in an election
   * does not answer, which is no failure: check, and ask again.
   * @throws RelightError `assets.not_stepped_down` naming the first that refused.
   */
  stepDown(account: AccountId, accountKey: string, groups: readonly Group[]): Promise<void>;
  /**
   * Updates the configurations of existing streams and consumers. A server may apply a change without answering, so a
   * missing answer is no failure: check the result.
   * @returns those that a server refused to change, with its reason.
   */
  configure(
    account: AccountId,
    accountKey: string,
    configurations: readonly Configuration[],
  ): Promise<readonly RefusedConfiguration[]>;
  /**
   * Tests whether the user that a remedy would use has all permissions it will need. Changes nothing.
   * @returns the API subjects that it may not use.
   * @throws RelightError `signer.*`, `secret.*`, `nats.*` if the user can't be created or can't connect.
   */
  forbidden(account: AccountId, accountKey: string, needs: RemedyNeeds): Promise<readonly string[]>;
}

/** What a remedy will need from {@link Assets}. */
export interface RemedyNeeds {
  readonly recreate?: readonly MemoryAsset[];
  readonly configure?: readonly Configuration[];
  readonly stepDown?: readonly Group[];
}

/** The configuration that a stream or consumer should have. */
export interface Configuration extends Group {
  readonly config: JsonObject;
  /** Whether to create a missing consumer. */
  readonly create?: true;
}

export interface RefusedConfiguration extends Group {
  readonly reason: string;
  /** The stream or consumer does not exist (any more). */
  readonly gone: boolean;
}

/** Restarts nats-servers. Does not decide whether a server may be restarted. */
export interface Restarter {
  /**
   * Restarts one server and returns once that was carried out. The caller checks whether it is back and healthy.
   * @throws RelightError `restart.failed` with the platform's reason.
   */
  restart(server: { readonly id: string; readonly name: string }): Promise<void>;
}
