/** An entry of `cluster.servers`: where a nats-server listens for clients. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  /** Whether the address requires TLS (`tls://`); otherwise the server decides. */
  readonly tls: boolean;
}

export type ReadAddress =
  | { readonly ok: true; readonly address: ServerAddress }
  | { readonly ok: false; readonly problem: string };

const DEFAULT_PORT = 4222;
const INSTEAD = "write nats://HOST:PORT, or tls://HOST:PORT for TLS";
const NO_CLIENTS = "but Relight connects to the servers' client port";
/** Wrong schemes that people use, and what they are for. */
const OTHERS: Readonly<Record<string, string>> = {
  "ws:": `a WebSocket address, ${NO_CLIENTS}`,
  "wss:": `a WebSocket address, ${NO_CLIENTS}`,
  "http:": `an HTTP address, ${NO_CLIENTS} (monitoring is cluster.monitoring)`,
  "https:": `an HTTP address, ${NO_CLIENTS} (monitoring is cluster.monitoring)`,
};

/** Parses `HOST`, `HOST:PORT`, `nats://…` or `tls://…`. Otherwise returns a problem that does not repeat a password. */
export function readServerAddress(text: string): ReadAddress {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `nats://${text}`);
  if (url === null)
    return { ok: false, problem: `is not a server's address; ${INSTEAD} (an IPv6 address in brackets)` };
  const { protocol, hostname, port, username, password, pathname, search, hash } = url;
  if (username !== "" || password !== "")
    return {
      ok: false,
      problem: `contains a user or a token, but Relight signs in with cluster.systemCredentials: ${INSTEAD}`,
    };
  const other = OTHERS[protocol];
  if (other !== undefined) return { ok: false, problem: `is ${other}; ${INSTEAD}` };
  if (protocol !== "nats:" && protocol !== "tls:")
    return { ok: false, problem: `begins with ${protocol}//, which Relight does not know; ${INSTEAD}` };
  const isMore = (pathname !== "" && pathname !== "/") || search !== "" || hash !== "";
  if (hostname === "" || isMore || /[,\s%]/.test(hostname) || port === "0")
    return { ok: false, problem: `is not one server's address; ${INSTEAD}` };
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    ok: true,
    address: { host, port: port === "" ? DEFAULT_PORT : Number(port), tls: protocol === "tls:" },
  };
}

/** `HOST:PORT`, with an IPv6 address in brackets. */
export const hostAndPort = ({ host, port }: Pick<ServerAddress, "host" | "port">): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
