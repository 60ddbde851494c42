import { freePorts, type NatsServer, startServer } from "./nats-server.ts";

/** A hub and a leafnode without an operator, each with JetStream and debug logs. */
export interface LeafPair extends AsyncDisposable {
  readonly hub: NatsServer;
  readonly leaf: NatsServer;
  /** The accounts to which one side's leafnode connections are bound now, from its `/leafz`. */
  accounts(side: "hub" | "leaf"): Promise<readonly string[]>;
}

export interface LeafPairOptions {
  readonly binary: string;
  /** Additional configuration of the hub, such as its accounts. */
  readonly hub?: string;
  /** Additional configuration of the leafnode. */
  readonly leaf?: string;
  /** The leafnode's remote besides its url. */
  readonly remote?: string;
  /** JetStream domains; by default each side's name, none if empty. */
  readonly domains?: { readonly hub: string; readonly leaf: string };
}

export async function createLeafPair({
  binary,
  hub = "",
  leaf = "",
  remote = "",
  domains = { hub: "hub", leaf: "leaf" },
}: LeafPairOptions): Promise<LeafPair> {
  const domain = (name: "hub" | "leaf"): string => (domains[name] === "" ? "" : `, domain: ${domains[name]}`);
  const [leafPort = 0, hubMonitor = 0, leafMonitor = 0] = await freePorts(3);
  const monitors = { hub: hubMonitor, leaf: leafMonitor };
  const common = (name: "hub" | "leaf", folder: string): string =>
    `server_name: ${name}\nhttp: "127.0.0.1:${monitors[name]}"\ndebug: true
jetstream { store_dir: "${folder}/jetstream"${domain(name)} }`;
  await using started = new AsyncDisposableStack();
  const hubServer = started.use(
    await startServer({
      binary,
      // The default of two seconds for the sign-in may be too short on a busy machine.
      config: (folder) => `${common("hub", folder)}
leafnodes { listen: "127.0.0.1:${leafPort}", authorization { timeout: 30 } }\n${hub}\n`,
    }),
  );
  const url = `nats-leaf://127.0.0.1:${leafPort}`;
  const leafServer = started.use(
    await startServer({
      binary,
      config: (folder) =>
        `${common("leaf", folder)}\nleafnodes { reconnect: 1s, remotes: [ { url: "${url}", ${remote} } ] }\n${leaf}\n`,
    }),
  );
  const all = started.move();
  return {
    hub: hubServer,
    leaf: leafServer,
    accounts: (side) => leafAccounts(monitors[side]),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function leafAccounts(port: number): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/leafz`);
  const { leafs } = (await answer.json()) as { leafs?: readonly { account: string }[] | null };
  return (leafs ?? []).map(({ account }) => account);
}
