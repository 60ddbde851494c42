import type { NatsConnection } from "@nats-io/transport-node";

/** Questions in flight at once on one connection: a cluster in trouble is not stormed, however many looks want to ask. */
export const AT_ONCE = 16;

interface Lane {
  busy: number;
  readonly waiting: (() => void)[];
}

const lanes = new WeakMap<NatsConnection, Lane>();

/** Does `work` once fewer than {@link AT_ONCE} others are under way on the connection; first come, first served. */
export async function inTurn<T>(connection: NatsConnection, work: () => Promise<T>): Promise<T> {
  const lane = lanes.get(connection) ?? { busy: 0, waiting: [] };
  lanes.set(connection, lane);
  if (lane.busy < AT_ONCE) lane.busy++;
  else await new Promise<void>((resolve) => lane.waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = lane.waiting.shift();
    // Whoever is next takes the place as it is: nobody else can come between.
    if (next === undefined) lane.busy--;
    else next();
  }
}
