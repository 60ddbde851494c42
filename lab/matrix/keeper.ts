import { isAlive } from "../alive.ts";
import type { NatsServer } from "../nats-server.ts";
import { processIdOf } from "../restart-server.ts";

/** Starts servers that panicked again, as a service manager would, and counts the panics. */
export interface Keeper extends AsyncDisposable {
  /** The panics until now. */
  panics(): Promise<number>;
}

/** Milliseconds. Something else may be starting the server right now. */
const LOOKS_EVERY = 1_000;

export function keep(servers: readonly NatsServer[]): Keeper {
  const known = new Map<NatsServer, number>();
  const over = new AbortController();
  let looking = Promise.resolve();
  const look = async (): Promise<void> => {
    for (const server of servers) {
      if (over.signal.aborted) return;
      const count = await panicsOf(server);
      if (count <= (known.get(server) ?? 0) || isAlive(await processIdOf(server.folder))) continue;
      known.set(server, count);
      await server.start().catch(() => undefined);
    }
  };
  const timer = setInterval(() => {
    looking = looking.then(look).catch(() => undefined);
  }, LOOKS_EVERY);
  return {
    panics: async () => {
      const counts = await Promise.all(servers.map(panicsOf));
      return counts.reduce((total, count) => total + count, 0);
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      clearInterval(timer);
      await looking;
    },
  };
}

const panicsOf = async (server: NatsServer): Promise<number> =>
  ((await server.panics()).match(/^panic: /gm) ?? []).length;
