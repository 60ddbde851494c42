import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { type Claims, newCredentials, nowSeconds, seedOf, signClaims } from "./keys.ts";
import { type NatsServer, startServer } from "./nats-server.ts";
import { waitFor } from "./wait.ts";

/**
 * A whole NATS deployment as people have it: operator mode, a full resolver, a system account, an
 * application account with JetStream, and the files that a user of Relight would have beside it.
 * Nothing here uses the product, so that the product can't fool its own tests.
 */
export interface World extends AsyncDisposable {
  readonly server: NatsServer;
  /** Holds relight.yaml, keys and credentials. */
  readonly home: string;
  readonly operator: KeyPair;
  readonly operatorSigningKey: KeyPair;
  readonly systemAccount: KeyPair;
  readonly account: KeyPair;
  readonly accountSigningKey: KeyPair;
  readonly accountId: string;
  /** The application account's claims, ready to be changed and signed. */
  claims(changes?: { readonly exp?: number; readonly iat?: number; readonly limits?: object }): Claims;
  sign(claims: Claims, key?: KeyPair): string;
  /** Pushes a JWT as `nsc push` does, and waits until the server says that it runs, unless told not to. */
  push(token: string, options?: { readonly wait: boolean }): Promise<void>;
  connectAs(who: "system" | "app"): Promise<NatsConnection>;
}

export interface WorldOptions {
  readonly binary: string;
  /** Demand signing keys of the operator (`strict_signing_key_usage`). */
  readonly strict?: boolean;
  /** Lines for relight.yaml's end, such as an escalation. */
  readonly yaml?: string;
  /** Seconds until the application account expires; never if absent. */
  readonly lives?: number;
}

/** Every limit said: a limit left out means zero, and a system account with zero connections locks out all. */
const UNLIMITED = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
};
const JETSTREAM = {
  mem_storage: 67_108_864,
  disk_storage: -1,
  streams: -1,
  consumer: -1,
  max_ack_pending: -1,
};

export async function createWorld({
  binary,
  strict = false,
  yaml = "",
  lives,
}: WorldOptions): Promise<World> {
  const operator = createOperator();
  const operatorSigningKey = createOperator();
  const systemAccount = createAccount();
  const account = createAccount();
  // One signing key for both accounts: with strict signing keys users must be signed by one, too.
  const accountSigningKey = createAccount();
  const userSigner = strict ? accountSigningKey : account;
  const signer = strict ? operatorSigningKey : operator;
  const operatorJwt = signClaims(
    operatorClaims(operator, operatorSigningKey, systemAccount, strict),
    operator,
  );
  const system = accountClaims("SYS", systemAccount, accountSigningKey, UNLIMITED);

  const config = (folder: string): string => `
server_name: lab
operator: ${operatorJwt}
system_account: ${systemAccount.getPublicKey()}
resolver { type: full, dir: "${folder}/jwt", allow_delete: false, interval: "1m", limit: 1000 }
resolver_preload { ${systemAccount.getPublicKey()}: ${signClaims(system, signer)} }
jetstream { store_dir: "${folder}/jetstream", max_mem: 256M, max_file: 1G }
`;
  const server = await startServer({ binary, config });
  const home = join(server.folder, "relight");
  const systemCredentials = newCredentials(systemAccount, "system", accountSigningKey);
  const appCredentials = newCredentials(account, "app", accountSigningKey);

  const connectAs = (who: "system" | "app"): Promise<NatsConnection> =>
    connect({
      servers: server.url,
      reconnect: false,
      authenticator: credsAuthenticator(Buffer.from(who === "system" ? systemCredentials : appCredentials)),
    });

  const world: World = {
    ...{ server, home, operator, operatorSigningKey, systemAccount, account, accountSigningKey, connectAs },
    accountId: account.getPublicKey(),
    claims: ({ limits = {}, ...times } = {}) => ({
      ...accountClaims("APP", account, accountSigningKey, { ...UNLIMITED, ...JETSTREAM, ...limits }),
      ...times,
    }),
    sign: (claims, key = signer) => signClaims(claims, key),
    push: (token, { wait } = { wait: true }) => push(world, token, wait),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  await writeHome(world, { operatorJwt, signer, userSigner, systemCredentials, appCredentials, yaml });
  await world.push(world.sign(world.claims(lives === undefined ? {} : { exp: nowSeconds() + lives })));
  return world;
}

async function push({ connectAs, accountId }: World, token: string, wait: boolean): Promise<void> {
  const connection = await connectAs("system");
  try {
    await connection.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
    if (wait)
      await waitFor(
        "the JWT to be in the resolver",
        async () => (await lookup(connection, accountId)) === token,
      );
    if (wait) await waitFor("the JWT to run", () => runs(connection, accountId, token));
  } finally {
    await connection.close();
  }
}

async function lookup(connection: NatsConnection, account: string): Promise<string | undefined> {
  const reply = await connection
    .request(`$SYS.REQ.ACCOUNT.${account}.CLAIMS.LOOKUP`, "", { timeout: 500 })
    .catch(() => undefined);
  return reply?.string();
}

/** Whether the server runs the JWT; true also where the account is not loaded at all, which is no failure. */
async function runs(connection: NatsConnection, account: string, token: string): Promise<boolean> {
  const reply = await connection.request(`$SYS.REQ.ACCOUNT.${account}.INFO`, "", { timeout: 2_000 });
  const { data } = reply.json<{ data?: { jwt?: string } | null }>();
  return data?.jwt === undefined || data.jwt === token;
}

function accountClaims(name: string, key: KeyPair, signingKey: KeyPair, limits: object): Claims {
  return {
    ...{ sub: key.getPublicKey(), name },
    nats: {
      limits,
      signing_keys: [signingKey.getPublicKey()],
      default_permissions: { pub: {}, sub: {} },
      authorization: {},
      // No library of ours knows it, and no JavaScript number can hold it; renewal must keep it.
      x_note: "kept as it is: <&> é",
      type: "account",
      version: 2,
    },
  };
}

function operatorClaims(operator: KeyPair, signingKey: KeyPair, system: KeyPair, strict: boolean): Claims {
  return {
    ...{ sub: operator.getPublicKey(), name: "LAB" },
    nats: {
      signing_keys: [signingKey.getPublicKey()],
      system_account: system.getPublicKey(),
      strict_signing_key_usage: strict,
      type: "operator",
      version: 2,
    },
  };
}

interface HomeFiles {
  readonly operatorJwt: string;
  readonly signer: KeyPair;
  readonly userSigner: KeyPair;
  readonly systemCredentials: string;
  readonly appCredentials: string;
  readonly yaml: string;
}

async function writeHome({ home, server, accountId }: World, files: HomeFiles): Promise<void> {
  await mkdir(home, { recursive: true });
  const write = (name: string, text: string): Promise<void> =>
    writeFile(join(home, name), text, { mode: 0o600 });
  await write("operator.jwt", files.operatorJwt);
  await write("operator.nk", seedOf(files.signer));
  await write("sys.creds", files.systemCredentials);
  await write("app.creds", files.appCredentials);
  await write("app.nk", seedOf(files.userSigner));
  await write(
    "relight.yaml",
    `cluster:
  servers: ["${server.url}"]
  systemCredentials: file:sys.creds
operator:
  jwt: file:operator.jwt
  signingKey: file:operator.nk
policy:
  lifetime: 90d
  renewBefore: 30d
accounts:
  - id: ${accountId}
    name: APP
    signingKey: file:app.nk
${files.yaml}`,
  );
}
