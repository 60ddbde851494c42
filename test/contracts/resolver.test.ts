import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { accountClaims, UNLIMITED } from "../../lab/claims.ts";
import { newCredentials, nowSeconds, signClaims } from "../../lab/keys.ts";
import { serverBinary } from "../../lab/server-binaries.ts";
import { waitFor } from "../../lab/wait.ts";
import { createWorld } from "../../lab/world.ts";
import { systemClock } from "../../lib/adapters/local/clock.ts";
import { jwtCodec } from "../../lib/adapters/nats/jwt/jwt-codec.ts";
import type { AccountId } from "../../lib/domain/claims/account.ts";
import { epochMillis } from "../../lib/domain/time/time.ts";
import type { Resolver } from "../../lib/ports/resolver.ts";
import { openWorldApp } from "../support/context.ts";
import { virtualCluster } from "../support/virtual/cluster.ts";

/** What the virtual cluster and a real one do with claims; cluster.test.ts covers everything else. */

interface Subject extends AsyncDisposable {
  readonly resolver: Resolver;
  sign(account: KeyPair, changes: object): string;
  /** Makes every server load the account, by connecting a client. */
  load(account: KeyPair): Promise<void>;
  /** Advances virtual time by ten seconds; on a real server they pass by themselves. */
  passTime(): void;
}

async function virtual(): Promise<Subject> {
  const key = createOperator();
  const operator = { id: key.getPublicKey(), name: "X", signingKeys: [], strictSigningKeyUsage: false };
  let ahead = 0;
  const clock = { ...systemClock, now: () => epochMillis(Date.now() + ahead) };
  const { resolver } = virtualCluster({ clock, operator, servers: [{ name: "s1" }] }).open();
  return {
    resolver,
    sign: (account, changes) => signClaims({ ...accountClaims("X", account, account, UNLIMITED), ...changes }, key),
    load: async () => undefined,
    passTime: () => {
      ahead += 10_000;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function real(): Promise<Subject> {
  const world = await createWorld({ binary: (await serverBinary("2.15.2")).path });
  const app = await openWorldApp(world);
  const { resolver } = await app.context();
  const clients: NatsConnection[] = [];
  return {
    resolver,
    sign: (account, changes) => world.sign({ ...accountClaims("X", account, account, UNLIMITED), ...changes } as never),
    load: async (account) => {
      const authenticator = credsAuthenticator(Buffer.from(newCredentials(account, "x")));
      clients.push(await connect({ servers: world.server.url, reconnect: false, authenticator }));
    },
    passTime: () => undefined,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client.close();
      await app[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

describe.each([
  ["virtual", virtual],
  ["real", real],
])("the %s cluster", (_kind, open) => {
  let subject: Subject;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(async () => await subject[Symbol.asyncDispose]());

  const idOf = (account: KeyPair): AccountId => account.getPublicKey() as AccountId;
  const listed = async (account: KeyPair): Promise<boolean> => {
    for await (const entry of subject.resolver.list())
      if (entry.ok && entry.jwt.document.claims.sub === idOf(account)) return true;
    return false;
  };

  test("knows nothing of an account that was never pushed", async () => {
    const account = createAccount();
    expect(await subject.resolver.lookup(idOf(account))).toBeUndefined();
    expect((await subject.resolver.running(idOf(account))).map(({ loaded }) => loaded)).toEqual([false]);
    expect(await listed(account)).toBe(false);
  });

  test("accepts, runs and lists what is pushed, byte for byte, and replaces it with the next push", async () => {
    const account = createAccount();
    const first = subject.sign(account, { exp: nowSeconds() + 600 });
    expect((await subject.resolver.push(first)).map(({ accepted }) => accepted)).toEqual([true]);
    await subject.load(account);
    expect((await subject.resolver.lookup(idOf(account)))?.token).toBe(first);
    expect(await listed(account)).toBe(true);
    const second = subject.sign(account, { exp: nowSeconds() + 900 });
    await subject.resolver.push(second);
    await waitFor("the second to run", async () => {
      const [server] = await subject.resolver.running(idOf(account));
      return server?.loaded === true && server.document.text === jwtCodec.decode(second).document.text;
    });
    const [server] = await subject.resolver.running(idOf(account));
    expect(server).toMatchObject({ loaded: true, expired: false, signatureValid: true });
    expect((await subject.resolver.lookup(idOf(account)))?.token).toBe(second);
  });

  test("reports an expired account, deletes its JWT within about a minute, and accepts it again", async () => {
    const account = createAccount();
    await subject.resolver.push(subject.sign(account, { exp: nowSeconds() + 8 }));
    await subject.load(account);
    await waitFor("the account to expire", async () => {
      const [server] = await subject.resolver.running(idOf(account));
      return server?.loaded === true && server.expired;
    });
    const gone = async () => {
      subject.passTime();
      return (await subject.resolver.lookup(idOf(account))) === undefined;
    };
    await waitFor("the resolver to forget it", gone, { timeout: 150_000, interval: 500 });
    expect(await listed(account)).toBe(false);
    await subject.resolver.push(subject.sign(account, { exp: nowSeconds() + 600 }));
    await waitFor("it to run again", async () => {
      const [server] = await subject.resolver.running(idOf(account));
      return server?.loaded === true && !server.expired;
    });
    expect(await listed(account)).toBe(true);
  });

  test("accepts an expired JWT, which is why there is a gate", async () => {
    const account = createAccount();
    const [reply] = await subject.resolver.push(subject.sign(account, { exp: nowSeconds() - 10 }));
    expect(reply).toMatchObject({ accepted: true });
  });
});
