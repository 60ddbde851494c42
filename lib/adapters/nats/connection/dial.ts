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
import { hostAndPort, readServerAddress, type ServerAddress } from "../../../domain/observation/server-address.ts";
import { RelightError } from "../../../errors.ts";
import type { Servers, Tls } from "./tls.ts";

/** One attempt to reach a server, for explaining a failure. */
export interface Attempt {
  readonly server: string;
  /** Whether the TCP connection was made. */
  reached: boolean;
  /** The first line that the server sent. */
  greeting: string;
  encrypted: boolean;
  error?: unknown;
}

export type DialOptions = Omit<NodeConnectionOptions, "servers" | "tls" | "ignoreClusterUpdates">;

/** The client's options with additional ones for the transport; the client passes no others through. */
interface Dialled extends NodeConnectionOptions {
  readonly onAttempt?: (attempt: Attempt) => void;
}

/** Thrown to give up a connection before a byte is sent. */
export class TlsRefusal extends Error {
  readonly why: "no-tls" | "certificate-demanded" | "injected";

  constructor(why: TlsRefusal["why"]) {
    super(`TLS was refused: ${why}`);
    this.why = why;
  }
}

/** Whether TLS is required for these servers. As in other clients, one `tls://` address is enough. */
const wantsTls = ({ addresses, tls }: Servers): boolean =>
  tls !== undefined || addresses.some((text) => addressOf(text).tls);

/** @throws RelightError `config.invalid` */
export function addressOf(text: string): ServerAddress {
  const read = readServerAddress(text);
  if (read.ok) return read.address;
  throw new RelightError("config.invalid", `an address in cluster.servers ${read.problem}`);
}

/**
 * Connects to a server. If TLS is required, nothing is sent before it is established, also at a reconnect. Throws the
 * client's errors; `onAttempt` receives each attempt.
 */
export function dial(
  servers: Servers,
  options: DialOptions,
  onAttempt: (attempt: Attempt) => void,
): Promise<NatsConnection> {
  // Sets the transport, as the client's own `connect` does.
  setTransportFactory({ factory: () => new Transport(), dnsResolveFn: nodeResolveHost });
  const dialled: Dialled = {
    ...options,
    servers: servers.addresses.map((text) => hostAndPort(addressOf(text))),
    onAttempt,
    ...(wantsTls(servers) ? secured(servers.tls) : {}),
  };
  return NatsConnectionImpl.connect(dialled as ConnectionOptions);
}

/** INFO names other servers before TLS is established, so anybody on the network could add some: with TLS, ignore them. */
const secured = (tls: Partial<Tls> = {}) => ({ tls: { ...tls }, ignoreClusterUpdates: true });

/**
 * A stricter version of the client's transport. If TLS is required, it accepts no plain text, nothing before TLS except
 * INFO, no return from TLS, and no certificate for another name than the IP address.
 */
class Transport extends NodeTransport {
  #host = "";
  #attempt: Attempt | undefined;
  /** The client's options, which are reused for reconnects. */
  #lasting: NodeConnectionOptions = {};

  override async connect(server: Parameters<NodeTransport["connect"]>[0], options: Dialled): Promise<void> {
    this.#host = server.tlsName || server.hostname;
    this.#lasting = options;
    const where = hostAndPort({ host: this.#host, port: server.port });
    const attempt: Attempt = { server: where, reached: false, greeting: "", encrypted: false };
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

  /** Closes connections that the client gave up before they were made, because the client leaves them open. */
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
    // TLS is established, whatever INFO says: a load balancer may terminate it.
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
    const greeting = Buffer.concat(this.yields);
    if (greeting.length > greeting.indexOf("\r\n") + 2) throw new TlsRefusal("injected");
    if (info.tls_verify === true && !this.options.tls?.cert) throw new TlsRefusal("certificate-demanded");
    return info;
  }

  override async startTLS(): Promise<TLSSocket> {
    // Without this the client accepts a certificate for "localhost" for an IP address.
    const tls = { ...this.options.tls, host: this.#host };
    this.options = { ...this.options, tls };
    const socket = await super.startTLS();
    if (this.#attempt !== undefined) this.#attempt.encrypted = true;
    // From now on this connection never uses plain text, whatever a server says at a reconnect.
    Object.assign(this.#lasting, secured(this.#lasting.tls ?? {}));
    return socket;
  }

  /** Closes a connection that failed. */
  #fail(error: unknown): void {
    if (this.#attempt !== undefined) this.#attempt.error ??= error;
    this.#hear();
    this.discard();
  }

  #hear(): void {
    const greeting = Buffer.concat(this.yields).toString("latin1").split("\r\n")[0] ?? "";
    if (this.#attempt !== undefined) this.#attempt.greeting ||= greeting;
  }
}
