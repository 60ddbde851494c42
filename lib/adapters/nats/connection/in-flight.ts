import type { NatsConnection } from "@nats-io/transport-node";

/** The maximum number of requests in flight on a connection, to protect an overloaded cluster. */
export const AT_ONCE = 16;

interface Lane {
  busy: number;
  readonly waiting: (() => void)[];
}

const lanes = new WeakMap<NatsConnection, Lane>();

/** Runs `work` once fewer than {@link AT_ONCE} others run on the connection; first come, first served. */
export async function inTurn<T>(connection: NatsConnection, work: () => Promise<T>): Promise<T> {
  const lane = lanes.get(connection) ?? { busy: 0, waiting: [] };
  lanes.set(connection, lane);
  if (lane.busy < AT_ONCE) lane.busy++;
  else await new Promise<void>((resolve) => lane.waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = lane.waiting.shift();
    // Hand the slot directly to the next one, so nothing else can take it.
    if (next === undefined) lane.busy--;
    else next();
  }
}
