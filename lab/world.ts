import { join } from "node:path";
import { createAccount, createOperator, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { accountClaims, JETSTREAM, operatorClaims, UNLIMITED } from "./claims.ts";
import { writeHome } from "./home.ts";
import { type Claims, newCredentials, nowSeconds, seedOf, signClaims } from "./keys.ts";
import { isMetaCurrent } from "./meta.ts";
import { freePorts, type NatsServer, startServer } from "./nats-server.ts";
import { push, pushOne } from "./pushes.ts";
import { type ResolverKind, resolverConfig, serveJwts } from "./resolvers.ts";
import { waitFor } from "./wait.ts";

/**
 * A complete NATS deployment: operator mode, a full resolver, a system account, an application account with JetStream, and
 * the files of a Relight user. Uses none of Relight's own code, because that could hide its own mistakes from the tests.
 */
export interface World extends AsyncDisposable {
  /** The servers; the first is `server`. */
  readonly servers: readonly NatsServer[];
  readonly server: NatsServer;
  /** The folder with relight.yaml, keys and credentials. */
  readonly home: string;
  readonly operator: KeyPair;
  readonly operatorSigningKey: KeyPair;
  readonly systemAccount: KeyPair;
  readonly account: KeyPair;
  readonly accountSigningKey: KeyPair;
  readonly accountId: string;
  /** The application account's claims, to change and sign. */
  claims(changes?: { readonly exp?: number; readonly iat?: number; readonly limits?: object }): Claims;
  sign(claims: Claims, key?: KeyPair): string;
  /** Pushes a JWT like `nsc push`, and waits until the resolver has it and the servers run it. */
  push(token: string): Promise<void>;
  connectAs(who: "system" | "app"): Promise<NatsConnection>;
}

export interface WorldOptions {
  /** The server's program; or that of each server, as in an upgrade one by one. */
  readonly binary: string | ((index: number) => string);
  /** The number of servers; more than one form a cluster. */
  readonly size?: number;
  /** Whether the operator requires signing keys (`strict_signing_key_usage`). */
  readonly strict?: boolean;
  /** Further public signing keys of the operator. */
  readonly signingKeys?: readonly string[];
  /** Additional lines of relight.yaml, such as an escalation. */
  readonly yaml?: string;
  /** Seconds until the application account expires; never if absent. */
  readonly lives?: number;
  /** The JetStream domain, if any. */
  readonly domain?: string;
  /** Additional lines of the `jetstream` block, such as limits. */
  readonly jetstream?: string;
  /** The maximum number of accounts in the resolver. */
  readonly limit?: number;
  /** The kind of resolver of each server; `full` by default. Others than `full` know the application account from the start. */
  readonly resolver?: ResolverKind | ((index: number) => ResolverKind);
  /** Which servers delete accounts (`allow_delete`); all by default. */
  readonly deletes?: (index: number) => boolean;
  /** Additional configuration of each server, such as a leafnode listener. */
  readonly config?: (index: number) => string;
  /** TLS options for clients, if `config` has TLS. */
  readonly tls?: NodeConnectionOptions["tls"];
}

/** How often to retry creating a world, or a sign-in that took too long. */
const MORE_ATTEMPTS = 2;
/** Milliseconds: servers usually form a meta group within two seconds, rarely in more than eight. */
const JOINED_WITHIN = 12_000;
/** The time for the last attempt, long enough for a busy machine. */
const JOINED_AT_LAST = 40_000;

/**
 * Starts the servers and creates the accounts. Retries failures with other ports: on a busy machine a port may be taken
 * meanwhile, and servers that start at the same time may form a meta group that never includes the last one (seen on
 * 2.10.27; then "no suitable peers for placement" remains forever).
 */
export async function createWorld(options: WorldOptions): Promise<World> {
  for (let left = MORE_ATTEMPTS; left > 0; left--) {
    const world = await tryWorld(options, JOINED_WITHIN).catch(() => undefined);
    if (world !== undefined) return world;
  }
  return tryWorld(options, JOINED_AT_LAST);
}

async function tryWorld(options: WorldOptions, joinedWithin: number): Promise<World> {
  const {
    binary,
    size = 1,
    strict = false,
    yaml = "",
    lives,
    domain,
    signingKeys,
    jetstream = "",
    limit = 1_000,
    resolver = "full",
    deletes = () => true,
    config = () => "",
  } = options;
  const kindOf = typeof resolver === "string" ? () => resolver : resolver;
  const kinds = Array.from({ length: size }, (_, index) => kindOf(index));
  const inDomain = domain === undefined ? "" : `, domain: ${domain}`;
  const operator = createOperator();
  const operatorSigningKey = createOperator();
  const systemAccount = createAccount();
  const account = createAccount();
  // One signing key for both accounts: with strict signing keys, users must be signed by one too.
  const accountSigningKey = createAccount();
  const keys = { operator, operatorSigningKey, systemAccount, account, accountSigningKey };
  const signer = strict ? operatorSigningKey : operator;
  const operatorJwt = signClaims(operatorClaims(keys, strict, signingKeys), operator);
  // Signed once, because with a different JWT on each server the claims in force would differ.
  const system = signClaims(accountClaims("SYS", systemAccount, accountSigningKey, UNLIMITED), signer);

  const systemId = systemAccount.getPublicKey();
  const isFull = kinds.every((kind) => kind === "full");
  const first = lives === undefined ? {} : { exp: nowSeconds() + lives };
  const appClaims = accountClaims("APP", account, accountSigningKey, { ...UNLIMITED, ...JETSTREAM });
  const preload = { [systemId]: system, [account.getPublicKey()]: signClaims({ ...appClaims, ...first }, signer) };
  const store = kinds.includes("url") ? await serveJwts(preload) : undefined;
  // The default of two seconds for the sign-in may be too short on a busy machine.
  const security = (folder: string, index: number): string => `
operator: ${operatorJwt}
system_account: ${systemId}
${resolverConfig({
  ...{ kind: kinds[index] ?? "full", folder, limit, deletes: deletes(index), preload },
  ...{ systemAccount: systemId, url: store?.url ?? "" },
})}
authorization { timeout: 30 }
jetstream { store_dir: "${folder}/jetstream", max_mem: 256M, max_file: 1G${inDomain} ${jetstream} }
`;
  const servers = await startServers(binary, size, security, config);
  const [server] = servers;
  if (server === undefined) throw new Error("a world has at least one server");
  const credentials = {
    system: newCredentials(systemAccount, "system", accountSigningKey),
    app: newCredentials(account, "app", accountSigningKey),
  };
  const world: World = {
    ...keys,
    servers,
    server,
    home: join(server.folder, "relight"),
    accountId: account.getPublicKey(),
    claims: ({ limits = {}, ...times } = {}) => ({
      ...accountClaims("APP", account, accountSigningKey, { ...UNLIMITED, ...JETSTREAM, ...limits }),
      ...times,
    }),
    sign: (claims, key = signer) => signClaims(claims, key),
    push: async (token) => {
      store?.hold(world.accountId, token);
      await (isFull ? push(world, token) : pushOne(world, token));
    },
    connectAs: (who) => signIn(server, credentials[who], options.tls),
    [Symbol.asyncDispose]: async () => {
      await disposeAll(servers);
      await store?.[Symbol.asyncDispose]();
    },
  };
  try {
    await writeHome(world.home, {
      operatorJwt,
      operatorSeed: seedOf(signer),
      accountId: world.accountId,
      yaml,
      accountSeed: seedOf(strict ? accountSigningKey : account),
      systemCredentials: credentials.system,
      appCredentials: credentials.app,
      urls: servers.map(({ url }) => url),
    });
    await allJoined(world, joinedWithin);
    if (isFull) await world.push(world.sign(world.claims(first)));
    else if (kinds.includes("full")) await world.push(preload[world.accountId] ?? "");
    return world;
  } catch (error) {
    await world[Symbol.asyncDispose]();
    throw error;
  }
}

/** Client errors if a sign-in takes too long on a busy machine. */
const TOO_LATE = /authentication timeout|\bEPIPE\b|\bECONNRESET\b/i;

async function signIn(
  server: NatsServer,
  credentials: string,
  tls: WorldOptions["tls"],
  left = MORE_ATTEMPTS,
): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(Buffer.from(credentials));
  try {
    const secured = tls === undefined ? {} : { tls };
    return await connect({ servers: server.url, reconnect: false, authenticator, ...secured });
  } catch (error) {
    if (left === 0 || !TOO_LATE.test(String(error))) throw error;
    return signIn(server, credentials, tls, left - 1);
  }
}

/** Creates another account of the same kind, and returns the deployment with that account. */
export async function anotherAccount(world: World, name: string): Promise<World> {
  const { accountSigningKey, operator, server } = world;
  const account = createAccount();
  const credentials = newCredentials(account, "app", accountSigningKey);
  const other: World = {
    ...world,
    account,
    accountId: account.getPublicKey(),
    claims: ({ limits = {}, ...times } = {}) => ({
      ...accountClaims(name, account, accountSigningKey, { ...UNLIMITED, ...JETSTREAM, ...limits }),
      ...times,
    }),
    sign: (claims, key = operator) => signClaims(claims, key),
    push: (token) => push(other, token),
    connectAs: (who) => (who === "system" ? world.connectAs(who) : signIn(server, credentials, undefined)),
  };
  await other.push(other.sign(other.claims()));
  return other;
}

async function startServers(
  binary: WorldOptions["binary"],
  size: number,
  security: (folder: string, index: number) => string,
  more: (index: number) => string,
): Promise<readonly NatsServer[]> {
  const ports = await freePorts(2 * size);
  const routes = ports.slice(size);
  const urls = routes.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const cluster = (port: number): string =>
    size === 1 ? "" : `cluster { name: lab, listen: "127.0.0.1:${port}", routes: [${urls}] }`;
  const name = (index: number): string => (size === 1 ? "lab" : `lab-${index + 1}`);
  const binaryOf = typeof binary === "string" ? () => binary : binary;
  const starts = await Promise.allSettled(
    routes.map((port, index) =>
      startServer({
        binary: binaryOf(index),
        port: ports[index],
        config: (folder) => `server_name: ${name(index)}\n${security(folder, index)}\n${cluster(port)}\n${more(index)}`,
      }),
    ),
  );
  const servers = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failed = starts.find((start) => start.status === "rejected");
  if (failed === undefined) return servers;
  await disposeAll(servers);
  throw failed.reason;
}

/** Waits until every server knows all others, and the meta group is complete. */
async function allJoined({ connectAs, servers }: World, timeout: number): Promise<void> {
  const connection = await connectAs("system");
  try {
    const found = async (): Promise<boolean> => {
      const reply = await connection.request("$SYS.REQ.SERVER.PING.STATSZ", "", { timeout: 2_000 });
      return reply.json<{ statsz: { active_servers: number } }>().statsz.active_servers === servers.length;
    };
    await waitFor("the servers to find each other", found, { timeout });
    if (servers.length === 1) return;
    await waitFor("the meta group to be whole", () => isMetaCurrent(connection, servers.length), { timeout });
  } finally {
    await connection.close();
  }
}

async function disposeAll(servers: readonly NatsServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
}
