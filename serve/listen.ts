import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { Hono } from "hono";
import { RelightError } from "../lib/errors.ts";

export interface Listening {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Takes no more connections, and waits for the answers that are under way. */
  close(): Promise<void>;
  /** Ends those, too. */
  end(): void;
}

/** Takes requests. @throws RelightError `listen.failed` */
export async function listen(app: Hono, { host, port }: { host: string; port: number }): Promise<Listening> {
  const server = createAdaptorServer({ fetch: app.fetch });
  server.listen({ host, port });
  try {
    await once(server, "listening");
  } catch (cause) {
    const where = addressText(host, port);
    throw new RelightError("listen.failed", `${where} can't be listened on: ${reasonOf(cause)}`, { cause });
  }
  const closed = once(server, "close");
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${addressText(host, taken)}`,
    close: async () => {
      server.close();
      await closed;
    },
    end: () => "closeAllConnections" in server && server.closeAllConnections(),
  };
}

/** Resolves once the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

const addressText = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "EADDRINUSE") return "another program listens there";
  if (code === "EACCES") return "that needs more rights";
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") return "it is not an address of this machine";
  return message;
}
