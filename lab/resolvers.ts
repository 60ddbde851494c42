import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** Where a server takes account JWTs from. */
export type ResolverKind = "full" | "cache" | "memory" | "url";

export interface ResolverParts {
  readonly kind: ResolverKind;
  readonly folder: string;
  readonly limit: number;
  /** Whether a full one deletes accounts. */
  readonly deletes: boolean;
  /** The JWTs by account that it knows from the start. */
  readonly preload: Readonly<Record<string, string>>;
  /** The system account's id, all that a full resolver is given. */
  readonly systemAccount: string;
  readonly url: string;
}

/** The lines of a server's configuration for its resolver. */
export function resolverConfig({ kind, folder, limit, deletes, preload, systemAccount, url }: ResolverParts): string {
  const all = Object.entries(preload).map(([account, token]) => `${account}: ${token}`);
  const system = `resolver_preload { ${systemAccount}: ${preload[systemAccount]} }`;
  switch (kind) {
    case "full":
      return `resolver { type: full, dir: "${folder}/jwt", allow_delete: ${deletes}, interval: "1m", limit: ${limit} }\n${system}`;
    case "cache":
      return `resolver { type: cache, dir: "${folder}/jwt", ttl: "1h", limit: ${limit} }\nresolver_preload { ${all.join("\n")} }`;
    case "memory":
      return `resolver: MEMORY\nresolver_preload { ${all.join("\n")} }`;
    case "url":
      return `resolver: URL("${url}")`;
  }
}

/** An HTTP server with account JWTs, as servers with `resolver: URL(…)` ask. */
export interface JwtStore extends AsyncDisposable {
  readonly url: string;
  hold(account: string, token: string): void;
}

export async function serveJwts(preload: Readonly<Record<string, string>>): Promise<JwtStore> {
  const held = new Map(Object.entries(preload));
  const server = createServer((request, response) => {
    const account = request.url?.split("/").at(-1) ?? "";
    const token = held.get(account);
    // A starting server asks for the account "" to see whether the store answers.
    response.statusCode = account === "" || token !== undefined ? 200 : 404;
    response.end(token ?? "");
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwt/v1/accounts/`,
    hold: (account, token) => void held.set(account, token),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}
