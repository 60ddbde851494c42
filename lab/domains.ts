import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAccount, type KeyPair } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import { accountClaims, JETSTREAM, UNLIMITED } from "./claims.ts";
import { newCredentials } from "./keys.ts";
import { freePorts, type NatsServer, startServer } from "./nats-server.ts";
import { retry, waitFor } from "./wait.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

/** One operator with two JetStream domains: a hub (`hub`), and a leafnode `edge-1` (`edge`). */
export interface Domains extends AsyncDisposable {
  readonly hub: World;
  readonly leaf: NatsServer;
  /** An unrelated account of the hub. */
  readonly other: KeyPair;
  connectTo(side: "hub" | "edge"): Promise<NatsConnection>;
  /** The hub's accounts, without `SYS`, to which leafnode connections are bound now. */
  bound(): Promise<readonly string[]>;
}

const LEAF = "edge-1";

export interface DomainsOptions extends Pick<WorldOptions, "size" | "yaml"> {
  readonly binary: string;
  /** Whether the leafnode also joins the system account: then its server answers in addition to the hub's. */
  readonly system?: "shared" | "own";
  /** The account of the leafnode's credentials. */
  readonly as?: "app" | "other";
}

export async function createDomains(options: DomainsOptions): Promise<Domains> {
  const { size = 1, system = "own", as = "app", ...world } = options;
  const ports = await freePorts(size);
  await using started = new AsyncDisposableStack();
  const config = (index: number): string => `leafnodes { listen: "127.0.0.1:${ports[index]}" }`;
  const hub = started.use(await createWorld({ ...world, size, domain: "hub", config }));
  const other = createAccount();
  const otherClaims = accountClaims("OTHER", other, hub.accountSigningKey, { ...UNLIMITED, ...JETSTREAM });
  await push(hub, hub.sign(otherClaims));
  const credentials = await credentialsFor(hub, as === "app" ? hub.account : other);
  const urls = ports.map((port) => `"nats-leaf://127.0.0.1:${port}"`).join(", ");
  const remote = (account: string, file: string): string =>
    `{ urls: [${urls}], account: ${account}, credentials: "${file}" }`;
  const remotes = [
    remote(hub.accountId, credentials),
    ...(system === "shared" ? [remote(hub.systemAccount.getPublicKey(), join(hub.home, "sys.creds"))] : []),
  ];
  const preload = await preloads(hub);
  const resolver = (folder: string): string =>
    system === "shared"
      ? `{ type: full, dir: "${folder}/jwt", allow_delete: false, interval: "1m", limit: 1000 }`
      : "MEMORY";
  const leaf = started.use(
    await startServer({
      binary: world.binary,
      config: (folder) => `server_name: ${LEAF}
${preload}
resolver: ${resolver(folder)}
jetstream { store_dir: "${folder}/jetstream", max_mem: 256M, max_file: 1G, domain: edge }
leafnodes { reconnect: 1, remotes: [ ${remotes.join(", ")} ] }
`,
    }),
  );
  const all = started.move();
  const domains: Domains = {
    hub,
    leaf,
    other,
    connectTo: async (side) => (side === "hub" ? hub.connectAs("app") : connectApp(leaf, join(hub.home, "app.creds"))),
    bound: () => boundAccounts(hub),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  await waitFor("the leaf to be bound", async () => (await domains.bound()).length > 0).catch(async (error) => {
    await all.disposeAsync();
    throw error;
  });
  return domains;
}

/** The operator, and the accounts that the leafnode must know from the start. */
async function preloads(hub: World): Promise<string> {
  const app = await storedJwt(hub);
  const system = hub.systemAccount.getPublicKey();
  const claims = accountClaims("SYS", hub.systemAccount, hub.accountSigningKey, UNLIMITED);
  return `operator: ${await readFile(join(hub.home, "operator.jwt"), "utf8")}
system_account: ${system}
resolver_preload { ${system}: ${hub.sign(claims)}, ${hub.accountId}: ${app} }`;
}

/** The JWT that the hub runs; another one with the same claims would count as drift. */
async function storedJwt(hub: World): Promise<string> {
  const connection = await hub.connectAs("system");
  try {
    const reply = await connection.request(`$SYS.REQ.ACCOUNT.${hub.accountId}.CLAIMS.LOOKUP`, "", {
      timeout: 5_000,
    });
    return reply.string();
  } finally {
    await connection.close();
  }
}

async function credentialsFor(hub: World, account: KeyPair): Promise<string> {
  const file = join(hub.home, "leaf.creds");
  await writeFile(file, newCredentials(account, "edge", hub.accountSigningKey), { mode: 0o600 });
  return file;
}

async function push(hub: World, token: string): Promise<void> {
  const connection = await hub.connectAs("system");
  try {
    await connection.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
  } finally {
    await connection.close();
  }
}

async function connectApp(server: NatsServer, file: string): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(await readFile(file));
  return connect({ servers: server.url, reconnect: false, authenticator });
}

interface LeafzAnswer {
  readonly server: { readonly name: string };
  readonly data?: { readonly leafs?: readonly { readonly account: string }[] | null };
}

async function boundAccounts(hub: World): Promise<readonly string[]> {
  const connection = await hub.connectAs("system");
  const system = hub.systemAccount.getPublicKey();
  try {
    const accounts: string[] = [];
    const replies = await connection.requestMany("$SYS.REQ.SERVER.PING.LEAFZ", "{}", {
      strategy: "timer",
      maxWait: 300,
    });
    for await (const reply of replies) {
      const { server, data } = reply.json<LeafzAnswer>();
      const leafs = server.name === LEAF ? [] : (data?.leafs ?? []);
      accounts.push(...leafs.map(({ account }) => account).filter((account) => account !== system));
    }
    return accounts;
  } finally {
    await connection.close();
  }
}

/** Streams on both sides, a mirror within the hub, and copies across in both directions. */
export async function fillDomains(domains: Domains): Promise<void> {
  await make(domains, "hub", { name: "ORDERS", subjects: ["orders.*"] });
  await make(domains, "hub", { name: "LOCAL", mirror: { name: "ORDERS" } });
  await make(domains, "edge", { name: "READINGS", subjects: ["readings.*"] });
  await make(domains, "edge", {
    name: "COPY",
    mirror: { name: "ORDERS", external: { api: "$JS.hub.API" } },
  });
  await make(domains, "hub", {
    name: "COLLECTED",
    sources: [{ name: "READINGS", external: { api: "$JS.edge.API" } }],
  });
}

interface StreamConfig {
  readonly name: string;
  readonly [key: string]: unknown;
}

async function make(domains: Domains, side: "hub" | "edge", config: StreamConfig): Promise<void> {
  const connection = await domains.connectTo(side);
  try {
    await retry(`stream ${config.name} to be made`, async () => {
      const body = JSON.stringify({ ...config, storage: "file" });
      const reply = await connection.request(`$JS.API.STREAM.CREATE.${config.name}`, body, {
        timeout: 10_000,
      });
      const { error } = reply.json<{ error?: { description: string } }>();
      if (error !== undefined) throw new Error(error.description);
    });
  } finally {
    await connection.close();
  }
}

/** Publishes to the stream of one side, and waits until it has each message. */
export async function publishTo(domains: Domains, side: "hub" | "edge", count: number): Promise<void> {
  const connection = await domains.connectTo(side);
  const subject = side === "hub" ? "orders.one" : "readings.one";
  try {
    for (let sent = 0; sent < count; sent++) await connection.request(subject, `${side} ${sent}`, { timeout: 10_000 });
  } finally {
    await connection.close();
  }
}

/** How many messages a stream has, asked on its own side. */
export async function messagesIn(domains: Domains, side: "hub" | "edge", stream: string): Promise<number> {
  const connection = await domains.connectTo(side);
  try {
    const reply = await connection.request(`$JS.API.STREAM.INFO.${stream}`, "", { timeout: 10_000 });
    return reply.json<{ state?: { messages: number } }>().state?.messages ?? -1;
  } finally {
    await connection.close();
  }
}
