import type { NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./wait.ts";

/** What a push needs of a deployment. */
interface Deployment {
  readonly accountId: string;
  readonly servers: readonly unknown[];
  connectAs(who: "system"): Promise<NatsConnection>;
}

/** Pushes to every full resolver, and waits until it has the JWT and the servers run it. */
export async function push(world: Deployment, token: string): Promise<void> {
  const connection = await world.connectAs("system");
  try {
    await connection.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5_000 });
    await waitFor("the JWT to be in the resolver", async () => (await lookup(connection, world.accountId)) === token);
    await waitFor("the JWT to run", async () => {
      const states = await accountStates(connection, world);
      return states.every(({ jwt }) => jwt === token);
    });
  } finally {
    await connection.close();
  }
}

/** Pushes to the servers that have the account loaded, which every kind of resolver takes. */
export async function pushOne(world: Deployment, token: string): Promise<void> {
  const connection = await world.connectAs("system");
  try {
    await connection.request(`$SYS.REQ.ACCOUNT.${world.accountId}.CLAIMS.UPDATE`, token, { timeout: 5_000 });
    await waitFor("the JWT to run", async () => {
      const states = await accountStates(connection, world);
      return states.every(({ jwt }) => jwt === token);
    });
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

/** A server's report about an account that it runs. */
export interface AccountState {
  readonly jwt?: string;
  readonly expired?: boolean;
}

/**
 * The account's state on each responding server that has it loaded.
 * @throws Error if no server answers.
 */
export async function accountStates(
  connection: NatsConnection,
  { accountId, servers }: Pick<Deployment, "accountId" | "servers">,
): Promise<readonly AccountState[]> {
  const replies = await connection.requestMany(`$SYS.REQ.ACCOUNT.${accountId}.INFO`, "", {
    strategy: "count",
    maxMessages: servers.length,
    maxWait: 2_000,
  });
  const answers: (AccountState | null | undefined)[] = [];
  for await (const reply of replies) answers.push(reply.json<{ data?: AccountState | null }>().data);
  if (answers.length === 0) throw new Error(`no server reports the state of ${accountId}`);
  return answers.filter((state): state is AccountState => state?.jwt !== undefined);
}
