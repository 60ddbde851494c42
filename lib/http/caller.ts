import type { Caller } from "./access.ts";

/** A request as an HTTP framework has it. */
interface Requested {
  readonly req: { header(name: string): string | undefined };
  readonly env: unknown;
}

/** Who sends a request. `@hono/node-server` has the connection; without it nobody knows the address. */
export function callerOf({ req, env }: Requested): Caller {
  const { incoming } = (env ?? {}) as { incoming?: { socket?: { remoteAddress?: string } } };
  return { address: incoming?.socket?.remoteAddress ?? "unknown", header: (name) => req.header(name) };
}
