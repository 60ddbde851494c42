import type { AccountId } from "../domain/claims/account.ts";
import type { MemoryAsset } from "../domain/ladder/memory.ts";
import type { Group } from "../domain/ladder/step-down.ts";
import type { JsonObject } from "../domain/time/json.ts";

/** The ports through which remedies act on streams, consumers and servers. */

/** What only the account itself may do to its streams and consumers. */
export interface Assets {
  /**
   * Makes streams and consumers anew, exactly as they were configured, each whatever became of the one before; what
   * exists is left alone.
   * @param accountKey seed of an account key or account signing key, to mint a user for minutes with.
   * @throws RelightError `assets.not_created` naming all that failed.
   */
  recreate(account: AccountId, accountKey: string, assets: readonly MemoryAsset[]): Promise<void>;
  /**
   * Asks the leader of each group to step down; returns when all have agreed, not when others lead. A group
   * that is electing one does not answer, which is no failure: look, and ask again.
   * @throws RelightError `assets.not_stepped_down` naming the first that did not.
   */
  stepDown(account: AccountId, accountKey: string, groups: readonly Group[]): Promise<void>;
  /**
   * Gives streams and consumers that exist these configurations. A server may do it and not answer, so
   * silence is no failure: look whether it came about.
   * @returns those that a server refused to change, with its reason.
   */
  configure(
    account: AccountId,
    accountKey: string,
    configurations: readonly Configuration[],
  ): Promise<readonly RefusedConfiguration[]>;
  /**
   * Asks with the very user that a remedy would use whether it may ask all that it will need. Changes nothing.
   * @returns the API subjects that it may not use.
   * @throws RelightError `signer.*`, `secret.*`, `nats.*` if there can be no such user, or it can't connect.
   */
  forbidden(account: AccountId, accountKey: string, needs: RemedyNeeds): Promise<readonly string[]>;
}

/** What a remedy will ask of {@link Assets}. */
export interface RemedyNeeds {
  readonly recreate?: readonly MemoryAsset[];
  readonly configure?: readonly Configuration[];
  readonly stepDown?: readonly Group[];
}

/** What a stream, or a consumer of it, is to be. */
export interface Configuration extends Group {
  readonly config: JsonObject;
  /** Whether a consumer is made if there is none; otherwise one that has gone stays so. */
  readonly create?: true;
}

export interface RefusedConfiguration extends Group {
  readonly reason: string;
  /** There is no such stream or consumer (any more). */
  readonly gone: boolean;
}

/** Restarts nats-servers; how depends on where they run. Whether one *may* be restarted is not its business. */
export interface Restarter {
  /**
   * Restarts one server and returns once that was carried out; whether it is back and healthy is proved by
   * whoever asked.
   * @throws RelightError `restart.failed` with what the platform said.
   */
  restart(server: { readonly id: string; readonly name: string }): Promise<void>;
}
