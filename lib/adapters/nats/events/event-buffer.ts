import { Readable } from "node:stream";
import type { ClusterEvent } from "../../../domain/watch/watch.ts";
import type { RelightError } from "../../../errors.ts";

/** Events kept for a listener that is slower than the cluster; what is beyond is told as one `events-missed`. */
const MOST_WAITING = 1_000;

export interface EventBuffer {
  readonly events: AsyncIterable<ClusterEvent>;
  put(event: ClusterEvent): void;
  end(error: RelightError | undefined): void;
}

/** Keeps what is heard until it is read, with a bound. An error that ends it goes to whoever reads. */
export function eventBuffer(): EventBuffer {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  // The error may come before anybody reads; without this it would end the process.
  stream.on("error", () => undefined);
  let missed = false;
  let over = false;
  const put = (event: ClusterEvent): void => {
    if (over) return;
    if (stream.readableLength < MOST_WAITING) {
      missed = false;
      stream.push(event);
    } else if (!missed) {
      missed = true;
      stream.push({ kind: "events-missed" } satisfies ClusterEvent);
    }
  };
  const end = (error: RelightError | undefined): void => {
    if (!over && error === undefined) stream.push(null);
    if (!over && error !== undefined) stream.destroy(error);
    over = true;
  };
  return { events: stream as AsyncIterable<ClusterEvent>, put, end };
}
