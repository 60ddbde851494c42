import { Readable } from "node:stream";
import type { ClusterEvent } from "../../../domain/watch/watch.ts";
import type { RelightError } from "../../../errors.ts";

/** The maximum number of waiting events. Beyond that, they become one `events-missed`. */
const MOST_WAITING = 1_000;

export interface EventBuffer {
  readonly events: AsyncIterable<ClusterEvent>;
  put(event: ClusterEvent): void;
  end(error: RelightError | undefined): void;
}

/** A bounded buffer of events. The reader receives an error that ends it. */
export function eventBuffer(): EventBuffer {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  // The error may arrive before anybody reads; an unhandled rejection would end the process.
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
