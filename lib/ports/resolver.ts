import type { AccountId } from "../domain/claims/account.ts";
import type { RunningAccount } from "../domain/observation/observation.ts";
import type { DecodedJwt } from "./keys.ts";

/** One server's answer to a push. A 200 does not prove that it runs the JWT; see {@link Resolver.running}. */
export interface PushReply {
  readonly server: string;
  readonly accepted: boolean;
  readonly message: string;
}

/** One entry of the resolver: a JWT, or why it is invalid. */
export type ListedJwt =
  | { readonly ok: true; readonly jwt: DecodedJwt }
  | { readonly ok: false; readonly account: string; readonly problem: string };

/** The accounts' JWTs in the resolver and on the servers. */
export interface Resolver {
  /**
   * Every entry of the resolver, decoded one by one after all have arrived. @throws RelightError `nats.timeout` if the list
   * is incomplete, `nats.connection_lost`, `nats.no_resolver`.
   */
  list(): AsyncIterable<ListedJwt>;
  /** The JWT in the resolver; undefined if it has none (a full resolver deletes expired ones). */
  lookup(account: AccountId): Promise<DecodedJwt | undefined>;
  /** The account on each server that has it loaded. */
  running(account: AccountId): Promise<readonly RunningAccount[]>;
  /**
   * Sends the JWT to every server and waits for all answers.
   * @throws RelightError `push.rejected`, `nats.no_resolver`, `nats.timeout`, `nats.connection_lost`.
   */
  push(token: string): Promise<readonly PushReply[]>;
}
