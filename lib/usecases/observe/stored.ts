import type { AccountId } from "../../domain/claims/account.ts";
import { asRelightError } from "../../errors.ts";
import type { DecodedJwt } from "../../ports/keys.ts";
import type { ListedJwt, Resolver } from "../../ports/resolver.ts";

/** For what needs the resolver's JWTs if there are any, and does without where no server has a full resolver. */

/** The account's JWT in a full resolver; `kept: false` if there is none. @throws RelightError `nats.*` */
export async function storedIn(
  resolver: Pick<Resolver, "lookup">,
  account: AccountId,
): Promise<{ readonly kept: true; readonly jwt: DecodedJwt | undefined } | { readonly kept: false }> {
  try {
    return { kept: true, jwt: await resolver.lookup(account) };
  } catch (thrown) {
    if (asRelightError(thrown).code !== "nats.no_resolver") throw thrown;
    return { kept: false };
  }
}

/** The list of a full resolver; empty if there is none. @throws RelightError `nats.*` while it is read */
export async function* listedIn(resolver: Pick<Resolver, "list">): AsyncIterable<ListedJwt> {
  try {
    yield* resolver.list();
  } catch (thrown) {
    if (asRelightError(thrown).code !== "nats.no_resolver") throw thrown;
  }
}
