import type { NatsConnection } from "@nats-io/transport-node";
import type { AccountId } from "../../../domain/claims/account.ts";
import type { AccountClaims } from "../../../domain/claims/claims.ts";
import type { Millis } from "../../../domain/time/time.ts";
import type { Clock } from "../../../ports/clock.ts";
import { openConnection } from "../connection/connection.ts";
import type { Servers } from "../connection/tls.ts";
import { mintUser } from "./account-user.ts";
import { inShares } from "./shares.ts";

export interface AccountConnectionSettings {
  readonly servers: Servers;
  readonly timeout: Millis;
  readonly clock: Clock;
  /** Whether the operator requires signing keys (`strict_signing_key_usage`). */
  readonly strict: boolean;
}

export interface AccountConnectionOrder {
  readonly account: AccountId;
  /** The claims in force, to check the key against; undefined if unknown. */
  readonly claims: AccountClaims | undefined;
  /** Seed of an account key or account signing key. */
  readonly accountKey: string;
  readonly mayAsk: readonly string[];
}

/** Connects as a new user of the account, does the work, and closes the connection. */
export async function withAccountConnection<T>(
  { servers, timeout, clock, strict }: AccountConnectionSettings,
  { account, claims, accountKey, mayAsk }: AccountConnectionOrder,
  work: (connection: NatsConnection) => Promise<T>,
): Promise<T> {
  const { credentials, inbox } = await mintUser(account, claims, accountKey, {
    now: clock.now(),
    strict,
    mayAsk,
  });
  const name = "relight (as the account)";
  const connection = await openConnection({ servers, credentials, inbox, timeout, name });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

export interface SharedWork<Item> extends Omit<AccountConnectionOrder, "mayAsk"> {
  readonly items: readonly Item[];
  /** All subjects that the work on one item needs. */
  readonly subjectsOf: (item: Item) => readonly string[];
}

/**
 * The same for any number of items, with several users one after another, each with permissions for its share of the
 * items. Returns the shares' results in the items' order.
 */
export async function withAccountConnections<Item, T>(
  settings: AccountConnectionSettings,
  { items, subjectsOf, ...order }: SharedWork<Item>,
  work: (connection: NatsConnection, share: readonly Item[]) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const done: T[] = [];
  for (const share of inShares(items, subjectsOf)) {
    const mayAsk = share.flatMap(subjectsOf);
    done.push(
      ...(await withAccountConnection(settings, { ...order, mayAsk }, (connection) => work(connection, share))),
    );
  }
  return done;
}
