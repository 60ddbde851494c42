import { type KeyObject, sign } from "node:crypto";
import { createUser } from "@nats-io/nkeys";
import { connect } from "@nats-io/transport-node";
import pMap from "p-map";
import { accountClaims, JETSTREAM, UNLIMITED } from "../claims.ts";
import { named, nodeKey, signFast, unusedAccountId } from "../fast-keys.ts";
import { nowSeconds } from "../keys.ts";
import type { World } from "../world.ts";
import type { Bench } from "./frame.ts";

/** Thousands of accounts of a world, with JetStream and without streams. */
export interface Accounts {
  readonly ids: readonly string[];
  /** A JWT for each account, newer than those before, that expires after this many seconds. */
  tokens(lives: number): readonly Token[];
  /** Signs in to each server as a user of each account, so that the servers run all of them. */
  load(bench: Bench): Promise<void>;
}

export interface Token {
  readonly account: string;
  readonly token: string;
}

/** How many sign-ins at once. */
const AT_ONCE = 16;
/** Without a limit in memory: a thousand accounts would reserve more than the servers have. */
const LIMITS = { ...UNLIMITED, ...JETSTREAM, mem_storage: -1 };

export function accountsOf(world: World, count: number): Accounts {
  const { operator, accountSigningKey, servers } = world;
  const key = nodeKey(operator);
  const issuer = operator.getPublicKey();
  const signingKey = named(accountSigningKey.getPublicKey());
  const ids = Array.from({ length: count }, unusedAccountId);
  return {
    ids,
    tokens: (lives) => {
      const now = nowSeconds();
      return ids.map((account, index) => {
        const head = { jti: crypto.randomUUID(), iat: now, iss: issuer, exp: now + lives };
        const claims = accountClaims(`BENCH-${index}`, named(account), signingKey, LIMITS);
        return { account, token: signFast(JSON.stringify({ ...head, ...claims }), key) };
      });
    },
    load: async ({ signal, say }) => {
      const userOf = userMaker(nodeKey(accountSigningKey), signingKey.getPublicKey());
      for (const { url } of servers) {
        await pMap(ids, (account) => signIn(url, userOf(account)), { concurrency: AT_ONCE, signal });
        say(`${ids.length} accounts are loaded on ${url}`);
      }
    },
  };
}

interface User {
  readonly jwt: string;
  readonly key: KeyObject;
}

/** Users of any account. All have one key, because creating keys takes milliseconds each. */
function userMaker(accountKey: KeyObject, issuer: string): (account: string) => User {
  const user = createUser();
  const [sub, key] = [user.getPublicKey(), nodeKey(user)];
  const limits = { subs: -1, data: -1, payload: -1, pub: {}, sub: {}, type: "user", version: 2 };
  return (account) => {
    const nats = { ...limits, issuer_account: account };
    const head = { jti: crypto.randomUUID(), iat: nowSeconds(), iss: issuer, sub, name: "bench" };
    return { jwt: signFast(JSON.stringify({ ...head, nats }), accountKey), key };
  };
}

async function signIn(url: string, { jwt, key }: User): Promise<void> {
  const authenticator = (nonce = "") => ({ jwt, sig: sign(null, Buffer.from(nonce), key).toString("base64url") });
  const connection = await connect({ servers: url, reconnect: false, authenticator });
  await connection.close();
}
