import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Listeners that are no nats-server, or sit between one and its client. */

export async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

export interface Impostor extends AsyncDisposable {
  readonly port: number;
  /** Everything it received. */
  heard(): string;
  connections(): number;
}

/** Listens, sends this greeting to each client, and records the answers. */
export function impostor(greeting: string): Promise<Impostor> {
  return pretend((client) => void client.write(greeting));
}

/** The first message of a nats-server. */
export const infoOf = (more: object): string =>
  `INFO ${JSON.stringify({ server_id: "X", version: "2.10.27", proto: 1, headers: true, max_payload: 1 << 20, auth_required: true, nonce: "x", ...more })}\r\n`;

export interface AlteringProxy extends Impostor {
  /** From now on sends this instead of the server's greeting, and passes nothing on; undefined: as before. */
  pretend(greeting: string | undefined): void;
  /** Closes the existing connections. */
  cut(): void;
}

/** Passes on everything between clients and a server, but alters the server's first message. */
export async function alteringProxy(port: number, alter: (info: object) => object): Promise<AlteringProxy> {
  let greeting: string | undefined;
  const between = new Set<Socket>();
  const pretender = await pretend((client) => {
    between.add(client);
    if (greeting !== undefined) return client.write(greeting);
    const server = connect(port, "127.0.0.1").on("error", () => client.destroy());
    between.add(server);
    server.once("data", (first) => {
      const [, info = "{}", rest = ""] = /^INFO (\{.*\})\s*\r\n([\s\S]*)$/.exec(first.toString("latin1")) ?? [];
      client.write(`INFO ${JSON.stringify(alter(JSON.parse(info) as object))}\r\n${rest}`);
      server.pipe(client);
      client.pipe(server);
    });
    return undefined;
  });
  return {
    ...pretender,
    pretend: (text) => (greeting = text),
    cut: () => {
      for (const socket of between) socket.destroy();
      between.clear();
    },
  };
}

async function pretend(greet: (client: Socket) => void): Promise<Impostor> {
  const heard: Buffer[] = [];
  const clients: Socket[] = [];
  const server = createServer((client) => {
    clients.push(client);
    client.on("error", () => client.destroy());
    client.on("data", (chunk) => heard.push(chunk));
    greet(client);
  });
  const port = await listening(server);
  return {
    port,
    heard: () => Buffer.concat(heard).toString("latin1"),
    connections: () => clients.length,
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
