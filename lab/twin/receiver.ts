import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A page from Relight's webhook channel. */
export interface Page {
  readonly type: string;
  readonly data: { readonly key: string; readonly status: string; readonly failureClass: string } & Readonly<
    Record<string, unknown>
  >;
}

/** Receives the twin's pages: an escalation channel on loopback. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  /** All pages so far, oldest first; the list grows. */
  readonly pages: readonly Page[];
}

export async function startReceiver(): Promise<Receiver> {
  const pages: Page[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    pages.push(JSON.parse(Buffer.concat(chunks).toString()) as Page);
    response.writeHead(204).end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/pages`,
    pages,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
