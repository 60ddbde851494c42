import type { TLSSocket } from "node:tls";
import {
  type ConnectionOptions,
  type NatsConnection,
  NatsConnectionImpl,
  type NodeConnectionOptions,
  type ServerInfo,
  setTransportFactory,
} from "@nats-io/transport-node";
import { NodeTransport, nodeResolveHost } from "@nats-io/transport-node/lib/node_transport.js";
import {
  hostAndPort,
  readServerAddress,
  type ServerAddress,
} from "../../../domain/observation/server-address.ts";
import { RelightError } from "../../../errors.ts";
import type { Servers, Tls } from "./tls.ts";

/** One try to reach one server, for who tells why it failed. */
export interface Attempt {
  readonly server: string;
  /** The TCP connection came about. */
  reached: boolean;
  /** The first line that the server said. */
  said: string;
  encrypted: boolean;
  error?: unknown;
}

export type DialOptions = Omit<NodeConnectionOptions, "servers" | "tls" | "ignoreClusterUpdates">;

/** What the transport is told beside the client's own options, on the one way there is. */
interface Dialled extends NodeConnectionOptions {
  readonly onAttempt?: (attempt: Attempt) => void;
}

/** Why a connection is not gone on with, before a byte of it is sent. */
export class TlsRefusal extends Error {
  readonly why: "no-tls" | "certificate-demanded" | "injected";

  constructor(why: TlsRefusal["why"]) {
    super(`TLS was refused: ${why}`);
    this.why = why;
  }
}

/** Whether these servers are spoken to over TLS or not at all: one `tls://` among them is enough, as for other clients. */
const wantsTls = ({ addresses, tls }: Servers): boolean =>
  tls !== undefined || addresses.some((text) => addressOf(text).tls);

/** @throws RelightError `config.invalid` */
export function addressOf(text: string): ServerAddress {
  const read = readServerAddress(text);
  if (read.ok) return read.address;
  throw new RelightError("config.invalid", `an address in cluster.servers ${read.problem}`);
}

/**
 * The one way to a server. Where TLS is wanted, nothing is sent before it is up, neither at first nor at a reconnect.
 * Throws what the client throws; `onAttempt` hears of each try.
 */
export function dial(
  servers: Servers,
  options: DialOptions,
  onAttempt: (attempt: Attempt) => void,
): Promise<NatsConnection> {
  // The client is given no choice of what it connects with: this is what its own `connect` does.
  setTransportFactory({ factory: () => new Transport(), dnsResolveFn: nodeResolveHost });
  const dialled: Dialled = {
    ...options,
    servers: servers.addresses.map((text) => hostAndPort(addressOf(text))),
    onAttempt,
    ...(wantsTls(servers) ? secured(servers.tls) : {}),
  };
  return NatsConnectionImpl.connect(dialled as ConnectionOptions);
}

/**
 * Which other servers there are is said before TLS is up, by whoever sits on the wire: with TLS nobody is believed but
 * the configuration.
 */
const secured = (tls: Partial<Tls> = {}) => ({ tls: { ...tls }, ignoreClusterUpdates: true });

/**
 * The client's transport, stricter: it takes no plain text where TLS is wanted, nothing that was said before TLS but
 * INFO, no way back from TLS, and no other name for an IP address.
 */
class Transport extends NodeTransport {
  #host = "";
  #attempt: Attempt | undefined;
  /** The client's own options, which outlive this connection. */
  #lasting: NodeConnectionOptions = {};

  override async connect(server: Parameters<NodeTransport["connect"]>[0], options: Dialled): Promise<void> {
    this.#host = server.tlsName || server.hostname;
    this.#lasting = options;
    const where = hostAndPort({ host: this.#host, port: server.port });
    const attempt: Attempt = { server: where, reached: false, said: "", encrypted: false };
    this.#attempt = attempt;
    options.onAttempt?.(attempt);
    try {
      await super.connect(server, { ...options });
      if (options.tls && !this.isEncrypted()) throw new TlsRefusal("no-tls");
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** The client leaves a connection open that it gave up before it was made. */
  override async close(error?: Error): Promise<void> {
    if (!this.connected) this.#fail(error);
    return super.close(error);
  }

  override async dial(server: Parameters<NodeTransport["dial"]>[0]): Promise<NodeTransport["socket"]> {
    const socket = await super.dial(server);
    if (this.#attempt !== undefined) this.#attempt.reached = true;
    return socket;
  }

  override async tlsFirst(server: Parameters<NodeTransport["tlsFirst"]>[0]): Promise<TLSSocket> {
    const socket = await super.tlsFirst(server);
    if (this.#attempt !== undefined) Object.assign(this.#attempt, { reached: true, encrypted: true });
    // It is there, whatever INFO says of it: a load balancer may have done it in the server's place.
    delete this.options.tls;
    return socket;
  }

  override async peekInfo(): Promise<ServerInfo> {
    const info = await super.peekInfo();
    this.#hear();
    if (this.#attempt?.encrypted === true) return info;
    const offered = info.tls_required === true || info.tls_available === true;
    if (!offered && this.options.tls) throw new TlsRefusal("no-tls");
    if (!offered) return info;
    const said = Buffer.concat(this.yields);
    if (said.length > said.indexOf("\r\n") + 2) throw new TlsRefusal("injected");
    if (info.tls_verify === true && !this.options.tls?.cert) throw new TlsRefusal("certificate-demanded");
    return info;
  }

  override async startTLS(): Promise<TLSSocket> {
    // Without it the client proves an IP address by a certificate for "localhost".
    const tls = { ...this.options.tls, host: this.#host };
    this.options = { ...this.options, tls };
    const socket = await super.startTLS();
    if (this.#attempt !== undefined) this.#attempt.encrypted = true;
    // From now on this connection knows no plain text, whatever a server says at a reconnect.
    Object.assign(this.#lasting, secured(this.#lasting.tls ?? {}));
    return socket;
  }

  /** Nothing goes on with a connection that did not come about. */
  #fail(error: unknown): void {
    if (this.#attempt !== undefined) this.#attempt.error ??= error;
    this.#hear();
    this.discard();
  }

  #hear(): void {
    const said = Buffer.concat(this.yields).toString("latin1").split("\r\n")[0] ?? "";
    if (this.#attempt !== undefined) this.#attempt.said ||= said;
  }
}
