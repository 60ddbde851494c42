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
  | {
      readonly ok: false;
      /** The name of its file, which should be the account's id; of a `server` its name. */
      readonly account: string;
      readonly problem: string;
      /**
       * `fragment`: no server can load it. `server`: no entry, but a server that did not list its accounts, so some may be
       * missing. Absent: servers may read what Relight can't.
       */
      readonly of?: "fragment" | "server";
    };

/** The accounts' JWTs in the resolver and on the servers. */
export interface Resolver {
  /**
   * Every entry of every server's resolver, each account once, decoded as they arrive. @throws RelightError `nats.timeout`
   * if the list is incomplete, `nats.connection_lost`, `nats.no_resolver`.
   */
  list(): AsyncIterable<ListedJwt>;
  /**
   * The newest JWT in any server's resolver; undefined if none has one that a server can load (a full resolver deletes
   * expired ones).
   */
  lookup(account: AccountId): Promise<DecodedJwt | undefined>;
  /** The account on each server that has it loaded. */
  running(account: AccountId): Promise<readonly RunningAccount[]>;
  /**
   * Sends the JWT to every server and waits for all answers.
   * @throws RelightError `push.rejected`, `nats.no_resolver`, `nats.timeout`, `nats.connection_lost`.
   */
  push(token: string): Promise<readonly PushReply[]>;
}
