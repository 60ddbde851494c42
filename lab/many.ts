import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { accountClaims, UNLIMITED } from "./claims.ts";
import { named, nodeKey, signFast, unusedAccountId } from "./fast-keys.ts";
import { nowSeconds } from "./keys.ts";
import type { World } from "./world.ts";

/**
 * Writes `count` unused accounts into the resolver's folder and restarts the server, which loads them. Pushing thousands
 * would take minutes, and so would creating real keys, so they have none. Returns their ids.
 */
export async function layAccounts({ server, operator, accountSigningKey }: World, count: number) {
  const key = nodeKey(operator);
  const ids = Array.from({ length: count }, unusedAccountId);
  // Computed once: deriving it from the seed for each account takes ten times as long as everything else.
  const issuer = operator.getPublicKey();
  const signingKey = named(accountSigningKey.getPublicKey());
  await server.stop();
  for (const [index, id] of ids.entries()) {
    const claims = accountClaims(`MANY-${index}`, named(id), signingKey, UNLIMITED);
    const head = { jti: crypto.randomUUID(), iat: nowSeconds(), iss: issuer };
    await writeFile(join(server.folder, "jwt", `${id}.jwt`), signFast(JSON.stringify({ ...head, ...claims }), key));
  }
  await server.start();
  return ids;
}
