import { createServer, type Server } from "node:http";
import { isIP } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Hono } from "hono";
import { RelightError } from "../lib/errors.ts";

/** A console that listens. */
export interface Listening extends AsyncDisposable {
  /** Where people open it. */
  readonly url: string;
}

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Parses `127.0.0.1:8080` or `[::1]:8080`. @throws RelightError `usage` */
export function readAddress(text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw new RelightError("usage", `${text} is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8080`);
  return { host, port };
}

/** Whether only this machine reaches the address. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));

/** Serves the pages until it is disposed. @throws RelightError `usage` if the address can't be used */
export async function listen(app: Hono, { host, port }: Address): Promise<Listening> {
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }));
  await opened(server, host, port);
  const bound = server.address();
  const shown = host.includes(":") ? `[${host}]` : host;
  const at = typeof bound === "object" && bound !== null ? bound.port : port;
  return {
    url: `http://${shown}:${at}/`,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        // A stream of progress would keep it open.
        server.closeAllConnections();
      }),
  };
}

function opened(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once("error", (cause) =>
      fail(new RelightError("usage", `${host}:${port} can't be listened on: ${cause.message}`, { cause })),
    );
    server.listen(port, host, () => done());
  });
}
