import { once } from "node:events";
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls, type PeerCertificate } from "node:tls";
import { epochMillis, type Millis } from "../../../domain/time/time.ts";
import type { ServerCertificates } from "../../../ports/cluster.ts";
import { addressOf } from "./dial.ts";

/** Reads the certificates of these addresses, without verifying them. Sends nothing but the handshake. */
export function serverCertificates(
  addresses: readonly string[],
  timeout: Millis,
): Promise<readonly ServerCertificates[]> {
  return Promise.all(addresses.map(async (address) => ({ address, seen: await look(address, timeout) })));
}

async function look(address: string, timeout: Millis): Promise<ServerCertificates["seen"]> {
  const { host, port } = addressOf(address);
  const signal = AbortSignal.timeout(timeout);
  const socket = connectPlain({ host, port }).on("error", () => undefined);
  try {
    await once(socket, "connect", { signal });
    if ((await greet(socket, signal, timeout)) === "plain") return { ok: true, value: undefined };
    return { ok: true, value: await certificate(socket, host, signal) };
  } catch (cause) {
    const message = signal.aborted ? `no answer within ${timeout} ms` : (cause as Error).message;
    return { ok: false, code: "nats.unreachable", message: `${address}: ${message}` };
  } finally {
    socket.destroy();
  }
}

/**
 * A server first sends INFO in plain text, and then TLS begins if the server offers it. A server with `handshake_first`
 * (since 2.10.4) sends nothing and waits for the handshake.
 */
async function greet(socket: Socket, signal: AbortSignal, timeout: Millis): Promise<"plain" | "tls"> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(Math.min(1_000, timeout / 2))]);
  let text = "";
  try {
    while (!text.includes("\r\n")) {
      const [chunk] = (await once(socket, "data", { signal: deadline })) as [Buffer];
      text += chunk.toString("latin1");
    }
  } catch (error) {
    if (signal.aborted || !deadline.aborted) throw error;
    return "tls";
  } finally {
    socket.pause();
  }
  const info = JSON.parse(/^INFO (\{.*\})/.exec(text)?.[1] ?? "{}") as Record<string, unknown>;
  return info["tls_required"] === true || info["tls_available"] === true ? "tls" : "plain";
}

async function certificate(socket: Socket, host: string, signal: AbortSignal) {
  const secure = connectTls({
    socket,
    rejectUnauthorized: false,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  try {
    await once(secure, "secureConnect", { signal });
    const { valid_from: from, valid_to: to, subject } = secure.getPeerCertificate() as PeerCertificate;
    const name = String(subject?.CN ?? host);
    return { name, begins: epochMillis(Date.parse(from)), expiresAt: epochMillis(Date.parse(to)) };
  } finally {
    secure.destroy();
  }
}

/** What listens at an address that sends no INFO: TLS that waits for the handshake, HTTP, or unknown. */
export async function silentListener(address: string, timeout: Millis): Promise<"tls" | "http" | "unknown"> {
  const { host, port } = addressOf(address);
  const signal = AbortSignal.timeout(timeout);
  const socket = connectPlain({ host, port }).on("error", () => undefined);
  try {
    await once(socket, "connect", { signal });
    await certificate(socket, host, signal);
    return "tls";
  } catch (error) {
    // A server that requires a client certificate answers with a TLS alert.
    if (/ALERT/.test((error as NodeJS.ErrnoException).code ?? "")) return "tls";
  } finally {
    socket.destroy();
  }
  return (await speaksHttp(host, port, timeout)) ? "http" : "unknown";
}

async function speaksHttp(host: string, port: number, timeout: Millis): Promise<boolean> {
  const socket = connectPlain({ host, port }).on("error", () => undefined);
  try {
    socket.write("GET / HTTP/1.0\r\n\r\n");
    const [chunk] = (await once(socket, "data", { signal: AbortSignal.timeout(timeout) })) as [Buffer];
    return chunk.toString("latin1").startsWith("HTTP/");
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
